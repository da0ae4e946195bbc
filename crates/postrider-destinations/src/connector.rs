//! Opens connections to receivers, and only to addresses that were judged.
//!
//! Reads the URI's host; resolves it, or takes the literal as it stands (which is where a guard inside a resolver is
//! bypassed); judges every address; dials the very addresses that were judged, or names them to the egress proxy, which is
//! then all that is dialled; then verifies the certificate. hyper's connection pool is the only caller. No proxy is ever
//! taken from the environment.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use postrider_core::address::{AddressPolicy, Blocked};
use postrider_core::status::ErrorClass;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use crate::classify::{ConnectFailure, class_of_dial, class_of_handshake};
use crate::dns::Resolver;
use crate::origin::{Origin, OriginHost};
use crate::proxy::{EgressProxy, Goal};
use crate::stream::Stream;

/// Of a name's addresses, so many are tried.
const MAX_TRIED: usize = 4;

/// A peer that vanished without a word is noticed after half a minute, also on a connection that only waits.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;

/// Opens judged connections. Cheap to clone: hyper does so for each.
#[derive(Clone)]
pub(crate) struct Connector {
    ways: Arc<Ways>,
    // The installation's policy, or that of one tenant: each has a pool of its own, so that no tenant's request ever goes out
    // on a connection that another's rules let in.
    addresses: Arc<AddressPolicy>,
    // The usual, or an endpoint's own.
    tls: TlsConnector,
}

/// How connections are made, whoever asks.
pub(crate) struct Ways {
    pub(crate) own_listeners: Vec<SocketAddr>,
    pub(crate) connect_timeout: Duration,
    pub(crate) resolver: Resolver,
    pub(crate) proxy: Option<EgressProxy>,
}

/// An open connection, and where it ends: through a proxy that looks names up itself nobody here knows.
struct Dialled {
    tcp: TcpStream,
    peer: Option<IpAddr>,
}

impl Connector {
    pub(crate) fn new(ways: Arc<Ways>, addresses: AddressPolicy, tls: TlsConnector) -> Self {
        Connector { ways, addresses: Arc::new(addresses), tls }
    }

    /// The same for another policy.
    pub(crate) fn with_policy(&self, addresses: AddressPolicy) -> Self {
        Connector { addresses: Arc::new(addresses), ..self.clone() }
    }

    /// The same with another certificate to show, or other authorities to believe.
    pub(crate) fn with_tls(&self, tls: TlsConnector) -> Self {
        Connector { tls, ..self.clone() }
    }

    pub(crate) fn policy(&self) -> &AddressPolicy {
        &self.addresses
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ConnectFailure;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, ConnectFailure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&uri).await.map(TokioIo::new) })
    }
}

impl Connector {
    async fn connect(&self, uri: &Uri) -> Result<Stream, ConnectFailure> {
        let origin = Origin::of(uri).ok_or(ConnectFailure::of(ErrorClass::InvalidUrl))?;
        let Dialled { tcp, peer } = match (&self.ways.proxy, origin.host) {
            (Some(proxy), OriginHost::Name(name)) if proxy.resolves() => {
                self.addresses.judge_port(origin.port).map_err(refused)?;
                let name = name.strip_suffix('.').unwrap_or(name);
                let tcp = self.through(proxy, Goal::Name(name), origin.port).await?;
                Dialled { tcp, peer: None }
            }
            (proxy, host) => {
                let addresses = match host {
                    OriginHost::Address(address) => vec![address],
                    OriginHost::Name(name) => self.ways.resolver.resolve(name).await?,
                };
                self.judge(&addresses, origin.port)?;
                self.dial(proxy.as_ref(), &in_turns(&addresses), origin.port).await?
            }
        };
        if !origin.secure {
            return Ok(Stream::plain(tcp, peer));
        }
        let name = match origin.host {
            OriginHost::Address(address) => ServerName::IpAddress(address.into()),
            OriginHost::Name(name) => ServerName::try_from(name.strip_suffix('.').unwrap_or(name))
                .map_err(|_| ConnectFailure::of(ErrorClass::InvalidUrl))?
                .to_owned(),
        };
        // Bounded here too: hyper may finish a connection that nobody waits for any more.
        let handshake = timeout(self.ways.connect_timeout, self.tls.connect(name, tcp));
        match handshake.await {
            Ok(Ok(tls)) => Ok(Stream::tls(tls, peer)),
            Ok(Err(error)) => Err(ConnectFailure::of(class_of_handshake(&error))),
            Err(_) => Err(ConnectFailure::of(ErrorClass::Timeout)),
        }
    }

    /// One forbidden address condemns the whole set: otherwise it would be tried when the others do not answer.
    fn judge(&self, addresses: &[IpAddr], port: u16) -> Result<(), ConnectFailure> {
        for address in addresses {
            if let Err(reason) = self.addresses.judge(*address, port) {
                tracing::debug!(%address, port, %reason, "refused to connect");
                return Err(refused(reason));
            }
            let address = address.to_canonical();
            let ours = |listener: &SocketAddr| {
                listener.port() == port
                    && (listener.ip() == address
                        || listener.ip().is_unspecified() && address.is_loopback())
            };
            if self.ways.own_listeners.iter().any(ours) {
                tracing::debug!(%address, port, "refused to connect to ourselves");
                return Err(ConnectFailure::blocked(OWN_LISTENER));
            }
        }
        Ok(())
    }

