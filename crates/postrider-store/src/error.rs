//! One error type: what we were doing, what came back, and what a caller may do about it.

use std::error::Error as _;
use std::time::Duration;

use tokio_postgres::error::SqlState;

/// A failure of the database or of the way to it. `Display` says what was being done; the cause is in `source()`.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {}", detail(.source))]
pub struct StoreError {
    /// What we were doing: a statement's name such as `events/claim`, or a sentence.
    pub doing: &'static str,
    source: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Pool(#[from] deadpool_postgres::PoolError),
    #[error("no answer within {0:?}")]
    Silence(Duration),
    #[error("{0}")]
    Other(String),
}

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The database cannot be reached or is shutting down or starting: try again with backoff.
    Unavailable,
    /// Deadlock, serialization failure or a lock time-out: the same work may be tried again at once.
    Retryable,
    /// The data of the statement was refused (SQLSTATE classes 22 and 23).
    Content,
    /// Not allowed: wrong password or missing privileges.
    Denied,
    /// The database takes no writes: a standby, or `default_transaction_read_only`.
    ReadOnly,
    /// The server has no room: disk full or out of memory.
    Resources,
    /// Anything else.
    Other,
}

impl StoreError {
    pub(crate) fn new(doing: &'static str, source: impl Into<CauseOf>) -> Self {
        Self { doing, source: source.into().0 }
    }

    /// An error of our own, without a cause in the driver.
    #[must_use]
    pub fn other(doing: &'static str, detail: impl Into<String>) -> Self {
        Self { doing, source: Cause::Other(detail.into()) }
    }

    /// An error of the driver that came from a connection we gave away with [`crate::Connect::client`].
    #[must_use]
    pub fn driver(doing: &'static str, error: tokio_postgres::Error) -> Self {
        Self::new(doing, error)
    }

    /// The server can be reached and says nothing.
    #[must_use]
    pub fn silence(doing: &'static str, limit: Duration) -> Self {
        Self { doing, source: Cause::Silence(limit) }
    }

    /// What a caller may do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        let error = match &self.source {
            Cause::Postgres(error) | Cause::Pool(deadpool_postgres::PoolError::Backend(error)) => {
                error
            }
            Cause::Pool(_) | Cause::Silence(_) => return ErrorKind::Unavailable,
            Cause::Other(_) => return ErrorKind::Other,
        };
        let Some(code) = error.code() else { return ErrorKind::Unavailable };
        match code.code().get(..2) {
            Some("08" | "57") if *code != SqlState::QUERY_CANCELED => ErrorKind::Unavailable,
            Some("22" | "23") => ErrorKind::Content,
            Some("28") => ErrorKind::Denied,
            Some("40") => ErrorKind::Retryable,
            Some("53") if *code == SqlState::TOO_MANY_CONNECTIONS => ErrorKind::Unavailable,
            Some("53") => ErrorKind::Resources,
            _ => match *code {
                SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED => ErrorKind::Retryable,
                SqlState::INSUFFICIENT_PRIVILEGE => ErrorKind::Denied,
                SqlState::READ_ONLY_SQL_TRANSACTION => ErrorKind::ReadOnly,
                _ => ErrorKind::Other,
            },
        }
    }

    /// The server's SQLSTATE, if the server answered.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        match &self.source {
            Cause::Postgres(error) | Cause::Pool(deadpool_postgres::PoolError::Backend(error)) => {
                error.code().map(SqlState::code)
            }
            _ => None,
        }
    }

    /// What the server said, without its codes; only for errors of the server.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        let (Cause::Postgres(error) | Cause::Pool(deadpool_postgres::PoolError::Backend(error))) =
            &self.source
        else {
            return None;
        };
        error.as_db_error().map(|error| error.message().to_owned())
    }
}

/// Anything that can be the cause of a [`StoreError`].
pub(crate) struct CauseOf(Cause);

impl From<tokio_postgres::Error> for CauseOf {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(error.into())
    }
}

impl From<deadpool_postgres::PoolError> for CauseOf {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self(error.into())
    }
}

/// tokio-postgres says only "db error"; the server's message and code are one level down.
fn detail(cause: &Cause) -> String {
    let error = match cause {
        Cause::Postgres(error) | Cause::Pool(deadpool_postgres::PoolError::Backend(error)) => error,
        other => return other.to_string(),
    };
    match error.as_db_error() {
        Some(db) => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
        None => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
