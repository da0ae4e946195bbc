//! What can go wrong while publishing, and what the caller may do about it.

use postrider_event::InvalidEvent;
use tokio_postgres::error::SqlState;

use crate::driver_error::DriverError;

/// Why a publish failed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The event breaks a rule. Nothing was written: the caller's transaction is as it was.
    #[error("the event is not valid")]
    Invalid(#[from] InvalidEvent),
    /// In strict mode: an event of this id exists with other content. Nothing was written for it.
    #[error("event {id} of tenant {tenant} was published before with other content")]
    Conflict {
        /// The tenant of the event.
        tenant: String,
        /// The id that is taken.
        id: String,
    },
    /// The database refused, or could not be reached. PostgreSQL has aborted the caller's transaction: roll it back.
    #[error("publish {what}")]
    Database {
        /// What was being published.
        what: String,
        /// The SQLSTATE, where the driver tells it.
        sqlstate: Option<SqlState>,
        /// The driver's error.
        source: DriverError,
    },
    /// The connection is in no transaction. No SQL was run: an event belongs to one.
    #[error("publish {what}: the connection is in no transaction")]
    NoTransaction {
        /// What was being published.
        what: String,
    },
    /// The database gave an answer that this version of the library does not know; its schema is newer.
    #[error("publish {what}: the database answered {answer:?}, which this version does not know")]
    UnknownAnswer {
        /// What was being published.
        what: String,
        /// The answer.
        answer: String,
    },
}

impl PublishError {
    /// Whether running the *whole transaction* again may succeed.
    ///
    /// True for a deadlock (40P01) and a serialization failure (40001), both possible only when another transaction
    /// publishes the same id at the same time, and for a lock time-out (55P03) that the caller has set.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.sqlstate().is_some_and(is_retryable_state)
    }

    /// The SQLSTATE, if the database gave one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&SqlState> {
        match self {
            Self::Database { sqlstate, .. } => sqlstate.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn database(what: String, source: impl Into<DriverError>) -> Self {
        let source = source.into();
        Self::Database { what, sqlstate: source.sqlstate(), source }
    }

    /// One line for the failure table and the log: SQLSTATE and message as PostgreSQL gave them, or the rule broken.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Invalid(fault) => fault.to_string(),
            Self::Database { sqlstate, source, .. } => match (sqlstate, source.message()) {
                (Some(state), Some(message)) => format!("{} {message}", state.code()),
                (None, Some(message)) => message.to_owned(),
                (_, None) => with_causes(source),
            },
            other => other.to_string(),
        }
    }
}

pub(crate) fn is_retryable_state(state: &SqlState) -> bool {
    [
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::LOCK_NOT_AVAILABLE,
    ]
    .contains(state)
}

/// The error and its causes in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
