//! `postrider sink`: a local receiver that prints each arrival and, if asked to, fails, hangs or dawdles.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::time::Instant;

use super::Ended;
use super::sign::now;
use crate::args::Global;
use crate::config::Sources;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::{Output, safe};
use crate::sink::{Arrival, Behaviour, Signature, Sink};

const SECRET_VARIABLE: &str = "POSTRIDER_SINK_SECRET";
/// The answer of requests that fail on purpose.
const UNAVAILABLE: u16 = 503;

/// Options of `sink`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Port on 127.0.0.1; 0: a free one
    #[arg(long, value_name = "PORT", default_value_t = 9999)]
    port: u16,
    /// The only path that is answered
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Fail so many requests before the first one succeeds
    #[arg(long, value_name = "N")]
    fail_first: Option<u64>,
    /// What failing requests are answered with (503); without --fail-first, all are
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(200..=599))]
    status: Option<u16>,
    /// Wait before every answer
    #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = input::span)]
    delay: Duration,
    /// Never answer what should fail; without --fail-first, never answer at all
    #[arg(long)]
    hang: bool,
    /// Exit 0 once so many different events came with a verified signature and were accepted
    #[arg(long, value_name = "N")]
    expect: Option<usize>,
    /// Exit 75 after this time
    #[arg(long, value_name = "SPAN", value_parser = input::span)]
    timeout: Option<Duration>,
    /// File with the signing secrets (whsec_…), one a line; else the variable POSTRIDER_SINK_SECRET
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Signing secret to throw away: others on this machine can see it here
    #[arg(long = "secret", value_name = "SECRET")]
    secrets: Vec<String>,
}

pub(crate) async fn run(args: &Args, global: &Global, sources: &Sources) -> Ended {
    let out = Output::new(global.json, global.quiet, global.color, &sources.environment);
    let secrets =
        input::secrets(args.secret_file.as_deref(), &args.secrets, SECRET_VARIABLE, sources)?;
    if secrets.is_empty() {
        if args.expect.is_some() {
            return Err(Failure::new(
                Exit::Usage,
                "--expect counts verified events, and there is no secret",
            )
            .remedy(format!("--secret-file FILE, or the variable {SECRET_VARIABLE}")));
        }
        out.warn("there is no secret, so no signature is verified");
    }
    let mut sink = Sink::start(args.port, behaviour(args, secrets)).await.map_err(|error| {
        Failure::new(Exit::Unavailable, format!("cannot listen on 127.0.0.1:{}", args.port))
            .why(error.to_string())
            .remedy("--port 0 takes a free port")
    })?;
    let url = sink.url(args.path.as_deref().unwrap_or("/"));
    out.note(&format!("listening on {url}"));
    if global.json {
        out.line(&json!({ "listening": url }).to_string());
    }
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
    let mut accepted = HashSet::new();
    loop {
        let arrival = tokio::select! {
            arrival = sink.arrival() => arrival,
            () = until(deadline) => {
                return Err(Failure::new(Exit::TryLater, format!("{} of {} expected events came in time", accepted.len(), args.expect.unwrap_or(0))));
            }
            () = input::interruption() => {
                return Ok(if args.expect.is_some() { Exit::Interrupted } else { Exit::Done });
            }
        };
        print(&out, &arrival);
        if arrival.signature == Signature::Verified
            && arrival.answer.is_some_and(|status| status.is_success())
        {
            accepted.insert(arrival.event_id);
        }
        if args.expect.is_some_and(|expected| accepted.len() >= expected) {
            // The last answer is still on its way to the socket.
            tokio::time::sleep(Duration::from_millis(50)).await;
            return Ok(Exit::Done);
        }
    }
}

fn behaviour(args: &Args, secrets: Vec<postrider_core::signing::Secret>) -> Behaviour {
    let fails = args.status.is_some() || args.hang;
    Behaviour {
        secrets,
        path: args.path.clone(),
        // Without a word about failing, nothing fails.
        fail_first: args.fail_first.or((!fails).then_some(0)),
        status: StatusCode::from_u16(args.status.unwrap_or(UNAVAILABLE))
            .expect("clap has checked the range"),
        delay: args.delay,
        hang: args.hang,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn print(out: &Output, arrival: &Arrival) {
    let at = now();
    let (signature, why) = match &arrival.signature {
        Signature::Verified => ("verified", None),
        Signature::Unchecked => ("unchecked", None),
        Signature::Refused(why) => ("refused", Some(why)),
    };
    let answer = arrival.answer.map(|status| status.as_u16());
    if out.json {
        let line = json!({
            "at": at, "event_id": arrival.event_id, "type": arrival.event_type, "attempt": arrival.attempt, "path": arrival.path,
            "bytes": arrival.bytes, "signature": signature, "reason": why, "answer": answer,
        });
        return out.line(&line.to_string());
    }
    let shown = match why {
        Some(why) => format!("signature refused: {why}"),
        None => format!("signature {signature}"),
    };
    let answer = answer.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    out.line(&format!(
        "{}  {}  {}  attempt {}  {} B  {answer}  {shown}",
        at.strftime("%H:%M:%S%.3f"),
        or_dash(&arrival.event_id),
        or_dash(arrival.event_type.as_deref().unwrap_or_default()),
        or_dash(&arrival.attempt),
        arrival.bytes,
    ));
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { safe(text, 128) }
}
