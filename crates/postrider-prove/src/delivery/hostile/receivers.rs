//! The receivers, each a listener of its own that does one bad thing to every connection.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::certificates::{Authority, self_signed};

/// All of them, and one that is good.
pub(super) struct Town {
    /// The beginning of the good one's URL.
    pub(super) good: String,
    pub(super) receivers: Vec<Hostile>,
    /// The authority that the worker is to believe.
    pub(super) ca_file: PathBuf,
    _tasks: JoinSet<()>,
}

/// One bad receiver and what must become of an attempt at it.
pub(super) struct Hostile {
    pub(super) name: &'static str,
    /// The beginning of its URL.
    pub(super) base: String,
    pub(super) expected: Expected,
}

/// What an attempt must be recorded as.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Expected {
    /// `None`: delivered, for the status had come.
    pub(super) class: Option<&'static str>,
    pub(super) status: Option<i16>,
    pub(super) detail: Option<&'static str>,
    /// Whether it lasts as long as it may.
    pub(super) waits: bool,
}

/// What is done to a connection.
#[derive(Clone)]
enum Behaviour {
    /// Says this after the request, then closes.
    Say(&'static [u8]),
    /// Says this after the request, then resets.
    SayAndReset(&'static [u8]),
    /// Says this after the request, then the second again and again, so many bytes at the most.
    Flood(&'static [u8], &'static [u8], usize),
    /// Says the first after the request, then the second every so often.
    Drip(&'static [u8], &'static [u8], Duration),
    /// Reads and never says anything: as if the cable were cut behind the handshake.
    Silent,
    /// Never even reads.
    Deaf,
    /// Resets at once.
    Reset,
    /// Says this to the first bytes, whatever they are, and waits for the other side to go.
    Greet(&'static [u8]),
    /// Shows a certificate.
    Tls(TlsAcceptor),
    /// Over HTTP/2, says this after the request, then the second again and again.
    Flood2(TlsAcceptor, Vec<u8>, Vec<u8>),
}

const MIB: usize = 1 << 20;
const ENDLESS: usize = usize::MAX;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const NO_COMMON_VERSION: &[u8] = b"\x15\x03\x01\x00\x02\x02\x46";

/// Kinds of HTTP/2 frames, and the flag of a head that ends.
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// A frame of HTTP/2, shorter than 256 bytes.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or(u8::MAX);
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

fn failed(class: &'static str) -> Expected {
    Expected { class: Some(class), ..Expected::default() }
}

fn timed_out() -> Expected {
    Expected { waits: true, ..failed("timeout") }
}

fn refused(status: i16, detail: Option<&'static str>) -> Expected {
    Expected { status: Some(status), detail, ..failed("http_status") }
}

fn delivered(detail: &'static str) -> Expected {
    Expected { status: Some(200), detail: Some(detail), ..Expected::default() }
}

/// Those without TLS.
fn plain() -> Vec<(&'static str, Behaviour, Expected)> {
    use Behaviour::{Deaf, Drip, Flood, Greet, Reset, Say, SayAndReset, Silent};
    let second = Duration::from_secs(1);
    vec![
        ("half-open", Silent, timed_out()),
        ("never-reads", Deaf, timed_out()),
        ("head-drip", Drip(b"HTTP/1.1 200 OK\r\nx: ", b"y", second / 2), timed_out()),
        (
            "body-drip",
            Drip(b"HTTP/1.1 503 Busy\r\ncontent-length: 1000\r\n\r\n", b"y", second / 2),
            Expected { waits: true, ..refused(503, Some("body_timeout")) },
        ),
        ("endless-100", Flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n", ENDLESS), failed("response_too_large")),
        (
            "endless-103",
            Flood(b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", ENDLESS),
            failed("response_too_large"),
        ),
        (
            "body-100-mb",
            Flood(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n", b"0123456789abcdef", 100 * MIB),
            delivered("body_cut"),
        ),
        (
            "body-100-mb-500",
            Flood(b"HTTP/1.1 500 No\r\ncontent-length: 104857600\r\n\r\n", b"0123456789abcdef", 100 * MIB),
            refused(500, Some("body_cut")),
        ),
        (
            "endless-chunks",
            Flood(b"HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n", ENDLESS),
            refused(500, Some("body_cut")),
        ),
        (
            "endless-chunk-line",
            Flood(b"HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n", b"1;extension=", ENDLESS),
            refused(500, Some("body_broken")),
        ),
        (
            "gzip-bomb",
            Flood(
                b"HTTP/1.1 500 No\r\ncontent-encoding: gzip\r\ncontent-length: 104857600\r\n\r\n\x1f\x8b\x08\x00",
                &[0; 64],
                100 * MIB,
            ),
            refused(500, Some("body_cut")),
        ),
        (
            "reset-in-body",
            SayAndReset(b"HTTP/1.1 500 No\r\ncontent-length: 50\r\n\r\nhello"),
            refused(500, Some("body_broken")),
        ),
        ("reset-in-head", SayAndReset(b"HTTP/1.1 200 OK\r\nx: y"), failed("reset")),
        ("reset-at-once", Reset, failed("reset")),
        ("closes", Say(b""), failed("reset")),
        ("header-flood", Flood(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", ENDLESS), failed("response_too_large")),
        ("huge-header", Flood(b"HTTP/1.1 200 OK\r\nx: ", b"yyyyyyyyyyyyyyyy", ENDLESS), failed("response_too_large")),
        ("not-http", Greet(b"220 mail.example ESMTP ready\r\n\r\n"), failed("invalid_response")),
        ("two-lengths", Say(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello"), failed("invalid_response")),
        ("redirect", Say(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"), refused(302, None)),
    ]
}

/// Those with it.
fn tls(believed: &Authority) -> anyhow::Result<Vec<(&'static str, Behaviour, Expected)>> {
    use Behaviour::{Flood2, Greet, Silent, Tls};
    let http2 = || believed.http2("localhost");
    let (ok, head) = (b"\x88", [b"\x00\x01x\x7f\x01".as_slice(), &[b'y'; 128]].concat());
    let unknown = Authority::new("an authority that nobody knows")?;
    Ok(vec![
        ("tls-expired", Tls(believed.acceptor("localhost", true)?), failed("tls_expired")),
        (
            "tls-wrong-host",
            Tls(believed.acceptor("elsewhere.test", false)?),
            failed("tls_wrong_name"),
        ),
        ("tls-self-signed", Tls(self_signed("localhost")?), failed("tls_self_signed")),
        (
            "tls-unknown-ca",
            Tls(unknown.acceptor("localhost", false)?),
            failed("tls_unknown_issuer"),
        ),
        ("tls-version", Greet(NO_COMMON_VERSION), failed("tls_version")),
        ("tls-garbage", Greet(b"HTTP/1.1 400 Bad Request\r\n\r\n"), failed("tls_invalid")),
        ("tls-silence", Silent, timed_out()),
        (
            "http2-endless-103",
            Flood2(http2()?, Vec::new(), frame(HEADERS, END_HEADERS, 1, b"\x08\x03103")),
            failed("response_too_large"),
        ),
        (
            "http2-pings",
            Flood2(http2()?, Vec::new(), frame(PING, 0, 0, &[7; 8])),
            failed("response_too_large"),
        ),
        (
            "http2-settings",
            Flood2(http2()?, Vec::new(), frame(SETTINGS, 0, 0, b"")),
            failed("response_too_large"),
        ),
        (
            "http2-header-flood",
            Flood2(http2()?, frame(HEADERS, 0, 1, ok), frame(CONTINUATION, 0, 1, &head)),
            failed("reset"),
        ),
    ])
}

impl Town {
    pub(super) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let believed = Authority::new("an authority that is believed")?;
        let ca_file = folder.join("ca.pem");
        std::fs::write(&ca_file, believed.pem()).context("write the authority's certificate")?;
        let mut tasks = JoinSet::new();
        let good = listen(&mut tasks, Behaviour::Say(OK)).await?;
        let mut receivers = Vec::new();
        for (scheme, list) in [("http", plain()), ("https", tls(&believed)?)] {
            for (name, behaviour, expected) in list {
                let port = listen(&mut tasks, behaviour).await?;
                let base = format!("{scheme}://localhost:{port}");
                receivers.push(Hostile { name, base, expected });
            }
        }
        Ok(Self { good: format!("http://localhost:{good}"), receivers, ca_file, _tasks: tasks })
    }
}

async fn listen(tasks: &mut JoinSet<()>, behaviour: Behaviour) -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let behaviour = Arc::new(behaviour);
    tasks.spawn(async move {
        let mut conversations = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            conversations.spawn(meet(socket, Arc::clone(&behaviour)));
        }
    });
    Ok(port)
}

/// One connection. Errors are the other side's going away, which ends it.
async fn meet(mut socket: TcpStream, behaviour: Arc<Behaviour>) {
    let _ = match &*behaviour {
        Behaviour::Silent => linger(&mut socket).await,
        Behaviour::Deaf => {
            sleep(Duration::from_secs(60)).await;
            Ok(())
        }
        Behaviour::Reset => reset(&socket),
        Behaviour::Greet(bytes) => greet(&mut socket, bytes).await,
        Behaviour::Tls(acceptor) => match acceptor.accept(socket).await {
            Ok(mut tls) => tls.write_all(OK).await,
            Err(error) => Err(error),
        },
        Behaviour::Flood2(acceptor, first, again) => {
            flood_http2(acceptor, socket, first, again).await
        }
        Behaviour::Say(bytes) => match request(&mut socket).await {
            Ok(()) => socket.write_all(bytes).await,
            Err(error) => Err(error),
        },
        Behaviour::SayAndReset(bytes) => match request(&mut socket).await {
            Ok(()) => {
                let said = socket.write_all(bytes).await;
                // So that it is read before the reset, which empties buffers.
                sleep(Duration::from_millis(50)).await;
                said.and_then(|()| reset(&socket))
            }
            Err(error) => Err(error),
        },
        Behaviour::Flood(first, again, most) => flood(&mut socket, first, again, *most).await,
        Behaviour::Drip(first, again, every) => drip(&mut socket, first, again, *every).await,
    };
}

/// Reads one request to the end of its body, which is short.
async fn request(socket: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        if socket.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
            return Ok(());
        }
    }
}

async fn linger(socket: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 4096];
    while socket.read(&mut bytes).await? > 0 {}
    Ok(())
}

fn reset(socket: &TcpStream) -> std::io::Result<()> {
    SockRef::from(socket).set_linger(Some(Duration::ZERO))
}

async fn greet(socket: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let mut hello = [0; 4096];
    if socket.read(&mut hello).await? == 0 {
        return Ok(());
    }
    socket.write_all(bytes).await?;
    linger(socket).await
}

async fn flood(
    socket: &mut TcpStream,
    first: &[u8],
    again: &[u8],
    most: usize,
) -> std::io::Result<()> {
    request(socket).await?;
    socket.write_all(first).await?;
    let block = again.repeat(16 * 1024 / again.len());
    let mut sent = 0;
    while sent < most {
        socket.write_all(&block).await?;
        sent += block.len();
    }
    linger(socket).await
}

/// Reads on meanwhile, so that nobody waits for us.
async fn flood_http2(
    acceptor: &TlsAcceptor,
    socket: TcpStream,
    first: &[u8],
    again: &[u8],
) -> std::io::Result<()> {
    let (mut requests, mut answer) = tokio::io::split(acceptor.accept(socket).await?);
    answer.write_all(&frame(SETTINGS, 0, 0, b"")).await?;
    // The preface and the settings, and then the request.
    let mut bytes = vec![0; 4096];
    loop {
        match requests.read(&mut bytes).await? {
            0 => return Ok(()),
            100.. => break,
            _ => {}
        }
    }
    let reading = async {
        while requests.read(&mut bytes).await? > 0 {}
        Ok(())
    };
    let block = again.repeat(16 * 1024 / again.len());
    let writing = async {
        answer.write_all(first).await?;
        loop {
            answer.write_all(&block).await?;
        }
    };
    tokio::select! {
        ended = reading => ended,
        ended = writing => ended,
    }
}

async fn drip(
    socket: &mut TcpStream,
    first: &[u8],
    again: &[u8],
    every: Duration,
) -> std::io::Result<()> {
    request(socket).await?;
    socket.write_all(first).await?;
    loop {
        sleep(every).await;
        socket.write_all(again).await?;
    }
}
