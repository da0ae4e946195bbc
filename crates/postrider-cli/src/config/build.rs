//! From settings to sections, and the rules between their values.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use postrider_core::address::AddressPolicy;
use postrider_core::health::HealthPolicy;
use postrider_core::seal::KeyRing;
use postrider_destinations::EgressProxy;
use postrider_store::{Connect, Mode};

use super::hidden::Hidden;
use super::layers::{Flags, Sources};
use super::read::{Reader, span_text};
use super::{
    Admin, Api, Config, Database, Egress, Health, Limits, LogFormat, Retention, Role, Worker,
};

/// What must be left of a lease after the longest attempt: to record it, and for clocks that differ.
const LEASE_SLACK: Duration = Duration::from_secs(10);
const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The whole configuration; what is wrong with it is noted in the reader.
pub(crate) fn build(read: &mut Reader<'_>, sources: &Sources, flags: &Flags) -> Config {
    Config {
        database: database(read),
        worker: worker(read),
        health: health(read),
        limits: limits(read),
        egress: egress(read, flags.dev),
        retention: retention(read),
        admin: Admin { listen: listen(read, "admin.listen", "127.0.0.1:9090") },
        api: api(read),
        data_dir: read
            .path("data_dir")
            .map_or_else(|| default_data_dir(sources), |path| sources.directory.join(path)),
        pg_bin_dir: read.path("pg_bin_dir"),
        master_keys: master_keys(read),
        log: read.text("log"),
        log_format: log_format(read),
        dev: flags.dev,
    }
}

fn api(read: &mut Reader<'_>) -> Api {
    let rate_limit = u32::try_from(read.count("api.rate_limit", 1..=1_000_000)).ok();
    Api {
        listen: listen(read, "api.listen", "127.0.0.1:8080"),
        rate_limit: rate_limit.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN),
    }
}

fn database(read: &mut Reader<'_>) -> Database {
    let ca_file = read.file("database.ca_file");
    let url = database_url(read, "database.url");
    let direct_url = database_url(read, "database.direct_url");
    if direct_url.is_some() && url.is_none() && read.is_sound("database.url") {
        read.refuse("database.direct_url", "is the direct way to database.url, which is not set");
    }
    let pooler = read.parsed("database.pooler", |text| match text {
        "auto" => Ok(None),
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        _ => Err("must be true, false or auto".to_owned()),
    });
    let pooled = pooler.flatten().unwrap_or(direct_url.is_some());
    let mode = if pooled { Mode::Pooled } else { Mode::Direct };
    Database {
        url,
        direct_url,
        mode,
        pool_size: read.count("database.pool_size", 2..=200),
        ca_file,
    }
}

fn database_url(read: &mut Reader<'_>, name: &'static str) -> Option<Hidden> {
    read.parsed(name, |text| {
        let wrong = "is no PostgreSQL URL; write postgres://user:password@host:port/database";
        let known = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme))
            || !text.contains("://");
        // What the parser complains about may be part of the password, so its words are not repeated.
        if known && Connect::is_readable(text) {
            Ok(Hidden::new(text))
        } else {
            Err(wrong.to_owned())
        }
    })
}

fn worker(read: &mut Reader<'_>) -> Worker {
    let worker = Worker {
        roles: roles(read),
        name: read.text("worker.name").unwrap_or_else(host_name),
        in_flight: read.count("worker.in_flight", 1..=65_536),
        retry_in_flight: read.count("worker.retry_in_flight", 1..=65_536),
        endpoint_in_flight: read.count("worker.endpoint_in_flight", 1..=1000),
        lease: read.span("worker.lease", 12 * SECOND..=HOUR),
        lane: read.count("worker.lane", 1..=65_536),
        lane_bytes: read.size("worker.lane_bytes", 1 << 20..=16 << 30),
        attempt_timeout: read.span("worker.attempt_timeout", 100 * MS..=30 * SECOND),
        connect_timeout: read.span("worker.connect_timeout", 10 * MS..=30 * SECOND),
        grace: read.span("worker.grace", Duration::ZERO..=600 * SECOND),
        fallback_poll: read.span("worker.fallback_poll", 100 * MS..=HOUR),
    };
    let least = worker.attempt_timeout + LEASE_SLACK;
    if read.is_sound("worker.lease")
        && read.is_sound("worker.attempt_timeout")
        && worker.lease <= least
    {
        let (lease, least) = (span_text(worker.lease), span_text(least));
        read.refuse(
            "worker.lease",
            format!("must be more than worker.attempt_timeout + 10s = {least}, and is {lease}"),
        );
    }
    for (name, value, limit_name, limit) in [
        ("worker.retry_in_flight", worker.retry_in_flight, "worker.in_flight", worker.in_flight),
        (
            "worker.endpoint_in_flight",
            worker.endpoint_in_flight,
            "worker.in_flight",
            worker.in_flight,
        ),
    ] {
        if read.is_sound(name) && read.is_sound(limit_name) && value > limit {
            read.refuse(
                name,
                format!("must not be more than {limit_name} = {limit}, and is {value}"),
            );
        }
    }
    if read.is_sound("worker.connect_timeout")
        && read.is_sound("worker.attempt_timeout")
        && worker.connect_timeout > worker.attempt_timeout
    {
        let whole = span_text(worker.attempt_timeout);
        read.refuse(
            "worker.connect_timeout",
            format!("must not be more than worker.attempt_timeout = {whole}"),
        );
    }
    worker
}

