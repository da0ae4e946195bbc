//! A receiver process of many endpoints, by path: `/well/…` is answered 200 at once; while the ill are ill, `/hang/…` is never
//! answered, `/fail/…` is answered 500, and the last port refuses connections. Reads requests by itself, as cheaply as it can:
//! what it costs is taken from what is measured. Notes when each of the well got which event.
//! Reads commands from standard input and answers there; ends when its input does.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;
use postrider_testkit::monotonic_ns;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::kit::{CrowdAddresses, CrowdTally, answer};

const WELL: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const FAILS: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
const LARGEST: usize = 64 << 10;

/// Options of such a process.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where arrivals are written when they are asked for
    #[arg(long)]
    arrivals: PathBuf,
}

/// What came since the last reset.
#[derive(Default)]
struct Seen {
    ill: bool,
    tally: CrowdTally,
    /// The paths of the ill that were asked for.
    reached: HashSet<String>,
    /// Events of the well: their ids, and when they came.
    arrivals: Vec<(String, u64)>,
}

type Shared = Arc<Mutex<Seen>>;

/// A request, as far as it matters.
struct Asked {
    path: String,
    id: String,
    /// Bytes of head and body.
    length: usize,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let seen = Shared::default();
    let well = TcpListener::bind("127.0.0.1:0").await?;
    let others = TcpListener::bind("127.0.0.1:0").await?;
    let refusing = TcpListener::bind("127.0.0.1:0").await?;
    let (base, others_at) = (well.local_addr()?, others.local_addr()?);
    let refusing_at = refusing.local_addr()?;
    let mut servers = JoinSet::new();
    for listener in [well, others] {
        servers.spawn(accept(listener, Arc::clone(&seen)));
    }
    let mut refuses = servers.spawn(accept(refusing, Arc::clone(&seen)));
    answer(&CrowdAddresses {
        base: format!("http://{base}"),
        others: format!("http://{others_at}"),
        refusing: format!("http://{refusing_at}"),
    })?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["ill", ill] => {
                lock(&seen).ill = ill == "true";
                turn(ill == "true", &mut refuses, &mut servers, refusing_at, &seen).await?;
                answer(&ill)?;
            }
            ["reset"] => {
                let ill = lock(&seen).ill;
                *lock(&seen) = Seen { ill, ..Seen::default() };
                answer(&"reset")?;
            }
            ["wait", count, millis] => {
                let limit = Duration::from_millis(millis.parse()?);
                answer(&wait(&seen, count.parse()?, limit).await)?;
            }
            ["arrivals"] => {
                let text = serde_json::to_vec(&lock(&seen).arrivals)?;
                std::fs::write(&options.arrivals, text)?;
                answer(&"written")?;
            }
            _ => bail!("no command: {line}"),
        }
    }
    Ok(())
}

