//! What became of a publish.

use crate::PublishError;

/// What became of an event that was published without an error.
#[must_use = "a conflict or a closed switch means that the event was not written"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Published {
    /// The event exists if and only if the caller's transaction commits.
    Inserted,
    /// The same event was published before; nothing was written, nothing is lost.
    Duplicate,
    /// An event of this id exists with other content; nothing was written. Either the key is too short, or the content
    /// of something immutable changed.
    Conflict,
    /// A kill switch is closed; nothing was written, and the caller may commit.
    Disabled,
}

impl Published {
    /// Whether this call wrote the event.
    #[must_use]
    pub fn is_inserted(self) -> bool {
        self == Self::Inserted
    }

    /// Whether the event exists once the caller has committed, written by this call or before.
    #[must_use]
    pub fn exists(self) -> bool {
        matches!(self, Self::Inserted | Self::Duplicate)
    }

    pub(crate) fn parse(answer: &str) -> Option<Self> {
        match answer {
            "inserted" => Some(Self::Inserted),
            "duplicate" => Some(Self::Duplicate),
            "conflict" => Some(Self::Conflict),
            "disabled" => Some(Self::Disabled),
            _ => None,
        }
    }
}

/// What became of a best-effort publish. There is no error to return: the caller's transaction goes on in every case.
#[must_use = "a best-effort publish may not have written the event"]
#[derive(Debug)]
pub enum BestEffort {
    /// The publish was carried out.
    Done(Published),
    /// The publish failed for this reason, was undone, and was recorded.
    Failed(PublishError),
}
