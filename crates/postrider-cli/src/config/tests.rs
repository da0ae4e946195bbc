//! What the configuration says about good and bad sources.

use std::path::Path;
use std::time::Duration;

use super::*;

fn sources(folder: &Path, environment: &[(&str, &str)]) -> Sources {
    Sources {
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        directory: folder.to_owned(),
        root: false,
    }
}

fn loaded(file: &str, environment: &[(&str, &str)], flags: Flags) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    if !file.is_empty() {
        std::fs::write(folder.path().join("postrider.toml"), file).unwrap();
    }
    load(&sources(folder.path(), environment), &flags)
}

fn reasons(loaded: &Loaded) -> Vec<String> {
    loaded.mistakes.iter().map(|mistake| format!("{}: {}", mistake.key, mistake.reason)).collect()
}

#[test]
fn without_any_source_the_defaults_hold_and_are_sound() {
    let loaded = loaded("", &[("HOME", "/home/u")], Flags::default());
    assert_eq!(reasons(&loaded), Vec::<String>::new());
    let config = loaded.config;
    assert!(config.database.url.is_none());
    assert_eq!(config.worker.roles, Role::ALL);
    assert_eq!(
        (config.worker.in_flight, config.worker.retry_in_flight, config.worker.endpoint_in_flight),
        (512, 128, 10)
    );
    assert_eq!(
        (config.worker.lease, config.worker.attempt_timeout),
        (Duration::from_secs(60), Duration::from_secs(15))
    );
    assert_eq!((config.worker.lane, config.worker.lane_bytes), (256, 64 << 20));
    assert_eq!(config.retention.events, Duration::from_secs(30 * 86_400));
    assert_eq!(config.admin.listen, Some("127.0.0.1:9090".parse().unwrap()));
    assert_eq!(config.data_dir, Path::new("/home/u/.local/share/postrider"));
    assert!(!config.egress.allow_http && config.egress.addresses.allow.is_empty());
    assert!(loaded.settings.values().all(|setting| setting.origin == "default"));
}

#[test]
fn flags_go_before_variables_before_the_file_before_defaults() {
    let file = "[worker]\nin_flight = 300\nlane = 30\nlease = \"90s\"\nroles = [\"fanout\", \"janitor\"]\n";
    let mut flags = Flags::default();
    flags.set("worker.in_flight", "--in-flight", Some("200".to_owned()));
    let loaded = loaded(
        file,
        &[("POSTRIDER_WORKER_LANE", "40"), ("POSTRIDER_WORKER_IN_FLIGHT", "250")],
        flags,
    );
    assert_eq!(reasons(&loaded), Vec::<String>::new());
    let worker = &loaded.config.worker;
    assert_eq!((worker.in_flight, worker.lane, worker.lease.as_secs()), (200, 40, 90));
    assert_eq!(worker.roles, [Role::Fanout, Role::Janitor]);
    let origin = |key: &str| loaded.settings[key].origin.clone();
    assert_eq!(origin("worker.in_flight"), "flag --in-flight");
    assert_eq!(origin("worker.lane"), "POSTRIDER_WORKER_LANE");
    assert!(origin("worker.lease").ends_with("/postrider.toml"));
    assert_eq!(origin("worker.grace"), "default");
}

#[test]
fn every_mistake_is_reported_at_once_with_key_origin_and_reason() {
    let file = "[worker]\nlease = 60\nin_flihgt = 3\n[egress]\nallow_http = \"perhaps\"\n[nonsense]\nx = 1\n";
    let environment = [
        ("POSTRIDER_DATABASE_URL", "http://u:hush@h/db"),
        ("POSTRIDER_WORKER_GRACE", "soon"),
        ("POSTRIDER_EGRESS_ALLOW_CIDRS", "10.0.0.0/8, 10.0.0.0/99"),
        ("POSTRIDER_MASTER_KEY", "hush"),
        ("POSTRIDER_WORKER_LANES", "3"),
        ("POSTRIDER_ADMIN_LISTEN", "everywhere"),
        ("POSTRIDER_LOG_FORMAT", "xml"),
    ];
    let loaded = loaded(file, &environment, Flags::default());
    let all = reasons(&loaded).join("\n");
    for expected in [
        "database.url: is no PostgreSQL URL; write postgres://user:password@host:port/database",
        "worker.lease: must be a whole number with its unit: ms, s, m, h or d, such as 30s, not \"60\"",
        "worker.in_flihgt: no such key; did you mean worker.in_flight?",
        "nonsense.x: no such key",
        "egress.allow_http: must be true or false, not \"perhaps\"",
        "worker.grace: must be a whole number with its unit",
        "egress.allow_cidrs: \"10.0.0.0/99\" must be a network such as 10.1.0.0/16",
        "master_key: master key 1 is not 32 bytes in base64 or hex",
        "POSTRIDER_WORKER_LANES: no such setting; did you mean POSTRIDER_WORKER_LANE?",
        "admin.listen: must be an address and a port such as 127.0.0.1:9090, or off, not \"everywhere\"",
        "log_format: must be auto, text or json, not \"xml\"",
    ] {
        assert!(all.contains(expected), "{expected}\nis not in\n{all}");
    }
    assert_eq!(loaded.mistakes.len(), 11, "{all}");
    assert!(!all.contains("hush"));
    let grace = loaded.mistakes.iter().find(|mistake| mistake.key == "worker.grace").unwrap();
    assert_eq!(grace.origin, "POSTRIDER_WORKER_GRACE");
}

