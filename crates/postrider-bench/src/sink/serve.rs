//! The sink's process: HTTP/1.1 on one thread, commands on standard input, one line of JSON for each.

use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use postrider_testkit::monotonic_ns;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::Tally;

/// Serves until its standard input ends.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(run());
    // Reading standard input holds a thread that nothing wakes.
    runtime.shutdown_background();
    ended
}

async fn run() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("listening")?;
    say(listener.local_addr()?.to_string()).await?;
    let arrivals = Arc::new(Arrivals::default());
    tokio::select! {
        ended = accept(listener, Arc::clone(&arrivals)) => ended,
        ended = obey(&arrivals) => ended,
    }
}

async fn accept(listener: TcpListener, arrivals: Arc<Arrivals>) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.context("accepting a connection")?;
        while connections.try_join_next().is_some() {}
        let _ = stream.set_nodelay(true);
        let arrivals = Arc::clone(&arrivals);
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&arrivals)));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    arrivals: Arc<Arrivals>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, mut body) = request.into_parts();
    while let Some(Ok(_)) = body.frame().await {}
    if head.uri.path().starts_with("/hang") {
        arrivals.hung.fetch_add(1, Relaxed);
        std::future::pending::<()>().await;
    }
    let id = head.headers.get("webhook-id").and_then(|id| id.to_str().ok());
    arrivals.note(id.unwrap_or_default());
    Ok(Response::new(Empty::new()))
}

/// Reads commands and answers them, one after the other.
async fn obey(arrivals: &Arrivals) -> Result<()> {
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = commands.next_line().await? {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["reset", record] => serde_json::to_string(&arrivals.reset(record == "true")),
            ["wait", count, millis] => {
                let limit = Duration::from_millis(millis.parse()?);
                serde_json::to_string(&arrivals.wait(count.parse()?, limit).await)
            }
            ["arrivals"] => serde_json::to_string(&*arrivals.listed()),
            _ => anyhow::bail!("{line:?} is no command"),
        };
        say(answer?).await?;
    }
    Ok(())
}

async fn say(line: String) -> Result<()> {
    let mut output = tokio::io::stdout();
    output.write_all(format!("{line}\n").as_bytes()).await?;
    output.flush().await?;
    Ok(())
}

/// What came. All on one thread: the atomics order nothing.
#[derive(Default)]
struct Arrivals {
    count: AtomicU64,
    first_ns: AtomicU64,
    last_ns: AtomicU64,
    hung: AtomicU64,
    /// The count that somebody waits for.
    wanted: AtomicU64,
    reached: Notify,
    record: AtomicBool,
    list: Mutex<Vec<(String, u64)>>,
}

impl Arrivals {
    fn note(&self, id: &str) {
        let now = monotonic_ns();
        let count = self.count.fetch_add(1, Relaxed) + 1;
        if count == 1 {
            self.first_ns.store(now, Relaxed);
        }
        self.last_ns.store(now, Relaxed);
        if self.record.load(Relaxed) {
            self.listed().push((id.to_owned(), now));
        }
        if count == self.wanted.load(Relaxed) {
            self.reached.notify_one();
        }
    }

    fn reset(&self, record: bool) -> Tally {
        for number in [&self.count, &self.first_ns, &self.last_ns, &self.hung, &self.wanted] {
            number.store(0, Relaxed);
        }
        self.record.store(record, Relaxed);
        self.listed().clear();
        self.tally()
    }

    async fn wait(&self, count: u64, limit: Duration) -> Tally {
        self.wanted.store(count, Relaxed);
        let until = tokio::time::Instant::now() + limit;
        // A notification may be left over from an earlier wait that ran out of time, so the count decides.
        while self.count.load(Relaxed) < count {
            if tokio::time::timeout_at(until, self.reached.notified()).await.is_err() {
                break;
            }
        }
        self.tally()
    }

    fn tally(&self) -> Tally {
        Tally {
            count: self.count.load(Relaxed),
            first_ns: self.first_ns.load(Relaxed),
            last_ns: self.last_ns.load(Relaxed),
            hung: self.hung.load(Relaxed),
        }
    }

    fn listed(&self) -> std::sync::MutexGuard<'_, Vec<(String, u64)>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
