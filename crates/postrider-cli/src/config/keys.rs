//! Every key: its name, its default, its unit and what it is for. The variable of `worker.lease` is `POSTRIDER_WORKER_LEASE`.

/// One key of the configuration.
#[derive(Debug)]
pub(crate) struct Key {
    /// The name in a file: table and key, with a dot between.
    pub name: &'static str,
    /// The default as it would be written; empty means "none".
    pub default: &'static str,
    /// What it is for, with the unit of its value.
    pub help: &'static str,
    /// Whether it is a secret: shown masked, and readable from a file by the key with `_file` behind it.
    pub secret: bool,
}

impl Key {
    /// The environment variable of this key.
    pub(crate) fn variable(&self) -> String {
        format!("POSTRIDER_{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// The key of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }
}

const fn key(name: &'static str, default: &'static str, help: &'static str) -> Key {
    Key { name, default, help, secret: false }
}

const fn secret(name: &'static str, help: &'static str) -> Key {
    Key { name, default: "", help, secret: true }
}

/// All keys, in the order in which they are shown.
pub(crate) const KEYS: &[Key] = &[
    secret("database.url", "postgres:// URL of the database; none: an embedded server in data_dir"),
    secret(
        "database.direct_url",
        "URL that reaches the server itself, where database.url goes through a pooler; for LISTEN, session locks and migrations",
    ),
    key(
        "database.pooler",
        "auto",
        "whether database.url goes through a transaction pooler: true, false, or auto (true if direct_url is set)",
    ),
    key(
        "database.pool_size",
        "10",
        "connections of one process, 2 to 200, besides one for LISTEN and one while the janitor keeps house",
    ),
    key(
        "database.ca_file",
        "",
        "PEM file of the certificates to trust for the database, instead of the system's",
    ),
    key(
        "worker.roles",
        "all",
        "what this process does: all, or a list of fanout, delivery, janitor",
    ),
    key("worker.name", "", "name shown in status; none: the host's name"),
    key("worker.in_flight", "512", "first attempts in flight in this process, 1 to 65536"),
    key(
        "worker.retry_in_flight",
        "128",
        "retries in flight in this process, besides those; not more than worker.in_flight",
    ),
    key(
        "worker.endpoint_in_flight",
        "10",
        "requests in flight to one endpoint that sets no number of its own, 1 to 1000",
    ),
    key(
        "worker.lease",
        "60s",
        "how long a claimed delivery belongs to its worker, 12s to 1h; more than attempt_timeout + 10s",
    ),
    key(
        "worker.lane",
        "256",
        "deliveries that may wait in memory for one endpoint, 1 to 65536; for a fast one more, up to a second's work",
    ),
    key(
        "worker.lane_bytes",
        "64MiB",
        "bytes of envelopes waiting in memory for all endpoints, 1MiB to 16GiB",
    ),
    key("worker.attempt_timeout", "15s", "time for one whole attempt, 100ms to 30s"),
    key("worker.connect_timeout", "5s", "time to connect within an attempt, 10ms to 30s"),
    key("worker.grace", "30s", "time to finish what is in flight when stopping, 0s to 10m"),
    key("worker.fallback_poll", "1s", "how often to look for work without being told, 100ms to 1h"),
    key(
        "health.open_after",
        "10",
        "failures in a row after which an endpoint is left alone, 1 to 1000",
    ),
    key(
        "health.probe_after",
        "30s",
        "time to the first probe of such an endpoint, doubling to 15m, 100ms to 15m",
    ),
    key(
        "health.disable_after",
        "5d",
        "an endpoint that fails for so long without a success is disabled, up to 365d; 0s: never",
    ),
    key(
        "health.retry_after_ceiling",
        "24h",
        "the longest wait that a receiver can ask for by Retry-After, 1s to 24h",
    ),
    key(
        "limits.in_flight",
        "",
        "requests in flight in the whole installation, retries among them, divided among its workers, 1 to 1000000; none: no limit",
    ),
    key(
        "limits.rate",
        "",
        "requests a second from the whole installation, divided among its workers, 1 to 1000000; none: no limit",
    ),
    key("egress.allow_http", "false", "whether endpoints may have http:// URLs"),
    key(
        "egress.allow_cidrs",
        "",
        "networks that may be reached although they are not the public internet, such as 10.1.0.0/16",
    ),
    key("egress.deny_cidrs", "", "networks that may not be reached, besides those never allowed"),
    key(
        "egress.ports",
        "",
        "the only ports requests go to, such as 443,8443; none: all that browsers use",
    ),
    key(
        "egress.allow_ports",
        "",
        "the only ports in egress.allow_cidrs; none: those permitted elsewhere",
    ),
    secret(
        "egress.proxy",
        "proxy for all requests, as http://user:password@host:port (CONNECT) or socks5://…; only it is dialled; none: no proxy, whatever the environment says",
    ),
    key(
        "egress.proxy_resolves",
        "false",
        "whether the proxy looks names up; then it alone can refuse what they lead to, and here only addresses in URLs are judged",
    ),
    key(
        "egress.dns_servers",
        "",
        "name servers to ask, as 192.0.2.53 or 192.0.2.53:53; none: the system's",
    ),
    key(
        "egress.ca_file",
        "",
        "PEM file of authorities to trust for endpoints, besides the usual ones",
    ),
    key("retention.events", "30d", "how long events are kept, 1d to 3650d"),
    key(
        "retention.deliveries",
        "90d",
        "how long closed deliveries and their attempts are kept, 1d to 3650d; deliveries at least a day longer than events",
    ),
    key(
        "retention.ledger",
        "90d",
        "how long an event id stays known, so that it cannot be published twice; at least retention.events",
    ),
    key("admin.listen", "127.0.0.1:9090", "address of /healthz, /readyz and /metrics; off: none"),
    key("api.listen", "off", "address of the REST API, such as 127.0.0.1:8080; off: none"),
    key("api.rate_limit", "500", "requests a second that each API key may make, 1 to 1000000"),
    key(
        "data_dir",
        "",
        "folder of the embedded database; none: $XDG_DATA_HOME/postrider, ~/.local/share/postrider, or /var/lib/postrider for root",
    ),
    key(
        "pg_bin_dir",
        "",
        "folder of the PostgreSQL server binaries for the embedded database; none: they are looked for",
    ),
    secret(
        "master_key",
        "keys that seal endpoint secrets in the database: 32 bytes in base64 or hex, several separated by commas, the sealing one first",
    ),
    key(
        "log",
        "",
        "what is logged, as in info or warn,postrider_delivery=debug; none: info for run, else warn",
    ),
    key("log_format", "auto", "text, json, or auto: text on a terminal, else json"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_name_of_its_own_and_an_explanation() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..index].iter().all(|other| other.name != key.name), "{}", key.name);
            assert!(
                KEYS.iter()
                    .all(|other| other.name == key.name || other.variable() != key.variable())
            );
            assert!(key.help.len() > 10, "{}", key.name);
        }
        assert_eq!(
            Key::named("worker.lease").map(Key::variable).as_deref(),
            Some("POSTRIDER_WORKER_LEASE")
        );
    }
}
