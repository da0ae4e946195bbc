//! Turns a receiver's name into addresses, within a time limit of its own.
//!
//! Reads the name servers that are configured, or whatever the system uses. Judges nothing: [`crate::connector`] looks at
//! every address that comes out of here before it opens a connection to any.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ProtocolConfig, ResolveHosts,
    ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, ResolverBuilder, TokioResolver};
use postrider_core::status::ErrorClass;
use tokio::sync::Semaphore;

use crate::classify::ConnectFailure;

/// One lookup may take this long, whatever is left of the attempt's deadline.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

/// How long one query waits before it is sent again, so that one lost packet does not cost the whole limit.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// A name with more addresses than this is a mistake or an attack, and is treated like one that does not exist.
const MAX_ADDRESSES: usize = 64;

/// Lookups by `getaddrinfo` at a time. It blocks a thread and cannot be cancelled, so its threads are counted.
const BLOCKING_LOOKUPS: usize = 16;

/// Where names are looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Dns {
    /// As the system was configured at start: the hosts file, then the name servers and search list of `resolv.conf`.
    #[default]
    System,
    /// These name servers, over UDP and TCP, with neither hosts file nor search list.
    Servers(Vec<SocketAddr>),
}

/// Looks names up as configured. Holds the cache, so there is one for the whole process.
pub(crate) struct Resolver {
    hosts: Hosts,
    source: Source,
}

enum Source {
    Hickory(Box<TokioResolver>),
    /// `getaddrinfo`, where the system's configuration is in no form that we can read.
    Libc(Arc<Semaphore>),
}

impl Resolver {
    pub(crate) fn new(dns: &Dns) -> Self {
        match dns {
            Dns::Servers(servers) => {
                Resolver { hosts: Hosts::default(), source: hickory(builder_for(servers)) }
            }
            Dns::System => Resolver {
                hosts: Hosts::from_system().unwrap_or_default(),
                source: match TokioResolver::builder_tokio() {
                    Ok(builder) => hickory(builder),
                    Err(error) => {
                        tracing::warn!(%error, "cannot read the system's DNS configuration; using getaddrinfo");
                        Source::Libc(Arc::new(Semaphore::new(BLOCKING_LOOKUPS)))
                    }
                },
            },
        }
    }

    /// The addresses of `name`, at least one. Fails as `dns` or, without an answer in time, as `dns_timeout`.
    pub(crate) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ConnectFailure> {
        if let Some(addresses) = self.known_here(name) {
            return Ok(addresses);
        }
        let lookup = async {
            match &self.source {
                Source::Hickory(resolver) => ask(resolver, name).await,
                Source::Libc(slots) => ask_libc(slots, name).await,
            }
        };
        let addresses = match tokio::time::timeout(LOOKUP_LIMIT, lookup).await {
            Ok(found) => found?,
            Err(_) => return Err(ConnectFailure::of(ErrorClass::DnsTimeout)),
        };
        if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
            return Err(ConnectFailure::of(ErrorClass::Dns));
        }
        Ok(addresses)
    }

    /// What the hosts file says, as it was at start, and `localhost`, which no name server is asked for (RFC 6761).
    fn known_here(&self, name: &str) -> Option<Vec<IpAddr>> {
        let mut addresses = Vec::new();
        if let Ok(name) = Name::from_ascii(name) {
            for record_type in [RecordType::A, RecordType::AAAA] {
                let query = Query::query(name.to_lowercase(), record_type);
                if let Some(found) = self.hosts.lookup_static_host(&query) {
                    addresses
                        .extend(found.answers().iter().filter_map(|record| record.data.ip_addr()));
                }
            }
        }
        let bare = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if addresses.is_empty() && (bare == "localhost" || bare.ends_with(".localhost")) {
            addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        }
        (!addresses.is_empty()).then_some(addresses)
    }
}

