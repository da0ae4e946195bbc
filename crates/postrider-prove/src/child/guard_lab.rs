//! The lab of the address guard, in a network namespace of its own: its interface owns an address of every forbidden range,
//! listeners take every connection on each port, a name server answers as the names ask it to, and proxies tell what they
//! were asked for. Reads commands from standard input and answers there.

mod names;
mod proxies;

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::delivery::address_guard::forms::{PUBLIC_V4, PUBLIC_V6, V4, V6};
use crate::kit::{LabReady, LabSeen, answer};

/// Options of the lab.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The first port of the listeners
    #[arg(long)]
    first_port: u16,
    /// How many ports there are
    #[arg(long)]
    ports: u16,
}

/// Where the name server and the proxies listen, on 127.0.0.1.
pub(crate) const NAME_SERVER: u16 = 5353;
pub(crate) const HTTP_PROXY: u16 = 3128;
pub(crate) const SOCKS_PROXY: u16 = 1081;
/// Named by the environment of every worker, and by nothing else.
pub(crate) const ENVIRONMENTS_PROXY: u16 = 8888;

/// The address at our end of every connection that was accepted, by port; and what proxies were asked for.
type Journal = Arc<Mutex<LabSeen>>;

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let owned = own_addresses().await?;
    let journal = Journal::default();
    let mut tasks = JoinSet::new();
    for port in (options.first_port..).take(usize::from(options.ports)).chain([ENVIRONMENTS_PROXY])
    {
        tasks.spawn(accept(listener(port)?, port, Arc::clone(&journal)));
    }
    names::serve(&mut tasks, NAME_SERVER).await?;
    proxies::serve(&mut tasks, HTTP_PROXY, SOCKS_PROXY, &journal).await?;
    answer(&LabReady { owned })?;

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let mut seen = journal.lock().expect("nobody panics with this lock");
        match line.as_str() {
            "seen" => answer(&*seen)?,
            "forget" => *seen = LabSeen::default(),
            _ => bail!("no command: {line}"),
        }
    }
    Ok(())
}

/// Gives the loopback interface all addresses; those that the kernel does not let anybody own are left out.
async fn own_addresses() -> anyhow::Result<usize> {
    ensure!(ip(&["link", "set", "lo", "up"]).await?, "the loopback interface cannot be brought up");
    let v4 = V4.into_iter().chain([PUBLIC_V4]).map(|address| format!("{address}/32"));
    let v6 = V6.into_iter().chain([PUBLIC_V6]).map(|address| format!("{address}/128"));
    let mut owned = 0;
    for address in v4 {
        owned += usize::from(ip(&["address", "add", &address, "dev", "lo"]).await?);
    }
    for address in v6 {
        // There at once: nobody else could own it.
        owned += usize::from(ip(&["address", "add", &address, "dev", "lo", "nodad"]).await?);
    }
    Ok(owned)
}

/// Whether the command succeeded.
async fn ip(arguments: &[&str]) -> anyhow::Result<bool> {
    let output = Command::new("ip").args(arguments).output().await.context("run ip (iproute2)")?;
    Ok(output.status.success())
}

/// A listener for both families, on every address that there is.
fn listener(port: u16) -> anyhow::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_only_v6(false)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(128)?;
    Ok(TcpListener::from_std(socket.into())?)
}

async fn accept(listener: TcpListener, port: u16, journal: Journal) {
    let mut conversations = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        if let Ok(here) = socket.local_addr() {
            let mut seen = journal.lock().expect("nobody panics with this lock");
            seen.accepted.entry(port).or_default().push(here.ip().to_canonical());
        }
        conversations.spawn(respond(socket, port));
    }
}

/// Answers `/redirect/CODE/HOST` with a redirect to that host, and everything else with 200.
async fn respond(mut socket: TcpStream, port: u16) {
    let mut request = [0; 2048];
    let read = tokio::time::timeout(Duration::from_secs(2), socket.read(&mut request)).await;
    let Ok(Ok(read)) = read else { return };
    let text = String::from_utf8_lossy(&request[..read]);
    let mut words = text.split(['/', ' ']).filter(|word| !word.is_empty()).skip(1);
    let answer = match (words.next(), words.next(), words.next()) {
        (Some("redirect"), Some(code), Some(host)) => format!(
            "HTTP/1.1 {code} Elsewhere\r\nlocation: http://{host}:{port}/hook\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        ),
        _ => "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned(),
    };
    // Who has gone needs no answer.
    let _ = socket.write_all(answer.as_bytes()).await;
}
