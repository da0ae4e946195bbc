//! Forbidden addresses see no packet, however they are written.

use std::net::{Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use postrider_core::address::AddressPolicy;
use postrider_core::status::ErrorClass;
use postrider_destinations::{Client, ClientConfig};

use crate::support::sink::{Conversation, Sink};
use crate::support::{loopback, post};

async fn silent(conversation: Conversation) {
    drop(conversation);
}

#[tokio::test]
async fn a_literal_address_is_judged_like_a_resolved_one() {
    let v4 = Sink::start(silent).await;
    let v6 = Sink::start_at(Ipv6Addr::LOCALHOST.into(), 0, silent).await;
    let client = Client::new(ClientConfig::default()).unwrap();
    let port = v4.address.port();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://127.8.8.8:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::127.0.0.1]:{port}/"),
        format!("http://[::]:{port}/"),
        format!("https://[64:ff9b::7f00:1]:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://[::1]:{}/", v6.address.port()),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.7/".to_owned(),
        "https://[fe80::1]/".to_owned(),
    ] {
        let answer = post(&client, &url).await;
        assert_eq!(
            (answer.status, answer.error),
            (None, Some(ErrorClass::BlockedAddress)),
            "{url}"
        );
        assert_eq!(answer.peer, None, "{url}: the address is nobody's business");
        assert!(answer.detail.is_some(), "{url}: the rule is recorded");
    }
    assert_eq!(v4.connections() + v6.connections(), 0);
}

#[tokio::test]
async fn a_url_that_means_two_things_is_never_requested() {
    let sink = Sink::start(silent).await;
    let client = Client::new(loopback()).unwrap();
    for url in [
        "http://127.0.0.1:65536/".to_owned(),
        "http://127.0.0.1:/".to_owned(),
        format!("http://user:word@{}/", sink.address),
        format!("http://[127.0.0.1]:{}/", sink.address.port()),
    ] {
        assert_eq!(post(&client, &url).await.error, Some(ErrorClass::InvalidUrl), "{url}");
    }
    assert_eq!(sink.connections(), 0);
}

#[tokio::test]
async fn the_daemon_never_calls_itself() {
    let sink = Sink::start(silent).await;
    for listener in [sink.address, SocketAddr::from(([0, 0, 0, 0], sink.address.port()))] {
        let client =
            Client::new(ClientConfig { own_listeners: vec![listener], ..loopback() }).unwrap();
        let answer = post(&client, &sink.url()).await;
        assert_eq!(answer.error, Some(ErrorClass::BlockedAddress), "{listener}");
        assert_eq!(answer.detail, Some("own_listener"));
    }
    assert_eq!(sink.connections(), 0);
}

#[tokio::test]
async fn a_permitted_network_is_permitted_for_its_ports_alone() {
    let (open, closed) = (Sink::start(silent).await, Sink::start(silent).await);
    let addresses = AddressPolicy {
        allow: vec!["127.0.0.1/32".parse::<IpNet>().unwrap()],
        allow_ports: vec![open.address.port()],
        ..AddressPolicy::default()
    };
    let client = Client::new(ClientConfig { addresses, ..ClientConfig::default() }).unwrap();
    assert_eq!(post(&client, &open.url()).await.error, Some(ErrorClass::Reset));
    assert_eq!(post(&client, &closed.url()).await.error, Some(ErrorClass::BlockedAddress));
    assert_eq!((open.connections(), closed.connections()), (1, 0));
}