fn health(read: &mut Reader<'_>) -> Health {
    let standard = HealthPolicy::default();
    let policy = HealthPolicy {
        open_after: u32::try_from(read.count("health.open_after", 1..=1000))
            .unwrap_or(standard.open_after),
        probe_after: read.span("health.probe_after", 100 * MS..=standard.probe_at_most),
        disable_after: read.span("health.disable_after", Duration::ZERO..=365 * DAY),
        ..standard
    };
    Health { policy, retry_after_ceiling: read.span("health.retry_after_ceiling", SECOND..=DAY) }
}

fn limits(read: &mut Reader<'_>) -> Limits {
    let mut limit = |name| {
        read.parsed(name, |text| {
            let number: Option<u32> = text.parse().ok();
            number
                .filter(|number| (1..=1_000_000).contains(number))
                .ok_or("must be a whole number from 1 to 1000000".to_owned())
        })
    };
    Limits { in_flight: limit("limits.in_flight"), rate: limit("limits.rate") }
}

fn roles(read: &mut Reader<'_>) -> Vec<Role> {
    let words = read.list("worker.roles", |text| match text {
        "all" => Ok(Role::ALL.to_vec()),
        text => match Role::ALL.iter().find(|role| role.as_str() == text) {
            Some(role) => Ok(vec![*role]),
            None => {
                Err(format!("{text:?} is no role; there are all, fanout, delivery and janitor"))
            }
        },
    });
    let named: Vec<Role> = words.into_iter().flatten().collect();
    let chosen: Vec<Role> = Role::ALL.into_iter().filter(|role| named.contains(role)).collect();
    if chosen.is_empty() { Role::ALL.to_vec() } else { chosen }
}

fn egress(read: &mut Reader<'_>, dev: bool) -> Egress {
    let mut allow = read.networks("egress.allow_cidrs");
    if dev {
        allow.extend(AddressPolicy::with_loopback().allow);
    }
    let deny: Vec<IpNet> = read.networks("egress.deny_cidrs");
    for network in &deny {
        if allow.contains(network) {
            read.refuse("egress.deny_cidrs", format!("{network} is also in egress.allow_cidrs"));
        }
    }
    Egress {
        allow_http: read.switch("egress.allow_http") || dev,
        addresses: AddressPolicy {
            allow,
            deny,
            allow_ports: read.ports("egress.allow_ports"),
            ports: read.ports("egress.ports"),
            ..AddressPolicy::default()
        },
        dns_servers: read.servers("egress.dns_servers"),
        proxy: proxy(read),
        ca_file: read.file("egress.ca_file"),
    }
}

fn proxy(read: &mut Reader<'_>) -> Option<EgressProxy> {
    let proxy = read
        .parsed("egress.proxy", |text| EgressProxy::parse(text).map_err(|error| error.to_string()));
    let resolves = read.switch("egress.proxy_resolves");
    if resolves && proxy.is_none() && read.is_sound("egress.proxy") {
        read.refuse("egress.proxy_resolves", "needs egress.proxy, which is not set");
    }
    proxy.map(|proxy| proxy.resolving(resolves))
}

fn retention(read: &mut Reader<'_>) -> Retention {
    let retention = Retention {
        events: read.span("retention.events", DAY..=3650 * DAY),
        deliveries: read.span("retention.deliveries", DAY..=3650 * DAY),
        ledger: read.span("retention.ledger", DAY..=3650 * DAY),
    };
    if read.is_sound("retention.ledger")
        && read.is_sound("retention.events")
        && retention.ledger < retention.events
    {
        let (ledger, events) = (span_text(retention.ledger), span_text(retention.events));
        read.refuse("retention.ledger", format!("must be at least retention.events = {events}, and is {ledger}: an event that still exists could be published twice"));
    }
    retention
}

fn listen(read: &mut Reader<'_>, key: &'static str, example: &str) -> Option<SocketAddr> {
    let listen = read.parsed(key, |text| match text {
        "off" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| format!("must be an address and a port such as {example}, or off")),
    });
    listen.flatten()
}

fn master_keys(read: &mut Reader<'_>) -> Vec<Hidden> {
    let keys: Vec<Hidden> = read.list("master_key", |text| Ok(Hidden::new(text)));
    let texts: Vec<&str> = keys.iter().map(Hidden::expose).collect();
    if !texts.is_empty()
        && let Err(error) = KeyRing::from_master_keys(&texts)
    {
        read.refuse("master_key", format!("{error}; \"openssl rand -base64 32\" makes one"));
    }
    keys
}

fn log_format(read: &mut Reader<'_>) -> LogFormat {
    let format = read.parsed("log_format", |text| match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be auto, text or json".to_owned()),
    });
    format.unwrap_or(LogFormat::Auto)
}

fn default_data_dir(sources: &Sources) -> PathBuf {
    let variable = |name: &str| {
        let value = sources.environment.iter().find(|(other, _)| other == name);
        value.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute())
    };
    if sources.root {
        return PathBuf::from("/var/lib/postrider");
    }
    match (variable("XDG_DATA_HOME"), variable("HOME")) {
        (Some(data), _) => data.join("postrider"),
        (None, Some(home)) => home.join(".local/share/postrider"),
        (None, None) => sources.directory.join("postrider-data"),
    }
}

fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "postrider".to_owned() } else { name }
}
