//! SOCKS5 (RFC 1928), with user name and password (RFC 1929) where there are some.

use std::net::IpAddr;

use postrider_core::status::ErrorClass;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Goal, broken};

const VERSION: u8 = 5;
const NO_CREDENTIALS: u8 = 0;
const CREDENTIALS: u8 = 2;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

pub(super) async fn ask(
    tcp: &mut TcpStream,
    goal: Goal<'_>,
    port: u16,
    credentials: Option<(&str, &str)>,
) -> Result<(), ErrorClass> {
    let method = if credentials.is_some() { CREDENTIALS } else { NO_CREDENTIALS };
    tcp.write_all(&[VERSION, 1, method]).await.map_err(broken)?;
    let mut chosen = [0; 2];
    tcp.read_exact(&mut chosen).await.map_err(broken)?;
    if chosen != [VERSION, method] {
        return Err(ErrorClass::Proxy);
    }
    if let Some((user, password)) = credentials {
        log_in(tcp, user, password).await?;
    }
    tcp.write_all(&request(goal, port)?).await.map_err(broken)?;
    answer(tcp).await
}

async fn log_in(tcp: &mut TcpStream, user: &str, password: &str) -> Result<(), ErrorClass> {
    let length = |text: &str| u8::try_from(text.len()).map_err(broken);
    let mut message = vec![1, length(user)?];
    message.extend_from_slice(user.as_bytes());
    message.push(length(password)?);
    message.extend_from_slice(password.as_bytes());
    tcp.write_all(&message).await.map_err(broken)?;
    let mut verdict = [0; 2];
    tcp.read_exact(&mut verdict).await.map_err(broken)?;
    if verdict[1] == 0 { Ok(()) } else { Err(ErrorClass::Proxy) }
}

fn request(goal: Goal<'_>, port: u16) -> Result<Vec<u8>, ErrorClass> {
    let mut message = vec![VERSION, CONNECT, 0];
    match goal {
        Goal::Address(IpAddr::V4(address)) => {
            message.push(IPV4);
            message.extend_from_slice(&address.octets());
        }
        Goal::Address(IpAddr::V6(address)) => {
            message.push(IPV6);
            message.extend_from_slice(&address.octets());
        }
        Goal::Name(name) => {
            message.extend_from_slice(&[NAME, u8::try_from(name.len()).map_err(broken)?]);
            message.extend_from_slice(name.as_bytes());
        }
    }
    message.extend_from_slice(&port.to_be_bytes());
    Ok(message)
}

/// The verdict, and the address that the proxy sends from, which nobody needs.
async fn answer(tcp: &mut TcpStream) -> Result<(), ErrorClass> {
    let mut head = [0; 4];
    tcp.read_exact(&mut head).await.map_err(broken)?;
    if head[0] != VERSION {
        return Err(ErrorClass::Proxy);
    }
    verdict(head[1])?;
    let address_bytes = match head[3] {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(tcp.read_u8().await.map_err(broken)?),
        _ => return Err(ErrorClass::Proxy),
    };
    let mut rest = vec![0; address_bytes + 2];
    tcp.read_exact(&mut rest).await.map_err(broken)?;
    Ok(())
}

/// SOCKS says what became of the target: unreachable networks and hosts, refused connections and expired packets are the
/// receiver's trouble, and the rest is the proxy's.
fn verdict(code: u8) -> Result<(), ErrorClass> {
    match code {
        0 => Ok(()),
        3..=6 => Err(ErrorClass::Connect),
        _ => Err(ErrorClass::Proxy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_the_goal_in_its_own_kind() {
        let v4 = request(Goal::Address([192, 0, 2, 1].into()), 443).unwrap();
        assert_eq!(v4, [5, 1, 0, 1, 192, 0, 2, 1, 1, 187]);
        let name = request(Goal::Name("h.test"), 80).unwrap();
        assert_eq!(name, [&[5, 1, 0, 3, 6][..], b"h.test", &[0, 80]].concat());
        let v6 = request(Goal::Address("2001:db8::1".parse().unwrap()), 80).unwrap();
        assert_eq!((v6.len(), v6[3]), (22, 4));
        assert_eq!(request(Goal::Name(&"x".repeat(256)), 80), Err(ErrorClass::Proxy));
    }

    #[test]
    fn the_targets_trouble_is_told_from_the_proxys() {
        assert_eq!(verdict(0), Ok(()));
        assert_eq!(verdict(5), Err(ErrorClass::Connect));
        for code in [1, 2, 7, 8, 255] {
            assert_eq!(verdict(code), Err(ErrorClass::Proxy));
        }
    }
}