fn builder_for(servers: &[SocketAddr]) -> ResolverBuilder<TokioRuntimeProvider> {
    let servers = servers
        .iter()
        .map(|server| {
            let connections = [ProtocolConfig::Udp, ProtocolConfig::Tcp].map(|protocol| {
                let mut connection = ConnectionConfig::new(protocol);
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.into())
        })
        .collect();
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

fn hickory(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Source {
    let options = builder.options_mut();
    // Both families are asked, because one bad address of either condemns the name.
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never; // `known_here` did
    options.timeout = options.timeout.min(QUERY_TIMEOUT);
    options.attempts = options.attempts.min(1);
    match builder.build() {
        Ok(resolver) => Source::Hickory(Box::new(resolver)),
        Err(error) => {
            tracing::warn!(%error, "cannot set up the resolver; using getaddrinfo");
            Source::Libc(Arc::new(Semaphore::new(BLOCKING_LOOKUPS)))
        }
    }
}

async fn ask(resolver: &TokioResolver, name: &str) -> Result<Vec<IpAddr>, ConnectFailure> {
    match resolver.lookup_ip(name).await {
        Ok(found) => Ok(found.iter().take(MAX_ADDRESSES + 1).collect()),
        Err(NetError::Timeout) => Err(ConnectFailure::of(ErrorClass::DnsTimeout)),
        Err(_) => Err(ConnectFailure::of(ErrorClass::Dns)),
    }
}

async fn ask_libc(slots: &Arc<Semaphore>, name: &str) -> Result<Vec<IpAddr>, ConnectFailure> {
    let failed = ConnectFailure::of(ErrorClass::Dns);
    let slot = Arc::clone(slots).acquire_owned().await.map_err(|_| failed)?;
    let name = name.to_owned();
    let lookup = tokio::task::spawn_blocking(move || {
        let _slot = slot; // given back when the thread is free again, not when the caller stops waiting
        let found = (name.as_str(), 0).to_socket_addrs()?;
        Ok::<_, io::Error>(found.map(|address| address.ip()).take(MAX_ADDRESSES + 1).collect())
    });
    lookup.await.map_err(|_| failed)?.map_err(|_| failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_servers(hosts_file: &str) -> Resolver {
        let mut hosts = Hosts::default();
        hosts.read_hosts_conf(hosts_file.as_bytes()).unwrap();
        Resolver { hosts, source: Source::Libc(Arc::new(Semaphore::new(1))) }
    }

    fn known(resolver: &Resolver, name: &str) -> Vec<String> {
        resolver.known_here(name).unwrap_or_default().iter().map(IpAddr::to_string).collect()
    }

    #[test]
    fn the_hosts_file_speaks_first_and_localhost_is_always_known() {
        let plain = without_servers("");
        let file = without_servers(
            "192.0.2.1 Receiver.test r\n2001:db8::1 receiver.test\n127.0.0.1 localhost",
        );
        for (resolver, name, expected) in [
            (&plain, "localhost", &["127.0.0.1", "::1"][..]),
            (&plain, "a.LOCALHOST.", &["127.0.0.1", "::1"]),
            (&plain, "notlocalhost", &[]),
            (&file, "localhost", &["127.0.0.1"]),
            (&file, "RECEIVER.test.", &["192.0.2.1", "2001:db8::1"]),
            (&file, "r", &["192.0.2.1"]),
            (&file, "other.test", &[]),
        ] {
            assert_eq!(known(resolver, name), expected, "{name}");
        }
    }

    /// What only looks like a name becomes an address here, and the connector judges it like any other.
    #[tokio::test]
    async fn getaddrinfo_steps_in_with_all_its_leniency() {
        let resolver = without_servers("");
        let loopback = IpAddr::from([127, 0, 0, 1]);
        for name in ["127.1", "2130706433", "0x7f.1"] {
            assert!(resolver.resolve(name).await.unwrap().contains(&loopback), "{name}");
        }
        assert_eq!(resolver.resolve("no..such").await, Err(ConnectFailure::of(ErrorClass::Dns)));
    }
}
