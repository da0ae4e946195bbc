//! `postrider api`: asks the API of a daemon for anything that it has, from wherever that can be reached, and prints what it answers.

use std::path::PathBuf;

use http::Method;
use postrider_client::{Client, Error};
use serde_json::Value;
use zeroize::Zeroizing;

use super::Ended;
use crate::args::Global;
use crate::config::Sources;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::Output;

/// Pages that `--all` follows, at most.
const MOST_PAGES: u32 = 100_000;

/// Options of `api`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to ask for, under /api/v1, with its query: "/events?type=order.paid&limit=5"
    path: String,
    /// GET, POST, PUT, PATCH or DELETE; none: POST with a body, else GET
    #[arg(short = 'X', long, value_name = "METHOD")]
    method: Option<Method>,
    /// The body: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// Follow a list to its end, one thing a line
    #[arg(long, conflicts_with = "data")]
    all: bool,
    /// The daemon
    #[arg(
        long,
        value_name = "URL",
        env = "POSTRIDER_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    server: String,
    /// File with the API key, or - for standard input; none: a daemon with --dev on this machine
    #[arg(long, value_name = "FILE", env = "POSTRIDER_API_KEY_FILE")]
    api_key_file: Option<PathBuf>,
}

/// Asks, prints the answer as JSON, and ends with the code that belongs to its status.
pub(crate) async fn run(args: &Args, global: &Global, sources: &Sources) -> Ended {
    let out = Output::new(global.json, global.quiet, global.color, &sources.environment);
    let method = match (&args.method, &args.data) {
        (Some(method), _) => method.clone(),
        (None, Some(_)) => Method::POST,
        (None, None) => Method::GET,
    };
    if !args.path.starts_with('/') {
        return Err(
            Failure::new(Exit::Usage, "the path must begin with /").remedy("postrider api /events")
        );
    }
    if method == Method::DELETE && !global.yes {
        let what = format!("{} is deleted for good", args.path);
        return Err(Failure::new(Exit::Usage, what).remedy("say --yes if that is what you want"));
    }
    let text = |value: &String| input::text("data", "body.size", value).map(String::into_bytes);
    let body = args.data.as_ref().map(text).transpose()?;
    let client = Client::new(&args.server, &key(args)?).map_err(failure)?;
    if args.all {
        return all(&client, &args.path, out).await;
    }
    let target = format!("/api/v1{}", args.path);
    let answer = client.send(method, &target, None, body).await.map_err(failure)?;
    if !answer.body.is_empty() {
        out.line(&shown(&answer.json().map_err(failure)?, global.json));
    }
    Ok(Exit::Done)
}

/// Prints every thing of a list, page after page.
async fn all(client: &Client, path: &str, out: Output) -> Ended {
    let mut cursor: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let mut target = format!("/api/v1{path}");
        if let Some(cursor) = &cursor {
            target += if path.contains('?') { "&cursor=" } else { "?cursor=" };
            target += cursor;
        }
        let answer = client.send(Method::GET, &target, None, None).await.map_err(failure)?;
        let page: Value = answer.json().map_err(failure)?;
        let Some(data) = page["data"].as_array() else {
            return Err(Failure::new(Exit::Usage, format!("{path} is no list")));
        };
        data.iter().for_each(|thing| out.line(&thing.to_string()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(Exit::Done),
        }
    }
    Err(Failure::new(Exit::Failed, format!("{path} has no end within {MOST_PAGES} pages")))
}

fn key(args: &Args) -> Result<Zeroizing<String>, Failure> {
    let Some(path) = &args.api_key_file else { return Ok(Zeroizing::default()) };
    let bytes = Zeroizing::new(input::bytes(Some(path))?);
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).trim().to_owned()))
}

/// One line for programs, several for people.
fn shown(answer: &Value, json: bool) -> String {
    match json {
        true => answer.to_string(),
        false => serde_json::to_string_pretty(answer).unwrap_or_else(|_| answer.to_string()),
    }
}

fn failure(error: Error) -> Failure {
    let exit = match (&error, error.problem().map(|problem| problem.status)) {
        (_, Some(400 | 413 | 415 | 422)) | (Error::Input(_), _) => Exit::Usage,
        (_, Some(401 | 403)) => Exit::Denied,
        (_, Some(404 | 410)) => Exit::Missing,
        (_, Some(408 | 429 | 503)) => Exit::TryLater,
        (Error::Unreachable(_), _) => Exit::Unavailable,
        _ => Exit::Failed,
    };
    let failure = Failure::new(exit, error.to_string());
    match (error.problem(), std::error::Error::source(&error)) {
        (Some(problem), _) if !problem.errors.is_empty() => {
            let fields =
                problem.errors.iter().map(|field| format!("{}: {}", field.pointer, field.detail));
            failure.why(fields.collect::<Vec<_>>().join("; "))
        }
        (_, Some(source)) => failure.why(source.to_string()),
        _ => failure,
    }
}
