//! The egress proxy: only it is dialled, what it is asked for was judged before, and nobody but the configuration names it.

use std::net::Ipv4Addr;
use std::time::Duration;

use postrider_core::address::AddressPolicy;
use postrider_core::status::ErrorClass;
use postrider_destinations::{Client, ClientConfig, EgressProxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::authority::Authority;
use crate::support::name_server::{NameServer, Reply};
use crate::support::sink::{Conversation, Sink};
use crate::support::{ATTEMPT, asking, loopback, post, request};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Serves `CONNECT`: notes down what it is asked for, and connects to the port asked for, on the loopback.
async fn http_proxy(mut conversation: Conversation) {
    let Some(head) = conversation.request().await else { return };
    let port = head.split(' ').nth(1).and_then(|target| target.rsplit(':').next()?.parse().ok());
    conversation.say(b"HTTP/1.1 200 Connection established\r\nvia: us\r\n\r\n").await;
    splice(conversation, port.unwrap()).await;
}

/// Serves SOCKS5 with the user `u` and the password `p`.
async fn socks_proxy(mut conversation: Conversation) {
    let socket = &mut conversation.socket;
    let mut greeting = [0; 3];
    socket.read_exact(&mut greeting).await.unwrap();
    assert_eq!(greeting, [5, 1, 2]);
    socket.write_all(&[5, 2]).await.unwrap();
    let mut login = [0; 5];
    socket.read_exact(&mut login).await.unwrap();
    assert_eq!(&login, b"\x01\x01u\x01p");
    socket.write_all(&[1, 0]).await.unwrap();
    let mut head = [0; 4];
    socket.read_exact(&mut head).await.unwrap();
    let goal = match head[3] {
        1 => format!("{}", Ipv4Addr::from(socket.read_u32().await.unwrap())),
        3 => {
            let mut name = vec![0; usize::from(socket.read_u8().await.unwrap())];
            socket.read_exact(&mut name).await.unwrap();
            String::from_utf8(name).unwrap()
        }
        other => panic!("address type {other}"),
    };
    let port = socket.read_u16().await.unwrap();
    socket.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await.unwrap();
    conversation.note(&format!("{goal}:{port}"));
    splice(conversation, port).await;
}

async fn splice(mut conversation: Conversation, port: u16) {
    let mut target = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut conversation.socket, &mut target).await;
}

fn through(scheme: &str, proxy: &Sink) -> Option<EgressProxy> {
    Some(EgressProxy::parse(&format!("{scheme}://u:p@{}", proxy.address)).unwrap())
}

/// A policy that permits 127.0.0.2 alone: it stands for a public address, and the proxy stands in a forbidden network.
fn public_only() -> AddressPolicy {
    AddressPolicy { allow: vec!["127.0.0.2/32".parse().unwrap()], ..AddressPolicy::default() }
}

async fn public_name() -> NameServer {
    NameServer::pointing_to([127, 0, 0, 2].into()).await
}

#[tokio::test]
async fn only_the_proxy_is_dialled_and_it_gets_the_judged_address() {
    let target = Sink::answering(OK).await;
    let name_server = public_name().await;
    let port = target.address.port();
    for (scheme, proxy) in
        [("http", Sink::start(http_proxy).await), ("socks5", Sink::start(socks_proxy).await)]
    {
        let config = ClientConfig {
            addresses: public_only(),
            proxy: through(scheme, &proxy),
            ..asking(name_server.address)
        };
        let client = Client::new(config).unwrap();
        let answer = post(&client, &format!("http://h.test:{port}/hook")).await;
        assert_eq!((answer.status, answer.error), (Some(200), None), "{scheme}");
        assert_eq!(answer.peer, Some([127, 0, 0, 2].into()), "{scheme}: the target's address");
        let asked = proxy.requests().remove(0);
        assert!(asked.contains(&format!("127.0.0.2:{port}")), "{scheme}: {asked}");
        if scheme == "http" {
            assert!(asked.contains("proxy-authorization: Basic dTpw\r\n"), "{asked}");
        }
        assert!(
            target.requests().last().unwrap().contains("host: h.test"),
            "the name is for the target"
        );
    }
}