fn lock(seen: &Shared) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens or closes the port that refuses connections while the ill are ill; its connections end with it.
async fn turn(
    ill: bool,
    refuses: &mut AbortHandle,
    servers: &mut JoinSet<()>,
    at: SocketAddr,
    seen: &Shared,
) -> anyhow::Result<()> {
    refuses.abort();
    if !ill {
        let begun = Instant::now();
        let listener = loop {
            match TcpListener::bind(at).await {
                Ok(listener) => break listener,
                Err(error) if begun.elapsed() > Duration::from_secs(5) => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        *refuses = servers.spawn(accept(listener, Arc::clone(seen)));
    }
    Ok(())
}

async fn wait(seen: &Shared, count: u64, limit: Duration) -> CrowdTally {
    let begun = Instant::now();
    loop {
        let tally = lock(seen).tally;
        if tally.well >= count || begun.elapsed() >= limit {
            return tally;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Serves what connects. Connections end with it.
async fn accept(listener: TcpListener, seen: Shared) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                while connections.try_join_next().is_some() {}
                connections.spawn(serve(stream, Arc::clone(&seen)));
            }
            // Out of file descriptors, most likely: leave the others a moment to give some back.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// One connection, to its end.
async fn serve(mut stream: TcpStream, seen: Shared) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(4096);
    loop {
        while let Some(asked) = asked(&buffer) {
            buffer.drain(..asked.length);
            let Some(reply) = note(&seen, &asked) else { return hang(stream).await };
            if stream.write_all(reply).await.is_err() {
                return;
            }
        }
        if buffer.len() > LARGEST || stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
            return;
        }
    }
}

/// Says nothing until the other end gives up.
async fn hang(mut stream: TcpStream) {
    let mut rest = [0; 64];
    while stream.read(&mut rest).await.unwrap_or(0) > 0 {}
}

/// Notes a request, and says what it is answered; `None`: nothing, ever.
fn note(seen: &Shared, asked: &Asked) -> Option<&'static [u8]> {
    let mut seen = lock(seen);
    let class = asked.path.split('/').nth(1).unwrap_or_default();
    match (class, seen.ill) {
        ("hang", true) => {
            seen.tally.hung += 1;
            seen.tally.hung_endpoints += u64::from(seen.reached.insert(asked.path.clone()));
            None
        }
        ("fail", true) => {
            seen.tally.failed += 1;
            seen.tally.failed_endpoints += u64::from(seen.reached.insert(asked.path.clone()));
            Some(FAILS)
        }
        ("well", _) => {
            seen.tally.well += 1;
            seen.arrivals.push((asked.id.clone(), monotonic_ns()));
            Some(WELL)
        }
        _ => {
            seen.tally.others += 1;
            Some(WELL)
        }
    }
}

/// The first request in the buffer, if it is there as a whole.
fn asked(buffer: &[u8]) -> Option<Asked> {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&buffer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let (mut id, mut body) = (String::new(), 0);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => value.trim().clone_into(&mut id),
            "content-length" => body = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let length = end + body;
    (buffer.len() >= length).then_some(Asked { path, id, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_when_they_are_whole_one_after_another() {
        let first =
            b"POST /well/7 HTTP/1.1\r\nHost: x\r\nWebhook-Id: n12\r\ncontent-length: 3\r\n\r\nabc";
        let both = [first.as_slice(), b"POST /hang/1 HTTP/1.1\r\n\r\n"].concat();
        assert!(asked(&first[..first.len() - 1]).is_none());
        let one = asked(&both).expect("it is whole");
        assert_eq!(
            (one.path.as_str(), one.id.as_str(), one.length),
            ("/well/7", "n12", first.len())
        );
        assert_eq!(asked(&both[one.length..]).expect("it is whole").path, "/hang/1");
        assert!(asked(b"POST /").is_none());
    }

    #[test]
    fn the_ill_are_ill_only_while_they_are_told_to_be() {
        let seen = Shared::default();
        let request = |path: &str| Asked { path: path.to_owned(), id: "n1".to_owned(), length: 0 };
        for path in ["/well/1", "/hang/1", "/fail/1", "/refuse/1"] {
            assert_eq!(note(&seen, &request(path)), Some(WELL));
        }
        lock(&seen).ill = true;
        assert_eq!(note(&seen, &request("/well/1")), Some(WELL));
        assert_eq!(note(&seen, &request("/fail/1")), Some(FAILS));
        assert_eq!(note(&seen, &request("/hang/1")), None);
        let tally = lock(&seen).tally;
        assert_eq!((tally.well, tally.others, tally.failed, tally.hung), (2, 3, 1, 1));
        for path in ["/hang/1", "/hang/2", "/fail/1"] {
            note(&seen, &request(path));
        }
        let tally = lock(&seen).tally;
        assert_eq!((tally.failed, tally.failed_endpoints), (2, 1));
        assert_eq!((tally.hung, tally.hung_endpoints), (3, 2));
    }
}
