//! Journals: what publishers, receivers and faults did, one JSON line each, for the checker to read when all is over.
//!
//! A line is written with one write to a file opened for appending, so a process killed at any moment leaves whole
//! lines, and several threads may share a journal. Times are [`crate::monotonic_ns`]: one clock for all processes of a
//! machine. Each process keeps files of its own; [`Journals::read`] takes all of a folder by the first word of their
//! names: `publisher*.jsonl`, `sink*.jsonl`, `endpoints*.jsonl`, `faults*.jsonl`, `observations*.jsonl`.

mod read;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use self::read::{JournalError, Journals};
use crate::receiver::Received;

/// A journal being written.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

impl Journal {
    /// Opens a journal to be continued, or begins it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn append(path: &Path) -> io::Result<Journal> {
        OpenOptions::new().create(true).append(true).open(path).map(|file| Journal { file })
    }

    /// Writes one entry.
    ///
    /// # Panics
    /// When that fails: a run whose journal has gaps proves nothing.
    pub fn write<T: Serialize>(&self, entry: &T) {
        let mut line = serde_json::to_vec(entry).expect("an entry is plain data");
        line.push(b'\n');
        let mut file = &self.file;
        match file.write(&line) {
            Ok(written) if written == line.len() => {}
            Ok(written) => panic!("the journal took {written} of {} bytes", line.len()),
            Err(error) => panic!("cannot write the journal: {error}"),
        }
    }

    /// Writes one entry and waits until it is on disk: for an intent, before its COMMIT is sent.
    ///
    /// # Panics
    /// As [`Journal::write`].
    pub fn write_through<T: Serialize>(&self, entry: &T) {
        self.write(entry);
        if let Err(error) = self.file.sync_data() {
            panic!("cannot sync the journal: {error}");
        }
    }
}

/// What a publisher did. `txn` names a transaction, uniquely in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PublisherEntry {
    /// It published an event and is about to commit or roll back; one entry for each event.
    Intent {
        /// The transaction.
        txn: String,
        /// The transaction's number in the database: `pg_current_xact_id()`.
        xid: u64,
        /// Whose event it is.
        tenant: String,
        /// The event's id.
        id: String,
        /// The event's type.
        #[serde(rename = "type")]
        event_type: String,
        /// SHA-256 of `data`, byte for byte as published, in hex ([`sha256_hex`]).
        body_sha256: String,
        /// When, before COMMIT or ROLLBACK was sent.
        t: u64,
    },
    /// The database confirmed the commit.
    Ok {
        /// The transaction.
        txn: String,
        /// When the answer came.
        t: u64,
    },
    /// It was rolled back, or the database refused the commit.
    Abort {
        /// The transaction.
        txn: String,
        /// When that was certain.
        t: u64,
    },
}

/// How much of an answer left the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// All of it.
    Full,
    /// Some of it, perhaps.
    Partial,
    /// Nothing.
    None,
}

/// What a receiver saw and did. `sequence` numbers the requests of one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SinkEntry {
    /// A request arrived whole; nothing of the answer has left.
    Recv {
        /// The request.
        sequence: u64,
        /// The last part of the path: it names the endpoint without trusting the sender.
        token: String,
        /// The header `webhook-id`.
        id: String,
        /// The header `webhook-attempt`, if it is a number.
        attempt: Option<u32>,
        /// SHA-256 of the whole body, in hex.
        body_sha256: String,
        /// SHA-256 of the envelope's `data`, byte for byte, in hex; `None` if the body is no envelope.
        data_sha256: Option<String>,
        /// How many requests were open here, this one included.
        open: u64,
        /// When.
        t: u64,
    },
    /// The answer to a request left, or will not any more.
    Resp {
        /// The request.
        sequence: u64,
        /// Its status; `None` if nothing was answered.
        status: Option<u16>,
        /// How much of it left.
        how: How,
        /// When.
        t: u64,
    },
}

impl SinkEntry {
    pub(crate) fn received(request: &Received, open: u64) -> SinkEntry {
        let path = request.path.split('?').next().unwrap_or_default();
        SinkEntry::Recv {
            sequence: request.sequence,
            token: path.rsplit('/').next().unwrap_or_default().to_owned(),
            id: request.id().to_owned(),
            attempt: request.header("webhook-attempt").parse().ok(),
            body_sha256: sha256_hex(&request.body),
            data_sha256: data_of_envelope(&request.body).map(sha256_hex),
            open,
            t: request.at_ns,
        }
    }

    pub(crate) fn answered(sequence: u64, status: Option<u16>, how: How) -> SinkEntry {
        SinkEntry::Resp { sequence, status, how, t: crate::monotonic_ns() }
    }
}

/// An endpoint of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointEntry {
    /// The last part of its URL's path: random, and of no other endpoint.
    pub token: String,
    /// Its id.
    pub endpoint: Uuid,
    /// Whose it is.
    pub tenant: String,
    /// What it subscribed to: exact types, `a.*`, `*`.
    pub event_types: Vec<String>,
    /// From when on it certainly existed: events published later must be delivered to it.
    pub since: u64,
    /// From when on it was perhaps disabled or deleted, if ever: events published later need not be delivered.
    pub until: Option<u64>,
}

/// A fault that was injected, or struck by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultEntry {
    /// What: `kill_worker`, `kill_postgres`, `terminate_backends`, `stop_worker`, …
    pub fault: String,
    /// When it began.
    pub from: u64,
    /// When it was over: the process was dead, or ran again.
    pub until: u64,
    /// How many deliveries, at most, were between claim and record then: so many duplicates it excuses.
    pub in_flight: u64,
}

/// A delivery's row as somebody saw it in the middle of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservationEntry {
    /// The delivery's id.
    pub delivery: Uuid,
    /// Its status.
    pub status: String,
    /// The number of its lease.
    pub lease_no: i32,
    /// How many attempts it counted.
    pub attempts: i16,
    /// When.
    pub t: u64,
}

/// SHA-256 in hex, as the journals want it.
#[must_use]
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The bytes of `data` in a standard envelope, where it stands last. What stands before it can hold no quotation mark.
pub(crate) fn data_of_envelope(body: &[u8]) -> Option<&[u8]> {
    const MARK: &[u8] = b",\"data\":";
    let head = body.get(..body.len().min(512))?;
    let begin = head.windows(MARK.len()).position(|w| w == MARK)? + MARK.len();
    body.strip_suffix(b"}")?.get(begin..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_found_byte_for_byte() {
        let envelope = |data: &str| {
            format!(
                r#"{{"event":"a.b","id":"evt_1","created_at":"2026-11-21T08:00:00.000000Z","data":{data}}}"#
            )
        };
        for data in ["{}", r#" {"data": 1,"x":",\"data\":"} "#, "null", r#"[1E2, "}"]"#] {
            assert_eq!(
                data_of_envelope(envelope(data).as_bytes()),
                Some(data.as_bytes()),
                "{data}"
            );
        }
        assert_eq!(data_of_envelope(b"hello"), None);
        assert_eq!(data_of_envelope(b""), None);
    }
}
