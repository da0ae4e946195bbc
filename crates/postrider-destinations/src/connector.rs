//! Opens connections to receivers, and only to addresses that were judged.
//!
//! Reads the URI's host; resolves it, or takes the literal as it stands (which is where a guard inside a resolver is
//! bypassed); judges every address; dials the very addresses that were judged; then verifies the certificate. hyper's
//! connection pool is the only caller. No proxy is ever taken from the environment.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use postrider_core::address::AddressPolicy;
use postrider_core::status::ErrorClass;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::classify::{ConnectFailure, class_of_dial, class_of_handshake};
use crate::dns::Resolver;
use crate::origin::{Origin, OriginHost};
use crate::stream::Stream;

/// Of a name's addresses, so many are tried.
const MAX_TRIED: usize = 4;

/// A peer that vanished without a word is noticed after half a minute, also on a connection that only waits.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;

/// Opens judged connections. Cheap to clone: hyper does so for each.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Shared>);

struct Shared {
    addresses: AddressPolicy,
    own_listeners: Vec<SocketAddr>,
    connect_timeout: Duration,
    resolver: Resolver,
    tls: TlsConnector,
}

impl Connector {
    pub(crate) fn new(
        addresses: AddressPolicy,
        own_listeners: Vec<SocketAddr>,
        connect_timeout: Duration,
        resolver: Resolver,
        tls: Arc<rustls::ClientConfig>,
    ) -> Self {
        let tls = TlsConnector::from(tls);
        Connector(Arc::new(Shared { addresses, own_listeners, connect_timeout, resolver, tls }))
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
        let shared = Arc::clone(&self.0);
        Box::pin(async move { shared.connect(&uri).await.map(TokioIo::new) })
    }
}

impl Shared {
    async fn connect(&self, uri: &Uri) -> Result<Stream, ConnectFailure> {
        let origin = Origin::of(uri).ok_or(ConnectFailure(ErrorClass::InvalidUrl))?;
        let addresses = match origin.host {
            OriginHost::Address(address) => vec![address],
            OriginHost::Name(name) => self.resolver.resolve(name).await?,
        };
        self.judge(&addresses, origin.port)?;
        let (tcp, peer) = self.dial(&in_turns(&addresses), origin.port).await?;
        if !origin.secure {
            return Ok(Stream::plain(tcp, peer));
        }
        let name = match origin.host {
            OriginHost::Address(address) => ServerName::IpAddress(address.into()),
            OriginHost::Name(name) => ServerName::try_from(name.strip_suffix('.').unwrap_or(name))
                .map_err(|_| ConnectFailure(ErrorClass::InvalidUrl))?
                .to_owned(),
        };
        // Bounded here too: hyper may finish a connection that nobody waits for any more.
        let handshake = tokio::time::timeout(self.connect_timeout, self.tls.connect(name, tcp));
        match handshake.await {
            Ok(Ok(tls)) => Ok(Stream::tls(tls, peer)),
            Ok(Err(error)) => Err(ConnectFailure(class_of_handshake(&error))),
            Err(_) => Err(ConnectFailure(ErrorClass::Timeout)),
        }
    }

    /// One forbidden address condemns the whole set: otherwise it would be tried when the others do not answer.
    fn judge(&self, addresses: &[IpAddr], port: u16) -> Result<(), ConnectFailure> {
        for address in addresses {
            if let Err(reason) = self.addresses.judge(*address, port) {
                tracing::debug!(%address, port, %reason, "refused to connect");
                return Err(ConnectFailure(ErrorClass::BlockedAddress));
            }
            let address = address.to_canonical();
            let ours = |listener: &SocketAddr| {
                listener.port() == port
                    && (listener.ip() == address
                        || listener.ip().is_unspecified() && address.is_loopback())
            };
            if self.own_listeners.iter().any(ours) {
                tracing::debug!(%address, port, "refused to connect to ourselves");
                return Err(ConnectFailure(ErrorClass::BlockedAddress));
            }
        }
        Ok(())
    }

    /// Tries one address after the other. Each gets its share of the time that is left, the last one all of it.
    async fn dial(
        &self,
        addresses: &[IpAddr],
        port: u16,
    ) -> Result<(TcpStream, IpAddr), ConnectFailure> {
        let deadline = Instant::now() + self.connect_timeout;
        let mut failure = ConnectFailure(ErrorClass::Connect);
        for (tried, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let shares = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            let until = Instant::now() + left / shares;
            match timeout_at(until, TcpStream::connect((*address, port))).await {
                Ok(Ok(tcp)) => return self.accept(tcp, *address, port),
                Ok(Err(error)) => failure = ConnectFailure(class_of_dial(&error)),
                Err(_) => failure = ConnectFailure(ErrorClass::Connect),
            }
        }
        Err(failure)
    }

    /// The last look, before a byte is sent: the other end is the address that was judged, and it is not us.
    fn accept(
        &self,
        tcp: TcpStream,
        judged: IpAddr,
        port: u16,
    ) -> Result<(TcpStream, IpAddr), ConnectFailure> {
        let broken = |error: io::Error| ConnectFailure(class_of_dial(&error));
        let peer = tcp.peer_addr().map_err(broken)?.ip();
        let here = tcp.local_addr().map_err(broken)?.ip();
        let own_port = self.own_listeners.iter().any(|listener| listener.port() == port);
        if peer != judged || (peer == here && own_port && !peer.is_loopback()) {
            return Err(ConnectFailure(ErrorClass::BlockedAddress));
        }
        tcp.set_nodelay(true).map_err(broken)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_AFTER)
            .with_interval(KEEPALIVE_EVERY)
            .with_retries(KEEPALIVE_PROBES);
        SockRef::from(&tcp).set_tcp_keepalive(&keepalive).map_err(broken)?;
        Ok((tcp, peer))
    }
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
