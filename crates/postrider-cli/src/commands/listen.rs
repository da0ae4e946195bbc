//! `postrider listen`: shows events as they are committed and, if asked to, posts each to a receiver on this machine, signed. Nothing is
//! stored: it is no endpoint, and what it fails to post is not tried again. `events tail` is the same without posting.

mod forward;
mod server;
mod source;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use self::forward::{Forward, Posted};
use self::source::{Heard, Source, SourceArgs};
use super::Ended;
use super::sign::now;
use crate::args::Global;
use crate::config::Sources;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::{Output, safe};

/// Options of `listen`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Post each event there, signed: http://localhost:3000/hook
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,
    #[command(flatten)]
    source: SourceArgs,
    /// What to show of each event besides its line
    #[arg(long, value_name = "PARTS", value_delimiter = ',', requires = "forward_to")]
    print: Vec<Part>,
    /// Treat so many events as if the receiver had answered 503, and post the others
    #[arg(long, value_name = "N", default_value_t = 0, requires = "forward_to")]
    fail_first: u64,
    /// File with the signing secret (whsec_…); none: one is made and shown
    #[arg(long, value_name = "FILE", requires = "forward_to")]
    secret_file: Option<PathBuf>,
    /// Exit 0 once so many events were accepted, or shown if nothing is posted
    #[arg(long, value_name = "N")]
    expect: Option<u64>,
    /// Exit 75 after this time
    #[arg(long, value_name = "SPAN", value_parser = input::span)]
    timeout: Option<Duration>,
}

/// Options of `events tail`.
#[derive(Debug, clap::Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    source: SourceArgs,
    /// Exit 0 after so many events
    #[arg(long, value_name = "N")]
    expect: Option<u64>,
    /// Exit 75 after this time
    #[arg(long, value_name = "SPAN", value_parser = input::span)]
    timeout: Option<Duration>,
}

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    Headers,
    Body,
}

impl Args {
    /// Whether a server is asked, and no database.
    pub(crate) fn is_remote(&self) -> bool {
        self.source.server.is_some()
    }
}

impl Tail {
    /// Whether a server is asked, and no database.
    pub(crate) fn is_remote(&self) -> bool {
        self.source.server.is_some()
    }
}

/// Listens to a server.
pub(crate) async fn remotely(args: &Args, global: &Global, sources: &Sources) -> Ended {
    let out = Output::new(global.json, global.quiet, global.color, &sources.environment);
    let listening = Listening::of(args, out, sources)?;
    listening.run(Source::server(&args.source)?).await
}

/// Listens to the database itself.
pub(crate) async fn run(context: &Context, database: &Database, args: &Args) -> Ended {
    let listening = Listening::of(args, context.out, &crate::context::sources())?;
    listening.run(Source::database(&args.source, database).await?).await
}

/// Shows events of a server.
pub(crate) async fn tail_remotely(args: &Tail, global: &Global, sources: &Sources) -> Ended {
    let out = Output::new(global.json, global.quiet, global.color, &sources.environment);
    Listening::showing(args, out).run(Source::server(&args.source)?).await
}

/// Shows events of the database itself.
pub(crate) async fn tail(context: &Context, database: &Database, args: &Tail) -> Ended {
    let source = Source::database(&args.source, database).await?;
    Listening::showing(args, context.out).run(source).await
}

/// What is done with each event, and when it is enough.
struct Listening {
    out: Output,
    forward: Option<Forward>,
    print: Vec<Part>,
    expect: Option<u64>,
    timeout: Option<Duration>,
}

impl Listening {
    fn of(args: &Args, out: Output, sources: &Sources) -> Result<Self, Failure> {
        let mut out = out;
        out.json |= args.source.jsonl;
        let forward = match &args.forward_to {
            None => None,
            Some(url) => {
                let secrets = input::secrets(args.secret_file.as_deref(), &[], "", sources)?;
                let forward = Forward::to(url, secrets, args.fail_first)?;
                if let Some(secret) = forward.made_secret() {
                    // Also where nothing else is said: without it nothing of this can be verified.
                    let _ = writeln!(std::io::stderr(), "Secret: {}", secret.as_str());
                }
                Some(forward)
            }
        };
        let (print, expect) = (args.print.clone(), args.expect);
        Ok(Self { out, forward, print, expect, timeout: args.timeout })
    }