#[tokio::test]
async fn a_forbidden_target_is_never_named_to_the_proxy() {
    let reply = |a: &[[u8; 4]]| Reply {
        a: a.iter().copied().map(Into::into).collect(),
        ..Reply::default()
    };
    let name_server =
        NameServer::start(vec![reply(&[[10, 0, 0, 7]]), reply(&[[127, 0, 0, 2], [127, 0, 0, 1]])])
            .await;
    for (scheme, resolves) in [("http", false), ("socks5", false), ("http", true), ("socks5", true)]
    {
        let proxy = Sink::start(http_proxy).await;
        let way = through(scheme, &proxy).unwrap().resolving(resolves);
        let config = ClientConfig {
            addresses: public_only(),
            proxy: Some(way),
            ..asking(name_server.address)
        };
        let client = Client::new(config).unwrap();
        let mut urls = vec![
            "http://10.0.0.7/".to_owned(),
            "http://127.0.0.1/".to_owned(),
            "https://[::ffff:10.0.0.7]/".to_owned(),
            "https://[64:ff9b::a00:7]/".to_owned(),
            "http://127.0.0.2:25/".to_owned(),
        ];
        if !resolves {
            urls.extend(["http://h.test/".to_owned(), "http://h.test/".to_owned()]);
        }
        for url in urls {
            let answer = post(&client, &url).await;
            assert_eq!(answer.error, Some(ErrorClass::BlockedAddress), "{scheme} {url}");
        }
        assert_eq!(proxy.connections(), 0, "{scheme}");
    }
}

#[tokio::test]
async fn a_proxy_that_resolves_is_given_the_name() {
    let target = Sink::answering(OK).await;
    let port = target.address.port();
    for (scheme, proxy) in
        [("http", Sink::start(http_proxy).await), ("socks5", Sink::start(socks_proxy).await)]
    {
        let way = through(scheme, &proxy).unwrap().resolving(true);
        let client =
            Client::new(ClientConfig { proxy: Some(way), ..ClientConfig::default() }).unwrap();
        let answer = post(&client, &format!("http://h.test:{port}/hook")).await;
        assert_eq!((answer.status, answer.peer), (Some(200), None), "{scheme}");
        assert!(proxy.requests()[0].contains(&format!("h.test:{port}")), "{scheme}");
    }
}

#[tokio::test]
async fn tls_goes_through_the_tunnel_and_is_verified_for_the_name() {
    let authority = Authority::new();
    let target = crate::tls::answering(authority.acceptor("h.test", &["http/1.1"])).await;
    let proxy = Sink::start(http_proxy).await;
    let name_server = NameServer::pointing_to([127, 0, 0, 1].into()).await;
    let ca_file = authority.file();
    let config = ClientConfig {
        ca_file: Some(ca_file.path().to_owned()),
        proxy: through("http", &proxy),
        ..asking(name_server.address)
    };
    let url = format!("https://h.test:{}/hook", target.address.port());
    assert_eq!(post(&Client::new(config).unwrap(), &url).await.status, Some(200));
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn what_goes_wrong_at_the_proxy_is_no_receivers_fault() {
    async fn saying(bytes: &'static [u8]) -> Sink {
        Sink::start(move |mut conversation| async move {
            let mut asked = [0; 1024];
            let _ = conversation.socket.read(&mut asked).await;
            conversation.say(bytes).await;
            while matches!(conversation.socket.read(&mut asked).await, Ok(1..)) {}
        })
        .await
    }
    let connect_timeout = Duration::from_millis(300);
    for (scheme, sink) in [
        ("http", saying(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await),
        ("http", saying(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await),
        ("http", saying(b"SSH-2.0-OpenSSH\r\n\r\n").await),
        ("http", saying(b"").await),
        ("http", saying(&[b'x'; 16 * 1024]).await),
        ("socks5", saying(b"\x05\xff").await),
        ("socks5", saying(b"HTTP/1.1 400 Bad Request\r\n\r\n").await),
        ("socks5", Sink::start(|talk| async move { drop(talk) }).await),
    ] {
        let config = ClientConfig { proxy: through(scheme, &sink), connect_timeout, ..loopback() };
        let answer = post(&Client::new(config).unwrap(), "http://127.0.0.1:8080/").await;
        assert_eq!(answer.error, Some(ErrorClass::Proxy), "{scheme}");
        assert!(ErrorClass::Proxy.is_ours());
    }
    let nobody = EgressProxy::parse("http://127.0.0.1:9").unwrap();
    let client = Client::new(ClientConfig { proxy: Some(nobody), ..loopback() }).unwrap();
    assert_eq!(post(&client, "http://127.0.0.1:8080/").await.error, Some(ErrorClass::Proxy));
}

/// The test's other half: run by the next one with proxies in the environment.
#[tokio::test]
async fn a_request_is_sent_directly_whatever_the_environment_says() {
    let sink = Sink::answering(OK).await;
    let answer = Client::new(loopback()).unwrap().send(request(&sink.url(), "{}"), ATTEMPT).await;
    assert_eq!((answer.status, sink.connections()), (Some(200), 1));
}

#[tokio::test]
async fn no_proxy_is_taken_from_the_environment() {
    let proxy = Sink::start(http_proxy).await;
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "proxy::a_request_is_sent_directly_whatever_the_environment_says"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    {
        command.env(name, format!("http://{}", proxy.address));
    }
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(proxy.connections(), 0);
}