#[test]
fn values_that_do_not_go_together_are_refused() {
    for (file, expected) in [
        (
            "[worker]\nlease = \"25s\"\n",
            "worker.lease: must be more than worker.attempt_timeout + 10s = 25s, and is 25s",
        ),
        (
            "[worker]\nlease = \"39s\"\nattempt_timeout = \"30s\"\n",
            "worker.lease: must be more than",
        ),
        (
            "[worker]\nin_flight = 100\n",
            "worker.retry_in_flight: must not be more than worker.in_flight = 100, and is 128",
        ),
        (
            "[worker]\nconnect_timeout = \"20s\"\n",
            "worker.connect_timeout: must not be more than worker.attempt_timeout = 15s",
        ),
        (
            "[retention]\nledger = \"29d\"\n",
            "retention.ledger: must be at least retention.events = 30d, and is 29d",
        ),
        (
            "[egress]\nallow_cidrs = [\"10.0.0.0/8\"]\ndeny_cidrs = \"10.0.0.0/8\"\n",
            "egress.deny_cidrs: 10.0.0.0/8 is also in egress.allow_cidrs",
        ),
        (
            "[database]\ndirect_url = \"postgres://h/db\"\n",
            "database.direct_url: is the direct way to database.url, which is not set",
        ),
    ] {
        let loaded = loaded(file, &[], Flags::default());
        let all = reasons(&loaded);
        assert_eq!(all.len(), 1, "{file}: {all:?}");
        assert!(all[0].contains(expected), "{all:?}");
    }
    // A value that is wrong by itself is not compared with others too.
    assert_eq!(loaded("[worker]\nlease = \"x\"\n", &[], Flags::default()).mistakes.len(), 1);
    assert!(loaded("[worker]\nlease = \"26s\"\n", &[], Flags::default()).mistakes.is_empty());
}

#[test]
fn secrets_can_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let key = "ab".repeat(32);
    std::fs::write(folder.path().join("key"), format!("{key}\n")).unwrap();
    std::fs::write(folder.path().join("url"), "postgres://u:hush@h/db\n").unwrap();
    std::fs::write(folder.path().join("empty"), "\n").unwrap();
    std::fs::write(folder.path().join("postrider.toml"), "master_key_file = \"key\"\n").unwrap();

    let url_file = folder.path().join("url").display().to_string();
    let loaded = load(
        &sources(folder.path(), &[("POSTRIDER_DATABASE_URL_FILE", &url_file)]),
        &Flags::default(),
    );
    assert_eq!(reasons(&loaded), Vec::<String>::new());
    assert_eq!(
        loaded.config.database.url.as_ref().map(Hidden::expose),
        Some("postgres://u:hush@h/db")
    );
    assert_eq!(
        loaded.config.master_keys.iter().map(Hidden::expose).collect::<Vec<_>>(),
        [key.as_str()]
    );
    assert!(
        loaded.settings["database.url"].origin.contains("named by POSTRIDER_DATABASE_URL_FILE")
    );
    let shown: String = loaded.settings.values().map(Setting::shown).collect();
    assert!(
        shown.contains("postgres://u:***@h/db") && !shown.contains("hush") && !shown.contains(&key)
    );
    assert!(!format!("{:?}", loaded.config).contains("hush"));

    for (environment, expected) in [
        (vec![("POSTRIDER_MASTER_KEY_FILE", "missing")], "cannot read"),
        (vec![("POSTRIDER_MASTER_KEY_FILE", "empty")], "is empty"),
        (
            vec![("POSTRIDER_MASTER_KEY_FILE", "key"), ("POSTRIDER_MASTER_KEY", &key)],
            "is given both as itself and as a file",
        ),
        (vec![("POSTRIDER_WORKER_LEASE_FILE", "key")], "no such setting"),
    ] {
        let loaded = load(&sources(folder.path(), &environment), &Flags::default());
        let all = reasons(&loaded);
        assert_eq!(all.len(), 1, "{environment:?}: {all:?}");
        assert!(all[0].contains(expected), "{all:?}");
    }
}

