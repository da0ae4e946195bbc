//! A COMMIT that says when it became a ROLLBACK.

use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use crate::error::is_retryable_state;
use crate::transaction::PgTransaction;

/// Why a transaction is not, or perhaps not, committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// An earlier statement had failed and its error was passed over. Everything was rolled back.
    #[error("the transaction was aborted by an earlier error and has been rolled back")]
    Aborted,
    /// The database refused, or was lost before COMMIT was sent. Everything was rolled back.
    #[error("commit the transaction")]
    Refused {
        /// The driver's error.
        source: Error,
    },
    /// The connection was lost while COMMIT was under way: it may or may not have happened. Publish the same event
    /// again to find out: `Duplicate` says that it had.
    #[error("commit the transaction: its outcome is unknown")]
    Unknown {
        /// The driver's error.
        source: Error,
    },
}

impl CommitError {
    /// Whether running the whole transaction again may succeed, and cannot do its work twice: a serialization failure
    /// or deadlock found at commit.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Refused { source } if source.code().is_some_and(is_retryable_state))
    }
}

/// Commits, and fails if PostgreSQL would roll back instead.
///
/// In a transaction that an error has aborted, PostgreSQL answers COMMIT by rolling back, which is no error; only the
/// command tag says so, and tokio-postgres does not look at it: `commit()` answers `Ok` and nothing was written. This
/// happens to a caller that passes over an error, of a publish or of any other statement.
///
/// The tag cannot be had through the driver's public interface, so the transaction is asked first: `SELECT 1` fails
/// with 25P02 in an aborted one. As the transaction is taken by value, nothing can come between the question and
/// COMMIT, and what was sent before it (also by futures dropped since) has been answered when it is. It costs one round
/// trip more than `commit()`. `txid_status` would need two, and an id drawn in advance.
///
/// # Errors
/// See [`CommitError`]. Only after `Unknown` is it open whether the transaction took place.
pub async fn checked_commit<T: PgTransaction>(tx: T) -> Result<(), CommitError> {
    match tx.driver().batch_execute("SELECT 1").await {
        Ok(()) => {}
        // Dropping the transaction rolls it back.
        Err(error) if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION) => {
            return Err(CommitError::Aborted);
        }
        Err(source) => return Err(CommitError::Refused { source }),
    }
    tx.finish().await.map_err(|source| {
        if was_answered(&source) {
            CommitError::Refused { source }
        } else {
            CommitError::Unknown { source }
        }
    })
}

/// Whether the database itself answered COMMIT with an error and lived on: then it rolled back.
fn was_answered(error: &Error) -> bool {
    error.as_db_error().is_some_and(|error| error.parsed_severity() == Some(Severity::Error))
}
