//! What can go wrong: the API says no, or nobody answers.

use std::error::Error as Cause;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API answered with a problem.
    #[error("{} ({}, request {})", .0.detail, .0.code, .0.request_id)]
    Problem(Box<Problem>),
    /// No answer came: the connection was refused, lost, or took too long. It may have been carried out.
    #[error("the API gave no answer")]
    Unreachable(#[source] Box<dyn Cause + Send + Sync>),
    /// The answer is none that this version of the client knows.
    #[error("the API answered {status} with something unknown")]
    UnknownAnswer {
        /// Its status.
        status: StatusCode,
        /// What was wrong with it.
        source: serde_json::Error,
    },
    /// What was handed in cannot be sent: a URL, a key, or data that is no JSON.
    #[error("{0}")]
    Input(String),
}

impl Error {
    /// The problem, if the API answered with one.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// The stable code of the problem, such as `event.conflict`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.problem().map(|problem| &*problem.code)
    }
}

/// A problem as the API tells it (RFC 9457).
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What a program goes by.
    pub code: String,
    /// For people.
    #[serde(default)]
    pub detail: String,
    /// What stands beside it in the daemon's log and audit log.
    #[serde(default)]
    pub request_id: String,
    /// The fields to blame.
    #[serde(default)]
    pub errors: Vec<FieldError>,
}

pub use crate::types::FieldError;

/// A value as JSON to be published, kept byte for byte.
///
/// # Errors
/// [`Error::Input`] for a value that JSON cannot hold.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Box<RawValue>, Error> {
    serde_json::value::to_raw_value(value).map_err(|error| Error::Input(format!("data: {error}")))
}
