//! Reads the journals of a run.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{EndpointEntry, FaultEntry, ObservationEntry, PublisherEntry, SinkEntry};

/// All that was written down in one run.
#[derive(Debug, Default, Clone)]
pub struct Journals {
    /// What the publishers did.
    pub publisher: Vec<PublisherEntry>,
    /// What the receivers saw. Sequences of different receivers must differ; [`Journals::read`] sees to it.
    pub sink: Vec<SinkEntry>,
    /// The endpoints.
    pub endpoints: Vec<EndpointEntry>,
    /// The faults.
    pub faults: Vec<FaultEntry>,
    /// Rows seen in the middle of the run.
    pub observations: Vec<ObservationEntry>,
}

/// Why journals cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is no entry.
    #[error("line {line} of {} is no entry", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// More requests than one receiver ever gets: the distance between the sequences of two.
const RECEIVER_STRIDE: u64 = 1 << 40;

impl Journals {
    /// Reads all journals of a folder.
    ///
    /// # Errors
    /// When a file cannot be read, or a line that was written whole is no entry.
    pub fn read(folder: &Path) -> Result<Journals, JournalError> {
        let io = |source| JournalError::Io { path: folder.to_owned(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(io)? {
            files.push(entry.map_err(io)?.path());
        }
        files.sort();
        let mut journals = Journals::default();
        let mut receivers = 0;
        for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "jsonl")) {
            let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if name.starts_with("publisher") {
                journals.publisher.extend(entries(file)?);
            } else if name.starts_with("sink") {
                journals.sink.extend(
                    entries(file)?
                        .into_iter()
                        .map(|entry| renumbered(entry, receivers * RECEIVER_STRIDE)),
                );
                receivers += 1;
            } else if name.starts_with("endpoints") {
                journals.endpoints.extend(entries(file)?);
            } else if name.starts_with("faults") {
                journals.faults.extend(entries(file)?);
            } else if name.starts_with("observations") {
                journals.observations.extend(entries(file)?);
            }
        }
        Ok(journals)
    }
}

fn renumbered(mut entry: SinkEntry, by: u64) -> SinkEntry {
    match &mut entry {
        SinkEntry::Recv { sequence, .. } | SinkEntry::Resp { sequence, .. } => *sequence += by,
    }
    entry
}

/// The entries of one file. A last line without its end was cut off by a full disk or a crash of the machine: no entry.
fn entries<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, JournalError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|source| JournalError::Entry {
            path: path.to_owned(),
            line: number + 1,
            source,
        })
    };
    whole.lines().enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{How, Journal};

    #[test]
    fn what_was_written_is_read_back_and_a_torn_last_line_is_not() {
        let folder = std::env::temp_dir().join(format!("journals-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let resp = |sequence| SinkEntry::Resp { sequence, status: Some(200), how: How::Full, t: 5 };
        for name in ["sink-1.jsonl", "sink-2.jsonl"] {
            Journal::append(&folder.join(name)).unwrap().write(&resp(3));
        }
        let ok = PublisherEntry::Ok { txn: "a".to_owned(), t: 1 };
        Journal::append(&folder.join("publisher-1.jsonl")).unwrap().write_through(&ok);
        let torn = std::fs::read_to_string(folder.join("publisher-1.jsonl")).unwrap()
            + "{\"kind\":\"ok\",\"tx";
        std::fs::write(folder.join("publisher-1.jsonl"), torn).unwrap();

        let journals = Journals::read(&folder).unwrap();
        assert_eq!(journals.publisher, [ok]);
        assert_eq!(journals.sink, [resp(3), resp(3 + RECEIVER_STRIDE)]);

        std::fs::write(folder.join("faults.jsonl"), "{}\n").unwrap();
        assert!(Journals::read(&folder).unwrap_err().to_string().starts_with("line 1 of"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
