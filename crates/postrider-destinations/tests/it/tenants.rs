//! Tenants' own rules: what is opened to one stays closed to the next, also on a connection that is open already.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use postrider_core::address::TenantRules;
use postrider_core::answer::Answer;
use postrider_core::status::ErrorClass;
use postrider_destinations::{Client, ClientConfig, OutgoingRequest};

use crate::support::sink::Sink;
use crate::support::{ATTEMPT, loopback, request};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

async fn post_under(client: &Client, url: &str, rules: &Arc<TenantRules>) -> Answer {
    let request = OutgoingRequest { rules: Some(Arc::clone(rules)), ..request(url, "{}") };
    client.send(request, ATTEMPT).await
}

fn here() -> Vec<IpNet> {
    vec![IpNet::from(IpAddr::from([127, 0, 0, 1]))]
}

#[tokio::test]
async fn what_is_opened_to_one_tenant_is_closed_to_the_others() {
    let sink = Sink::answering(OK).await;
    let client = Client::new(ClientConfig::default()).unwrap();
    let allowed = Arc::new(TenantRules { allow: here(), ..TenantRules::default() });
    let others = Arc::new(TenantRules { ports: vec![8443], ..TenantRules::default() });
    for _ in 0..2 {
        assert_eq!(post_under(&client, &sink.url(), &allowed).await.status, Some(200));
        // The connection that the first tenant's rules let in is open now, and idle.
        let answer = client.send(request(&sink.url(), "{}"), ATTEMPT).await;
        let blocked = Some(ErrorClass::BlockedAddress);
        assert_eq!((answer.error, answer.detail), (blocked, Some("loopback")));
        let answer = post_under(&client, &sink.url(), &others).await;
        assert_eq!((answer.error, answer.detail), (blocked, Some("port")));
    }
    assert_eq!(sink.connections(), 1, "the first tenant's own connection is used again");
}

#[tokio::test]
async fn what_is_closed_to_one_tenant_is_open_to_the_others() {
    let sink = Sink::answering(OK).await;
    let client = Client::new(loopback()).unwrap();
    let denied = Arc::new(TenantRules { deny: here(), ..TenantRules::default() });
    assert_eq!(client.send(request(&sink.url(), "{}"), ATTEMPT).await.status, Some(200));
    let answer = post_under(&client, &sink.url(), &denied).await;
    assert_eq!(answer.error, Some(ErrorClass::BlockedAddress));
    assert_eq!(answer.detail, Some("tenant_deny_cidrs"));
    assert_eq!(sink.connections(), 1);
}
