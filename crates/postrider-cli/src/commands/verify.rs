//! `postrider verify`: the receiver's check, with the reason where it fails.

use std::path::PathBuf;
use std::time::Duration;

use postrider_core::signing::{Secret, VerifyError, verify};
use serde_json::json;

use super::Ended;
use super::sign::{SECRET_VARIABLE, no_secret, now};
use crate::args::Global;
use crate::config::Sources;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::Output;

/// Options of `verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The body, byte for byte as it came; none or -: standard input
    body: Option<PathBuf>,
    /// The header webhook-id
    #[arg(long, value_name = "ID")]
    id: String,
    /// The header webhook-timestamp
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    timestamp: String,
    /// The header webhook-signature
    #[arg(long, value_name = "SIGNATURES")]
    signature: String,
    /// File with the signing secrets (whsec_…), one a line; else the variable POSTRIDER_SECRET
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// How old, or how far ahead, the timestamp may be
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = input::span)]
    tolerance: Duration,
}

pub(crate) fn run(args: &Args, global: &Global, sources: &Sources) -> Ended {
    let out = Output::new(global.json, global.quiet, global.color, &sources.environment);
    let secrets = input::secrets(args.secret_file.as_deref(), &[], SECRET_VARIABLE, sources)?;
    if secrets.is_empty() {
        return Err(no_secret());
    }
    let body = input::bytes(args.body.as_deref())?;
    match check(args, &secrets, &body) {
        Ok(()) => {
            out.data(&json!({ "verified": true }), || "verified".to_owned());
            Ok(Exit::Done)
        }
        Err(error) => {
            let why = match hint(args, &secrets, &body, &error) {
                Some(hint) => format!("{error}\n{hint}"),
                None => error.to_string(),
            };
            if out.json {
                out.data(&json!({ "verified": false, "reason": why }), String::new);
                return Ok(Exit::Negative);
            }
            Err(Failure::new(Exit::Negative, "not verified").why(why))
        }
    }
}

fn check(args: &Args, secrets: &[Secret], body: &[u8]) -> Result<(), VerifyError> {
    verify(secrets, &args.id, &args.timestamp, &args.signature, body, now(), args.tolerance)
}

/// The usual ways to spoil a body: tried one by one, so that the reason names the one it was.
fn hint(args: &Args, secrets: &[Secret], body: &[u8], error: &VerifyError) -> Option<String> {
    if *error != VerifyError::Mismatch {
        return None;
    }
    let matches = |body: &[u8]| check(args, secrets, body).is_ok();
    if let Some(cut) = body.strip_suffix(b"\n")
        && (matches(cut) || cut.strip_suffix(b"\r").is_some_and(matches))
    {
        return Some("it matches without the last line break: the body was saved with one more than it came with".to_owned());
    }
    if matches(&[body, b"\n"].concat()) {
        return Some(
            "it matches with a line break at the end: the body came with one that was cut off"
                .to_owned(),
        );
    }
    if matches(&without_blanks(body)) {
        return Some(
            "it matches when white space is removed: the body was parsed and written anew"
                .to_owned(),
        );
    }
    None
}

/// JSON without the white space outside its strings.
fn without_blanks(json: &[u8]) -> Vec<u8> {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |byte: &u8| {
        let kept = in_string || !byte.is_ascii_whitespace();
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
        kept
    };
    json.iter().copied().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_go_outside_strings_only() {
        let body = b"{ \"a b\" : [ 1,\n 2 ], \"c\\\" d\": \"\\\\\" }";
        assert_eq!(without_blanks(body), b"{\"a b\":[1,2],\"c\\\" d\":\"\\\\\"}");
    }
}
