//! `CONNECT host:port`: asks an HTTP proxy for a tunnel.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postrider_core::status::ErrorClass;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Goal, broken};

/// The head of a proxy's answer may be this long.
const MAX_HEAD: usize = 8 * 1024;

/// Any answer but a 2xx is the proxy's refusal, whatever its reason: of the receiver it says nothing that can be relied on.
pub(super) async fn ask(
    tcp: &mut TcpStream,
    goal: Goal<'_>,
    port: u16,
    credentials: Option<(&str, &str)>,
) -> Result<(), ErrorClass> {
    let authority = match goal {
        Goal::Address(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        Goal::Address(IpAddr::V4(address)) => format!("{address}:{port}"),
        Goal::Name(name) => format!("{name}:{port}"),
    };
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n");
    if let Some((user, password)) = credentials {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        request.push_str(&format!("proxy-authorization: Basic {encoded}\r\n"));
    }
    request.push_str("\r\n");
    tcp.write_all(request.as_bytes()).await.map_err(broken)?;
    if is_success(&head(tcp).await?) { Ok(()) } else { Err(ErrorClass::Proxy) }
}

/// Reads the answer's head and not a byte of what follows it: that belongs to the tunnel.
async fn head(tcp: &mut TcpStream) -> Result<Vec<u8>, ErrorClass> {
    let mut head = Vec::with_capacity(128);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(ErrorClass::Proxy);
        }
        head.push(tcp.read_u8().await.map_err(broken)?);
    }
    Ok(head)
}

/// `HTTP/1.1 200 …`
fn is_success(head: &[u8]) -> bool {
    let Some(rest) = head.strip_prefix(b"HTTP/1.") else { return false };
    matches!(rest, [b'0' | b'1', b' ', b'2', b'0'..=b'9', b'0'..=b'9', b' ' | b'\r', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_2xx_opens_a_tunnel() {
        for (line, expected) in [
            ("HTTP/1.1 200 Connection established\r\n", true),
            ("HTTP/1.0 200\r\n", true),
            ("HTTP/1.1 407 Proxy Authentication Required\r\n", false),
            ("HTTP/1.1 2000 x\r\n", false),
            ("HTTP/2 200 x\r\n", false),
            ("200 OK\r\n", false),
        ] {
            assert_eq!(is_success(line.as_bytes()), expected, "{line:?}");
        }
    }
}
