//! `postrider sign`: the three headers that postrider would send with a body.

use std::path::PathBuf;

use jiff::Timestamp;
use postrider_core::signing::Signer;
use serde_json::json;

use super::Ended;
use crate::args::Global;
use crate::config::Sources;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::Output;

/// The variable that holds the secret where no file does.
pub(crate) const SECRET_VARIABLE: &str = "POSTRIDER_SECRET";

/// Options of `sign`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The body; none or -: standard input
    body: Option<PathBuf>,
    /// The event id, sent as webhook-id
    #[arg(long, value_name = "ID")]
    id: String,
    /// Seconds since 1970, sent as webhook-timestamp; none: now
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    timestamp: Option<i64>,
    /// File with the signing secrets (whsec_…), one a line; else the variable POSTRIDER_SECRET
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, global: &Global, sources: &Sources) -> Ended {
    let out = Output::new(global.json, global.quiet, global.color, &sources.environment);
    let secrets = input::secrets(args.secret_file.as_deref(), &[], SECRET_VARIABLE, sources)?;
    if secrets.is_empty() {
        return Err(no_secret());
    }
    let body = input::bytes(args.body.as_deref())?;
    let timestamp = args.timestamp.unwrap_or_else(|| now().as_second());
    let signature = Signer::new(&secrets).sign(&args.id, timestamp, &body);
    let document = json!({ "webhook-id": args.id, "webhook-timestamp": timestamp.to_string(), "webhook-signature": signature });
    out.data(&document, || {
        format!(
            "webhook-id: {}\nwebhook-timestamp: {timestamp}\nwebhook-signature: {signature}",
            args.id
        )
    });
    Ok(Exit::Done)
}

/// There is nothing to sign or to verify with.
pub(crate) fn no_secret() -> Failure {
    Failure::new(Exit::Usage, "there is no secret")
        .remedy(format!("--secret-file FILE, or the variable {SECRET_VARIABLE}"))
}

/// This machine's clock: a receiver has no other.
#[expect(
    clippy::disallowed_methods,
    reason = "who receives judges the age of a request by the clock of the receiving machine"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
