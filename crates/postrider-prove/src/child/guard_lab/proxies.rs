//! The lab's egress proxies: note down whom they are asked to connect to, and do it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Journal;

pub(super) async fn serve(
    tasks: &mut JoinSet<()>,
    http_port: u16,
    socks_port: u16,
    journal: &Journal,
) -> anyhow::Result<()> {
    for (port, is_http) in [(http_port, true), (socks_port, false)] {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.context("start a proxy")?;
        let journal = Arc::clone(journal);
        tasks.spawn(async move {
            let mut tunnels = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                tunnels.spawn(tunnel(socket, is_http, Arc::clone(&journal)));
            }
        });
    }
    Ok(())
}

/// What goes wrong here is the client's to notice.
async fn tunnel(mut client: TcpStream, is_http: bool, journal: Journal) {
    let goal = if is_http { connect(&mut client).await } else { socks(&mut client).await };
    let Ok(Some(goal)) = goal else { return };
    journal.lock().expect("nobody panics with this lock").tunnels.push(goal.clone());
    let Ok(mut target) = TcpStream::connect(goal).await else { return };
    let opened: &[u8] =
        if is_http { b"HTTP/1.1 200 OK\r\n\r\n" } else { &[5, 0, 0, 1, 127, 0, 0, 1, 0, 0] };
    if client.write_all(opened).await.is_ok() {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut target).await;
    }
}

async fn connect(client: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).split(' ').nth(1).map(str::to_owned))
}

async fn socks(client: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut greeting = [0; 3];
    client.read_exact(&mut greeting).await?;
    client.write_all(&[5, 0]).await?;
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => IpAddr::from(Ipv4Addr::from_bits(client.read_u32().await?)).to_string(),
        4 => format!("[{}]", std::net::Ipv6Addr::from_bits(client.read_u128().await?)),
        3 => {
            let mut name = vec![0; usize::from(client.read_u8().await?)];
            client.read_exact(&mut name).await?;
            String::from_utf8_lossy(&name).into_owned()
        }
        _ => return Ok(None),
    };
    Ok(Some(format!("{host}:{}", client.read_u16().await?)))
}