#[test]
fn a_variable_beats_the_file_that_a_lower_source_names() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("url"), "postgres://low/db").unwrap();
    std::fs::write(folder.path().join("postrider.toml"), "[database]\nurl_file = \"url\"\n")
        .unwrap();
    let loaded = load(
        &sources(folder.path(), &[("POSTRIDER_DATABASE_URL", "postgres://high/db")]),
        &Flags::default(),
    );
    assert_eq!(reasons(&loaded), Vec::<String>::new());
    assert_eq!(loaded.config.database.url.as_ref().map(Hidden::expose), Some("postgres://high/db"));
}

#[test]
fn a_broken_or_missing_file_is_one_mistake_and_shows_none_of_its_lines() {
    let loaded = loaded(
        "[database]\nurl = \"postgres://u:hush@h/db\n",
        &[("POSTRIDER_WORKER_GRACE", "soon")],
        Flags::default(),
    );
    assert_eq!(loaded.mistakes.len(), 2, "{:?}", loaded.mistakes);
    let text = format!("{:?}", loaded.mistakes);
    assert!(text.contains("line 2") && !text.contains("hush"), "{text}");

    let flags = Flags { file: Some("none.toml".into()), ..Flags::default() };
    let missing = self::loaded("", &[], flags);
    assert_eq!(missing.mistakes.len(), 1);
    assert_eq!(missing.mistakes[0].origin, "flag --config");
}

#[test]
fn variables_of_others_do_no_harm() {
    let environment = [
        ("POSTRIDER_PUBLISH", "off"),
        ("POSTRIDER_SERVICE_HOST", "10.0.0.1"),
        ("POSTRIDER_PORT_9090_TCP", "tcp://10.0.0.1:9090"),
        ("POSTRIDER_ADMIN_SERVICE_PORT", "9090"),
        ("POSTRIDER_WORKER_LEASE", ""),
        ("POSTRIDER_MASTERKEY", "x"),
    ];
    let loaded = loaded("", &environment, Flags::default());
    assert_eq!(reasons(&loaded), Vec::<String>::new());
    assert_eq!(loaded.warnings.len(), 1);
    assert!(
        loaded.warnings[0].contains("did you mean POSTRIDER_MASTER_KEY?"),
        "{:?}",
        loaded.warnings
    );
}

#[test]
fn dev_permits_this_machine_and_a_direct_url_means_a_pooler() {
    let url = [
        ("POSTRIDER_DATABASE_URL", "postgres://pooler/db"),
        ("POSTRIDER_DATABASE_DIRECT_URL", "postgres://server/db"),
    ];
    let dev = loaded("", &url, Flags { dev: true, ..Flags::default() }).config;
    assert!(dev.egress.allow_http && dev.egress.addresses.permits_loopback());
    assert_eq!(dev.database.mode, postrider_store::Mode::Pooled);
    let plain = loaded("", &url[..1], Flags::default()).config;
    assert!(!plain.egress.allow_http && !plain.egress.addresses.permits_loopback());
    assert_eq!(plain.database.mode, postrider_store::Mode::Direct);
}

#[test]
fn data_lies_where_it_belongs() {
    let folder = tempfile::tempdir().unwrap();
    let mut from = sources(folder.path(), &[("XDG_DATA_HOME", "/data"), ("HOME", "/home/u")]);
    assert_eq!(load(&from, &Flags::default()).config.data_dir, Path::new("/data/postrider"));
    from.root = true;
    assert_eq!(load(&from, &Flags::default()).config.data_dir, Path::new("/var/lib/postrider"));
    let mut flags = Flags::default();
    flags.set("data_dir", "--data-dir", Some("here".to_owned()));
    assert_eq!(load(&from, &flags).config.data_dir, folder.path().join("here"));
}
