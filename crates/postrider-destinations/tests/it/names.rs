//! Names: whatever the name server says, only judged addresses are connected to.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;
use postrider_core::address::AddressPolicy;
use postrider_core::status::ErrorClass;
use postrider_destinations::{Client, ClientConfig, Dns};
use serde_json::Value;
use tokio::time::Instant;

use crate::support::cases::{Case, of_group};
use crate::support::name_server::{NameServer, Reply};
use crate::support::sink::Sink;
use crate::support::{asking, loopback, post, request};

/// Stands for a public address: the only one that the policy of these tests permits.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SERVFAIL: u8 = 2;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Two receivers on one port, one at the public address and one at the loopback.
struct Lab {
    public: Sink,
    private: Sink,
    name_server: NameServer,
    client: Client,
    url: String,
}

impl Lab {
    async fn start(replies: Vec<Reply>) -> Self {
        let private = Sink::answering(OK).await;
        let port = private.address.port();
        let public = Sink::start_at(PUBLIC.into(), port, |mut conversation| async move {
            conversation.request().await;
            conversation.say(OK).await;
        })
        .await;
        let name_server = NameServer::start(replies).await;
        let addresses = AddressPolicy {
            allow: vec![IpNet::from(IpAddr::V4(PUBLIC))],
            ..AddressPolicy::default()
        };
        let config = ClientConfig { addresses, ..asking(name_server.address) };
        let url = format!("http://h.test:{port}/hook");
        Lab { public, private, name_server, client: Client::new(config).unwrap(), url }
    }
}

#[tokio::test]
async fn every_answer_of_a_name_server_gets_its_verdict() {
    let cases = of_group("dns");
    assert_eq!(cases.len(), 8);
    futures_util::future::join_all(cases.into_iter().map(run)).await;
}

async fn run(case: Case) {
    let sequence = match case.input.get("sequence").and_then(Value::as_array) {
        Some(steps) => steps.clone(),
        None => vec![case.input.clone()],
    };
    let lab = Lab::start(sequence.iter().map(reply_of).collect()).await;
    for step in 1..=sequence.len() {
        let started = Instant::now();
        let answer = if case.input.to_string().contains("$self") {
            let own_listeners = vec![lab.private.address];
            let config = ClientConfig { own_listeners, ..asking(lab.name_server.address) };
            post(&Client::new(config).unwrap(), &lab.url).await
        } else {
            lab.client.send(request(&lab.url, "{}"), Duration::from_secs(15)).await
        };
        assert!(
            started.elapsed() < Duration::from_secs(6),
            "{} took {:?}",
            case.id,
            started.elapsed()
        );
        if step == sequence.len() {
            case.check(&answer);
        } else {
            assert_eq!(answer.status, Some(200), "{} step {step}: {answer:?}", case.id);
        }
    }
    assert_eq!(lab.private.connections(), 0, "{} {}", case.id, case.name);
    assert_eq!(lab.public.connections(), sequence.len() - 1, "{} {}", case.id, case.name);
}

fn reply_of(input: &Value) -> Reply {
    let texts = |key: &str| -> Vec<String> {
        let found = input.get(key).or_else(|| input.get("then")?.get(key));
        found.map_or(Vec::new(), |list| serde_json::from_value(list.clone()).unwrap())
    };
    let address = |text: &String| match text.as_str() {
        "203.0.113.9" => PUBLIC,
        "$self" => Ipv4Addr::LOCALHOST,
        text => text.parse().unwrap(),
    };
    let count = input.get("A_count").and_then(Value::as_u64).unwrap_or(0);
    let many = (0..count).map(|_| PUBLIC);
    Reply {
        a: texts("A").iter().map(address).chain(many).collect(),
        aaaa: texts("AAAA").iter().map(|text| text.parse().unwrap()).collect(),
        cname: input.get("CNAME").and_then(Value::as_str).map(str::to_owned),
        rcode: if input.get("rcode").is_some() { SERVFAIL } else { 0 },
        silent: input.get("drop").is_some(),
    }
}

#[tokio::test]
async fn localhost_needs_no_name_server() {
    let sink = Sink::answering(OK).await;
    let url = format!("http://localhost:{}/hook", sink.address.port());
    let silent = NameServer::start(vec![Reply { silent: true, ..Reply::default() }]).await;
    for dns in [Dns::System, Dns::Servers(vec![silent.address])] {
        let client = Client::new(ClientConfig { dns, ..loopback() }).unwrap();
        assert_eq!(post(&client, &url).await.status, Some(200));
    }
    let answer = post(&Client::new(ClientConfig::default()).unwrap(), &url).await;
    assert_eq!(answer.error, Some(ErrorClass::BlockedAddress));
    assert_eq!(sink.connections(), 2);
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let sink = Sink::answering(OK).await;
    let nobody = Ipv4Addr::new(127, 0, 0, 77);
    let reply = Reply { a: vec![nobody, nobody, Ipv4Addr::LOCALHOST], ..Reply::default() };
    let name_server = NameServer::start(vec![reply]).await;
    let client = Client::new(asking(name_server.address)).unwrap();
    let answer = post(&client, &format!("http://h.test:{}/hook", sink.address.port())).await;
    assert_eq!((answer.status, answer.peer), (Some(200), Some(sink.address.ip())));
}

#[tokio::test]
async fn of_many_addresses_only_four_are_tried() {
    let sink = Sink::answering(OK).await;
    let mut a: Vec<Ipv4Addr> = (1..=4).map(|n| Ipv4Addr::new(127, 0, 77, n)).collect();
    a.push(Ipv4Addr::LOCALHOST);
    let name_server = NameServer::start(vec![Reply { a, ..Reply::default() }]).await;
    let client = Client::new(asking(name_server.address)).unwrap();
    let answer = post(&client, &format!("http://h.test:{}/hook", sink.address.port())).await;
    assert_eq!(answer.error, Some(ErrorClass::Connect));
    assert_eq!(sink.connections(), 0);
}

#[tokio::test]
async fn an_answer_too_long_for_a_datagram_is_fetched_over_tcp() {
    let sink = Sink::answering(OK).await;
    let a = (0..60).map(|_| Ipv4Addr::LOCALHOST).collect();
    let name_server = NameServer::start(vec![Reply { a, ..Reply::default() }]).await;
    let client = Client::new(asking(name_server.address)).unwrap();
    let answer = post(&client, &format!("http://h.test:{}/hook", sink.address.port())).await;
    assert_eq!(answer.status, Some(200), "{answer:?}");
}

#[tokio::test]
async fn a_name_without_an_address_is_a_dns_failure() {
    const NXDOMAIN: u8 = 3;
    for rcode in [0, NXDOMAIN] {
        let name_server = NameServer::start(vec![Reply { rcode, ..Reply::default() }]).await;
        let answer =
            post(&Client::new(asking(name_server.address)).unwrap(), "http://h.test/").await;
        assert_eq!(answer.error, Some(ErrorClass::Dns), "rcode {rcode}");
    }
}
