//! The exit codes, and what a failure says: what failed, why, and what to do about it.

use std::fmt;

use postrider_core::input::InputError;
use postrider_embedded_pg::EmbeddedPgError;
use postrider_store::{ErrorKind, StoreError};

/// How the process ends. The numbers are part of the command line's contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done; an empty list is done too.
    Done = 0,
    /// The operation failed.
    Failed = 1,
    /// Wrong usage, or a confirmation is missing.
    Usage = 2,
    /// The check, or what was waited for, came out negative.
    Negative = 3,
    /// Not authenticated, or not allowed.
    Denied = 4,
    /// There is no such object.
    Missing = 5,
    /// The database or a server cannot be reached.
    Unavailable = 69,
    /// Try again later: waiting took too long, or somebody else holds a lock.
    TryLater = 75,
    /// The configuration is wrong, or the schema is too old or too new.
    Config = 78,
    /// Interrupted.
    Interrupted = 130,
}

/// The table for `--help`.
pub(crate) const HELP: &str = "Exit codes:
  0   done (an empty list is done too)
  1   the operation failed
  2   wrong usage, or a confirmation is missing
  3   the check, or what was waited for, came out negative
  4   not authenticated, or not allowed
  5   there is no such object
  69  the database or a server cannot be reached
  75  try again later: waiting took too long, or somebody else holds a lock
  78  the configuration is wrong, or the schema is too old or too new
  130 interrupted";

/// A command that did not do what it was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub exit: Exit,
    /// What failed: one line, lower case, no full stop.
    pub what: String,
    /// Why, if there is more to say than what.
    pub why: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), why: None, remedy: None }
    }

    #[must_use]
    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same failure, with its first line saying what was wanted.
    #[must_use]
    pub(crate) fn doing(mut self, what: impl Into<String>) -> Self {
        let cause = std::mem::replace(&mut self.what, what.into());
        self.why = Some(match self.why {
            Some(why) => format!("{cause}: {why}"),
            None => cause,
        });
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for (label, text) in [("why:", &self.why), ("do:", &self.remedy)] {
            let Some(text) = text else { continue };
            for (number, line) in text.lines().enumerate() {
                write!(f, "\n  {:<5}{line}", if number == 0 { label } else { "" })?;
            }
        }
        Ok(())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (exit, what, remedy) = judged(&error);
        let mut failure = Failure::new(exit, what).why(error.to_string());
        failure.remedy = remedy.map(str::to_owned);
        failure
    }
}

/// What a database error means for whoever typed the command.
fn judged(error: &StoreError) -> (Exit, &'static str, Option<&'static str>) {
    match error.sqlstate() {
        Some("3D000") => {
            return (
                Exit::Config,
                "there is no such database",
                Some("create it, or correct database.url"),
            );
        }
        Some("3F000" | "42P01" | "42883" | "42703") => {
            return (
                Exit::Config,
                "the database has no postrider schema, or an older one",
                Some("postrider migrate up"),
            );
        }
        Some("54000") => {
            return (
                Exit::Failed,
                "the limit is reached",
                Some(
                    "delete what is not needed, or raise the limit in the table postrider.installation",
                ),
            );
        }
        Some("42501") => {
            return (
                Exit::Denied,
                "the database user may not do this",
                Some(
                    "grant what is missing (deploy/roles.sql), or use another user in database.url",
                ),
            );
        }
        // The driver's own words: there is no code for it.
        None if error.to_string().contains("does not support TLS") => {
            return (
                Exit::Config,
                "the database server does not speak TLS, which is demanded of every server that is not local",
                Some(
                    "switch TLS on there; or, where the network is trusted, add ?sslmode=disable to database.url",
                ),
            );
        }
        None if error.to_string().contains("is different than filesystem one") => {
            return (
                Exit::Config,
                "the database was migrated by another build, whose migrations are not ours",
                Some("use that build, or another database (the embedded one lies in data_dir)"),
            );
        }
        _ => {}
    }
    match error.kind() {
        ErrorKind::Unavailable => (
            Exit::Unavailable,
            "the database cannot be reached",
            Some("check that the server runs, and host and port in database.url"),
        ),
        ErrorKind::Retryable => {
            (Exit::TryLater, "the database is busy with the same rows", Some("try again"))
        }
        ErrorKind::Denied => (
            Exit::Denied,
            "the database does not let us in",
            Some("check user and password in database.url"),
        ),
        ErrorKind::ReadOnly => (
            Exit::Unavailable,
            "the database takes no writes",
            Some(
                "use the primary server; a standby, or default_transaction_read_only = on, cannot be used",
            ),
        ),
        ErrorKind::Resources => (
            Exit::Unavailable,
            "the database server has no room left",
            Some("make room on its disk or in its memory"),
        ),
        ErrorKind::Content => (Exit::Failed, "the database refused the data", None),
        ErrorKind::Other => (Exit::Failed, "the database reported an error", None),
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Failure::new(Exit::Usage, error.to_string())
    }
}

impl From<EmbeddedPgError> for Failure {
    fn from(error: EmbeddedPgError) -> Self {
        let text = with_causes(&error);
        let exit = match error {
            EmbeddedPgError::NoBinaries { .. } | EmbeddedPgError::CannotLeaveRoot { .. } => {
                Exit::Unavailable
            }
            EmbeddedPgError::UnusableBinDir { .. } | EmbeddedPgError::WrongVersion { .. } => {
                Exit::Config
            }
            EmbeddedPgError::TimedOut { .. } => Exit::TryLater,
            _ => Exit::Unavailable,
        };
        Failure::new(exit, "the embedded PostgreSQL server is not available").why(text).remedy(
            "correct that, or use a server of your own: --database-url or POSTRIDER_DATABASE_URL",
        )
    }
}

/// An error and its causes on one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let failure = Failure::new(Exit::Config, "the schema is old")
            .why("version 1\nneeds 2")
            .remedy("postrider migrate up");
        assert_eq!(
            failure.to_string(),
            "the schema is old\n  why: version 1\n       needs 2\n  do:  postrider migrate up"
        );
        let wrapped = failure.doing("cannot run");
        assert_eq!(wrapped.what, "cannot run");
        assert_eq!(wrapped.why.as_deref(), Some("the schema is old: version 1\nneeds 2"));
    }
}