    /// Tries one judged address after the other. Each gets its share of the time that is left, the last one all of it.
    async fn dial(
        &self,
        proxy: Option<&EgressProxy>,
        addresses: &[IpAddr],
        port: u16,
    ) -> Result<Dialled, ConnectFailure> {
        let deadline = Instant::now() + self.ways.connect_timeout;
        let mut failure = ConnectFailure::of(ErrorClass::Connect);
        for (tried, address) in addresses.iter().enumerate() {
            let until = share(deadline, addresses.len() - tried);
            let dialling = async {
                match proxy {
                    None => self.direct(*address, port).await,
                    Some(proxy) => self.through(proxy, Goal::Address(*address), port).await,
                }
            };
            match timeout_at(until, dialling).await {
                Ok(Ok(tcp)) => return Ok(Dialled { tcp, peer: Some(*address) }),
                Ok(Err(
                    error @ ConnectFailure {
                        class: ErrorClass::Connect | ErrorClass::Reset, ..
                    },
                )) => {
                    failure = error;
                }
                // A proxy that fails for one address fails for all.
                Ok(Err(error)) => return Err(error),
                Err(_) if proxy.is_some() => failure = ConnectFailure::of(ErrorClass::Proxy),
                Err(_) => failure = ConnectFailure::of(ErrorClass::Connect),
            }
        }
        Err(failure)
    }

    async fn direct(&self, address: IpAddr, port: u16) -> Result<TcpStream, ConnectFailure> {
        let tcp = TcpStream::connect((address, port)).await.map_err(undialled)?;
        self.accept(&tcp, address, port)?;
        prepare(&tcp)?;
        Ok(tcp)
    }

    /// Dials the proxy and nothing else, and has it connect to the goal.
    async fn through(
        &self,
        proxy: &EgressProxy,
        goal: Goal<'_>,
        port: u16,
    ) -> Result<TcpStream, ConnectFailure> {
        let failed = ConnectFailure::of(ErrorClass::Proxy);
        let tunnel = async {
            let addresses = match proxy.host().parse::<IpAddr>() {
                Ok(address) => vec![address],
                Err(_) => self.ways.resolver.resolve(proxy.host()).await.map_err(|_| failed)?,
            };
            for address in in_turns(&addresses) {
                if let Ok(tcp) = TcpStream::connect((address, proxy.port())).await {
                    prepare(&tcp)?;
                    return proxy.tunnel(tcp, goal, port).await;
                }
            }
            Err(failed)
        };
        timeout(self.ways.connect_timeout, tunnel).await.unwrap_or(Err(failed))
    }

    /// The last look, before a byte is sent: the other end is the address that was judged, and it is not us.
    fn accept(&self, tcp: &TcpStream, judged: IpAddr, port: u16) -> Result<(), ConnectFailure> {
        let peer = tcp.peer_addr().map_err(lost)?.ip();
        let here = tcp.local_addr().map_err(lost)?.ip();
        let own_port = self.ways.own_listeners.iter().any(|listener| listener.port() == port);
        if peer != judged {
            return Err(ConnectFailure::blocked(OTHER_PEER));
        }
        if peer == here && own_port && !peer.is_loopback() {
            return Err(ConnectFailure::blocked(OWN_LISTENER));
        }
        Ok(())
    }
}

/// The rule that keeps the daemon from calling itself, as it is recorded.
const OWN_LISTENER: &str = "own_listener";

/// The system connected us to another address than the one that was judged, as it does for `0.0.0.0`.
const OTHER_PEER: &str = "other_peer";

fn refused(reason: Blocked) -> ConnectFailure {
    ConnectFailure::blocked(reason.rule())
}

fn undialled(error: io::Error) -> ConnectFailure {
    ConnectFailure::of(class_of_dial(&error))
}

/// The connection stood and is gone again.
fn lost(_: io::Error) -> ConnectFailure {
    ConnectFailure::of(ErrorClass::Reset)
}

/// Until when one of so many addresses may be tried.
fn share(deadline: Instant, shares: usize) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    Instant::now() + left / u32::try_from(shares).unwrap_or(u32::MAX)
}

fn prepare(tcp: &TcpStream) -> Result<(), ConnectFailure> {
    tcp.set_nodelay(true).map_err(lost)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_PROBES);
    SockRef::from(tcp).set_tcp_keepalive(&keepalive).map_err(lost)
}

/// The addresses to try: both families in turns, so that a broken route of one does not use up all tries.
fn in_turns(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) =
        addresses.iter().map(IpAddr::to_canonical).partition(IpAddr::is_ipv4);
    let longest = v4.len().max(v6.len());
    let turns = (0..longest).flat_map(|turn| [v4.get(turn), v6.get(turn)]);
    turns.flatten().copied().take(MAX_TRIED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_get_their_turn_and_only_four_are_tried() {
        let addresses = [
            "192.0.2.1",
            "192.0.2.2",
            "192.0.2.3",
            "::ffff:192.0.2.4",
            "2001:db8::1",
            "2001:db8::2",
        ];
        let addresses = addresses.map(|text| text.parse::<IpAddr>().unwrap());
        let tried: Vec<String> = in_turns(&addresses).iter().map(IpAddr::to_string).collect();
        assert_eq!(tried, ["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"]);
    }
}
