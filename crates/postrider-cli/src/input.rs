//! What people type: times, files, and secrets that never stand on the command line.

use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postrider_core::input::InputError;
use postrider_core::signing::Secret;
use zeroize::Zeroizing;

use crate::config::{Sources, parse_span};
use crate::exit::{Exit, Failure};

/// The largest file that is read whole: more than any payload may have.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// A moment: RFC 3339, or how long ago, as in `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    At(Timestamp),
    Ago(Duration),
}

impl When {
    /// The moment itself, by the database's clock.
    pub(crate) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => {
                let ago = SignedDuration::try_from(ago).unwrap_or(SignedDuration::MAX);
                now.checked_sub(ago).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

/// Waits for Ctrl-C, or for an init system that says the same.
pub(crate) async fn interruption() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// For clap: a moment.
pub(crate) fn when(text: &str) -> Result<When, String> {
    if let Some(ago) = parse_span(text) {
        return Ok(When::Ago(ago));
    }
    text.parse().map(When::At).map_err(|_| {
        "must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h".to_owned()
    })
}

/// For clap: a length of time.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    parse_span(text).ok_or_else(|| {
        "must be a whole number with its unit: ms, s, m, h or d, such as 30s".to_owned()
    })
}

/// The bytes of a file, or of standard input for `-` or no name.
pub(crate) fn bytes(path: Option<&Path>) -> Result<Vec<u8>, Failure> {
    read(path).map_err(|error| unreadable(path, &error))
}

/// Text given as itself, as `@file`, or as `-` for standard input. What is too large to be read is refused with this code,
/// as a text of that size would be.
pub(crate) fn text(field: &str, too_large: &'static str, value: &str) -> Result<String, Failure> {
    let path = match value.strip_prefix('@') {
        Some(path) => Some(Path::new(path)),
        None if value == "-" => None,
        None => return Ok(value.to_owned()),
    };
    let bytes = match read(path) {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(InputError::new(field, too_large, error.to_string()).into());
        }
        read => read.map_err(|error| unreadable(path, &error))?,
    };
    String::from_utf8(bytes).map_err(|_| Failure::new(Exit::Usage, format!("{field} is not UTF-8")))
}

fn read(path: Option<&Path>) -> io::Result<Vec<u8>> {
    match path.filter(|path| *path != Path::new("-")) {
        None => read_limited(io::stdin().lock()),
        Some(path) => std::fs::File::open(path).and_then(read_limited),
    }
}

fn unreadable(path: Option<&Path>, error: &io::Error) -> Failure {
    let name = match path.filter(|path| *path != Path::new("-")) {
        None => "standard input".to_owned(),
        Some(path) => path.display().to_string(),
    };
    Failure::new(Exit::Usage, format!("cannot read {name}")).why(error.to_string())
}

fn read_limited(from: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "has more than 16 MiB"));
    }
    Ok(bytes)
}

/// Signing secrets for `sink`, `sign` and `verify`: from a file, one a line; from a variable; or, for one to throw away, from the
/// command line. None at all is for the caller to judge.
pub(crate) fn secrets(
    file: Option<&Path>,
    given: &[String],
    variable: &str,
    sources: &Sources,
) -> Result<Vec<Secret>, Failure> {
    let mut texts: Vec<Zeroizing<String>> = given.iter().cloned().map(Zeroizing::new).collect();
    if let Some(file) = file {
        let content = Zeroizing::new(bytes(Some(file))?);
        let content = std::str::from_utf8(&content).map_err(|_| {
            Failure::new(Exit::Usage, format!("{} holds no secrets", file.display()))
        })?;
        texts.extend(
            content
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .map(|line| Zeroizing::new(line.to_owned())),
        );
    }
    if texts.is_empty()
        && let Some((_, value)) =
            sources.environment.iter().find(|(name, value)| name == variable && !value.is_empty())
    {
        texts.extend(
            value
                .split([',', ' '])
                .filter(|text| !text.is_empty())
                .map(|text| Zeroizing::new(text.to_owned())),
        );
    }
    let parsed = texts.iter().map(|text| Secret::parse(text));
    parsed.collect::<Result<_, _>>().map_err(|error| {
        Failure::new(Exit::Usage, "the secret cannot be used")
            .why(error.to_string())
            .remedy("give it as \"endpoints add\" printed it: whsec_…")
    })
}
