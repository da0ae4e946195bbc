//! A name server that says whatever a test wants about `h.test`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;
/// More than this does not fit a datagram; the client has to ask again over TCP.
const DATAGRAM: usize = 512;

/// What is said about a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) a: Vec<Ipv4Addr>,
    pub(crate) aaaa: Vec<Ipv6Addr>,
    /// The name is another's; the addresses are that one's.
    pub(crate) cname: Option<String>,
    pub(crate) rcode: u8,
    pub(crate) silent: bool,
}

pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

struct Zone {
    replies: Vec<Reply>,
    asked: AtomicUsize,
}

impl NameServer {
    /// The n-th question for an IPv4 address gets the n-th reply, or the last one. No time to live.
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let zone = Arc::new(Zone { replies, asked: AtomicUsize::new(0) });
        let (udp, tcp) = same_port().await;
        let address = udp.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(answer_datagrams(udp, Arc::clone(&zone)));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = tcp.accept().await.unwrap();
                connections.spawn(answer_stream(socket, Arc::clone(&zone)));
            }
        });
        NameServer { address, _tasks: tasks }
    }

    pub(crate) async fn pointing_to(address: Ipv4Addr) -> Self {
        Self::start(vec![Reply { a: vec![address], ..Reply::default() }]).await
    }
}

async fn same_port() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn answer_datagrams(socket: UdpSocket, zone: Arc<Zone>) {
    let mut question = [0; DATAGRAM];
    loop {
        let (length, client) = socket.recv_from(&mut question).await.unwrap();
        if let Some(mut answer) = zone.answer(&question[..length], true) {
            if answer.len() > DATAGRAM {
                answer.truncate(12);
                answer[2] |= 0x02; // truncated
                answer[4..12].fill(0);
                let end = question_end(&question[..length]);
                answer[5] = 1;
                answer.extend_from_slice(&question[12..end]);
            }
            socket.send_to(&answer, client).await.unwrap();
        }
    }
}

async fn answer_stream(mut socket: TcpStream, zone: Arc<Zone>) {
    while let Ok(length) = socket.read_u16().await {
        let mut question = vec![0; usize::from(length)];
        if socket.read_exact(&mut question).await.is_err() {
            return;
        }
        let Some(answer) = zone.answer(&question, false) else { return };
        let length = u16::try_from(answer.len()).unwrap();
        if socket.write_u16(length).await.is_err() || socket.write_all(&answer).await.is_err() {
            return;
        }
    }
}

impl Zone {
    fn answer(&self, question: &[u8], counts: bool) -> Option<Vec<u8>> {
        let end = question_end(question);
        let kind = u16::from_be_bytes([question[end - 4], question[end - 3]]);
        let turn = match (kind, counts) {
            (TYPE_A, true) => self.asked.fetch_add(1, Ordering::SeqCst),
            _ => self.asked.load(Ordering::SeqCst).saturating_sub(1),
        };
        let reply = self.replies.get(turn).or(self.replies.last()).unwrap();
        if reply.silent {
            return None;
        }
        let mut records = Vec::new();
        let mut count = 0_u16;
        let mut owner = vec![0xc0, 12]; // the name of the question
        let mut add = |owner: &[u8], kind: u16, data: &[u8]| {
            records.extend_from_slice(owner);
            records.extend_from_slice(&kind.to_be_bytes());
            records.extend_from_slice(&[0, 1, 0, 0, 0, 0]); // class IN, time to live 0
            records.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
            records.extend_from_slice(data);
            count += 1;
        };
        if let Some(cname) = &reply.cname {
            let name = wire_name(cname);
            add(&owner, TYPE_CNAME, &name);
            owner = name;
        }
        match kind {
            TYPE_A => reply.a.iter().for_each(|address| add(&owner, TYPE_A, &address.octets())),
            TYPE_AAAA => {
                reply.aaaa.iter().for_each(|address| add(&owner, TYPE_AAAA, &address.octets()))
            }
            _ => (),
        }
        let mut answer = question[..2].to_vec();
        answer.extend_from_slice(&[0x81, 0x80 | reply.rcode, 0, 1]);
        answer.extend_from_slice(&count.to_be_bytes());
        answer.extend_from_slice(&[0, 0, 0, 0]);
        answer.extend_from_slice(&question[12..end]);
        answer.extend_from_slice(&records);
        Some(answer)
    }
}

/// Where the only question ends: after its name, type and class.
fn question_end(message: &[u8]) -> usize {
    let mut at = 12;
    while message[at] != 0 {
        at += usize::from(message[at]) + 1;
    }
    at + 5
}

fn wire_name(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.trim_end_matches('.').split('.') {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}
