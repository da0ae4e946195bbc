//! A receiver that is nothing but a TCP socket: each test says, byte by byte, what it answers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Listens until it is dropped; counts connections and keeps every request that arrived whole.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

/// One connection to the sink.
pub(crate) struct Conversation {
    pub(crate) socket: TcpStream,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Sink {
    pub(crate) async fn start<A, F>(answer: A) -> Self
    where
        A: Fn(Conversation) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), 0, answer).await
    }

    pub(crate) async fn start_at<A, F>(ip: IpAddr, port: u16, answer: A) -> Self
    where
        A: Fn(Conversation) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((ip, port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (counter, journal) = (Arc::clone(&connections), Arc::clone(&requests));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut conversations = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                socket.set_nodelay(true).unwrap();
                conversations
                    .spawn(answer(Conversation { socket, requests: Arc::clone(&journal) }));
            }
        });
        Sink { address, connections, requests, _tasks: tasks }
    }

    /// Answers every request with these bytes and keeps the connection open.
    pub(crate) async fn answering(bytes: &'static [u8]) -> Self {
        Self::start(move |mut conversation| async move {
            while conversation.request().await.is_some() {
                conversation.say(bytes).await;
            }
        })
        .await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Every request, head and body, as text.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Conversation {
    /// Reads one whole request, also into the sink's list. `None` at the end of the connection.
    pub(crate) async fn request(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = length_of(&bytes)
                && bytes.len() >= end
            {
                let text = String::from_utf8(bytes).unwrap();
                self.requests.lock().unwrap().push(text.clone());
                return Some(text);
            }
            if self.socket.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Puts something into the list of requests that must not have arrived.
    pub(crate) fn note(&self, what: &str) {
        self.requests.lock().unwrap().push(what.to_owned());
    }

    /// Sends bytes; false when the other side has gone.
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).await.is_ok()
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        SockRef::from(&self.socket).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }
}

/// Where the request ends, once its head is there.
fn length_of(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).unwrap().to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some(head + length.map_or(0, |length| length.parse::<usize>().unwrap()))
}