    fn showing(args: &Tail, out: Output) -> Self {
        let mut out = out;
        out.json |= args.source.jsonl;
        let (expect, timeout) = (args.expect, args.timeout);
        Self { out, forward: None, print: Vec::new(), expect, timeout }
    }

    async fn run(mut self, mut source: Source) -> Ended {
        source.open(&self.out).await?;
        self.out.note(&format!("Listening {}", source.name()));
        if self.out.json {
            self.out.line(&json!({ "listening": true }).to_string());
        }
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        let mut accepted = 0;
        loop {
            let heard = tokio::select! {
                heard = source.next(&self.out) => heard?,
                () = until(deadline) => {
                    let expected = self.expect.map_or_else(|| "events".to_owned(), |n| format!("of {n} expected events"));
                    return Err(Failure::new(Exit::TryLater, format!("{accepted} {expected} came in time")));
                }
                () = input::interruption() => {
                    return Ok(if self.expect.is_some() { Exit::Interrupted } else { Exit::Done });
                }
            };
            for heard in heard {
                accepted += u64::from(self.take(&heard).await);
                if self.expect.is_some_and(|expected| accepted >= expected) {
                    return Ok(Exit::Done);
                }
            }
        }
    }

    /// Shows an event and posts it; whether it was accepted.
    async fn take(&mut self, heard: &Heard) -> bool {
        if !self.out.json {
            let id = shortened(&heard.id);
            let kind = safe(&heard.event_type, 128);
            let bytes = heard.envelope.len();
            self.out.line(&format!("{}  --> {kind:<20}  {id}  {bytes} B", clock()));
        }
        let Some(forward) = &mut self.forward else {
            if self.out.json {
                self.out.line(&shown(heard).to_string());
            }
            return true;
        };
        let posted = forward.post(heard).await;
        let accepted = posted.status.is_some_and(|status| (200..300).contains(&status));
        self.say(heard, &posted, accepted);
        accepted
    }

    fn say(&self, heard: &Heard, posted: &Posted, accepted: bool) {
        let target = self.forward.as_ref().map_or("", Forward::target);
        if self.out.json {
            let mut line = shown(heard);
            line["status"] = json!(posted.status);
            line["ms"] = json!(posted.took.as_millis());
            line["error"] = json!(posted.error);
            line["accepted"] = json!(accepted);
            return self.out.line(&line.to_string());
        }
        for (name, value) in &posted.headers {
            if self.print.contains(&Part::Headers) {
                self.out.line(&format!("              {name}: {value}"));
            }
        }
        if self.print.contains(&Part::Body) {
            self.out.line(&format!("              {}", safe(&heard.envelope, 100_000)));
        }
        let result = match (posted.status, &posted.error) {
            (Some(status), _) => status.to_string(),
            (None, error) => error.clone().unwrap_or_default(),
        };
        let why = if posted.on_purpose { "   on purpose, nothing was posted" } else { "" };
        let ms = posted.took.as_millis();
        self.out.line(&format!("{}  <-- {result} POST {target}  {ms} ms{why}", clock()));
    }
}

fn shown(heard: &Heard) -> serde_json::Value {
    json!({
        "at": now(), "id": heard.id, "tenant": heard.tenant, "type": heard.event_type, "bytes": heard.envelope.len(),
        "envelope": heard.envelope,
    })
}

fn clock() -> String {
    now().strftime("%H:%M:%S").to_string()
}

/// As much of an id as tells it from others.
fn shortened(id: &str) -> String {
    match (id.get(..8), id.get(id.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) if id.len() > 16 => format!("{head}…{tail}"),
        _ => id.to_owned(),
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
