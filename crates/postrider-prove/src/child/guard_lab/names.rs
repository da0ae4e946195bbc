//! A name server whose answers are written in the questions: `4` and eight hex digits in the first label stand for an IPv4
//! address, `6` and 32 for an IPv6 one, `c` for an alias in between. `r` makes it change its mind: the first address for odd
//! questions about a name, the second for even ones, so that who asks once to judge and once to connect hears two answers.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::Context as _;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

pub(super) async fn serve(tasks: &mut JoinSet<()>, port: u16) -> anyhow::Result<()> {
    let socket =
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).await.context("start the name server")?;
    tasks.spawn(async move {
        let mut asked = HashMap::new();
        let mut question = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut question).await {
            if let Some(answer) = answer(&question[..length], &mut asked) {
                // Who has gone needs no answer.
                let _ = socket.send_to(&answer, client).await;
            }
        }
    });
    Ok(())
}

/// The answer to a message with one question. `None` where it is none.
fn answer(message: &[u8], asked: &mut HashMap<(String, u16), usize>) -> Option<Vec<u8>> {
    let (label, end) = question(message)?;
    let kind = u16::from_be_bytes([*message.get(end - 4)?, *message.get(end - 3)?]);
    let times = asked.entry((label.clone(), kind)).or_default();
    *times += 1;
    let said = Said::of(&label, *times);
    let mut records = Vec::new();
    let mut count = 0_u16;
    let mut add = |owner: &[u8], kind: u16, data: &[u8]| {
        records.extend_from_slice(owner);
        records.extend_from_slice(&kind.to_be_bytes());
        records.extend_from_slice(&[0, 1, 0, 0, 0, 0]); // class IN, time to live 0
        records.extend_from_slice(&u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
        records.extend_from_slice(data);
        count += 1;
    };
    let mut owner: &[u8] = &[0xc0, 12]; // the name of the question
    const ALIAS: &[u8] = b"\x05alias\x04test\x00";
    if said.alias {
        add(owner, CNAME, ALIAS);
        owner = ALIAS;
    }
    match kind {
        A => said.v4.iter().for_each(|address| add(owner, A, &address.octets())),
        AAAA => said.v6.iter().for_each(|address| add(owner, AAAA, &address.octets())),
        _ => {}
    }
    let mut answer = message.get(..2)?.to_vec();
    answer.extend_from_slice(&[0x81, 0x80, 0, 1]);
    answer.extend_from_slice(&count.to_be_bytes());
    answer.extend_from_slice(&[0, 0, 0, 0]);
    answer.extend_from_slice(message.get(12..end)?);
    answer.extend_from_slice(&records);
    Some(answer)
}

/// The first label of the question's name in lower case, and where the question ends.
fn question(message: &[u8]) -> Option<(String, usize)> {
    let mut at = 12;
    let mut first = None;
    while *message.get(at)? != 0 {
        let length = usize::from(message[at]);
        let label = message.get(at + 1..at + 1 + length)?;
        first.get_or_insert_with(|| String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length + 1;
    }
    let end = at + 5;
    (end <= message.len()).then_some(())?;
    Some((first?, end))
}

/// What a label asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    v4: Vec<Ipv4Addr>,
    v6: Vec<Ipv6Addr>,
    alias: bool,
}

impl Said {
    fn of(label: &str, times: usize) -> Self {
        let mut said = Self::default();
        let parts: Vec<&str> = label.split('-').collect();
        let addresses: Vec<&str> = match parts[..] {
            ["c", ref rest @ ..] => {
                said.alias = true;
                rest.to_vec()
            }
            ["r", first, second] => vec![if times % 2 == 1 { first } else { second }],
            _ => parts,
        };
        for text in addresses {
            if let Some(Ok(bits)) = text.strip_prefix('4').map(|hex| u32::from_str_radix(hex, 16)) {
                said.v4.push(Ipv4Addr::from_bits(bits));
            } else if let Some(Ok(bits)) =
                text.strip_prefix('6').map(|hex| u128::from_str_radix(hex, 16))
            {
                said.v6.push(Ipv6Addr::from_bits(bits));
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_says_what_to_answer_and_a_rebinding_one_changes_its_mind() {
        let v4 = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        let said = Said::of("c-40a000007", 1);
        assert!(said.alias && said.v4 == [v4("10.0.0.7")]);
        let mixed = Said::of("45db8d70e-600000000000000000000000000000001", 1);
        assert_eq!((mixed.v4.len(), mixed.v6), (1, vec![Ipv6Addr::LOCALHOST]));
        for (times, expected) in [(1, "93.184.215.14"), (2, "127.0.0.1"), (3, "93.184.215.14")] {
            assert_eq!(Said::of("r-45db8d70e-47f000001", times).v4, [v4(expected)]);
        }
        assert_eq!(Said::of("nothing", 1), Said::default());
    }
}
