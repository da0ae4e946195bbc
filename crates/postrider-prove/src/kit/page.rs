//! A page of a worker's admin listener.

use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a page may take.
const LIMIT: Duration = Duration::from_secs(5);

/// The whole answer to a GET, head and body, whatever it says.
pub(crate) async fn page(address: &str, path: &str) -> anyhow::Result<String> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await.context("reach the admin listener")?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    };
    tokio::time::timeout(LIMIT, asking).await.with_context(|| format!("read {path}"))?
}
