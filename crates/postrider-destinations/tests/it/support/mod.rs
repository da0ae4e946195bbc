//! What all tests here share: a client that may reach the loopback, and one way to send.

pub(crate) mod authority;
pub(crate) mod cases;
pub(crate) mod name_server;
pub(crate) mod sink;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use postrider_core::address::AddressPolicy;
use postrider_core::answer::Answer;
use postrider_destinations::{Capture, Client, ClientConfig, Dns, OutgoingRequest};

/// Long enough for anything that is going to happen, short enough to wait for in a test.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(2);

pub(crate) fn loopback() -> ClientConfig {
    ClientConfig { addresses: AddressPolicy::with_loopback(), ..ClientConfig::default() }
}

/// A client that asks one name server and may reach the loopback.
pub(crate) fn asking(name_server: SocketAddr) -> ClientConfig {
    ClientConfig { dns: Dns::Servers(vec![name_server]), ..loopback() }
}

pub(crate) fn request(url: &str, body: impl Into<Bytes>) -> OutgoingRequest {
    OutgoingRequest {
        uri: url.parse().unwrap(),
        headers: HeaderMap::new(),
        body: body.into(),
        capture: Capture::Everything,
        rules: None,
        tls: None,
    }
}

/// Sends a small body with the usual time limit.
pub(crate) async fn post(client: &Client, url: &str) -> Answer {
    client.send(request(url, "{\"body\":true}"), ATTEMPT).await
}
