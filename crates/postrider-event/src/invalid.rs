//! What is wrong with an event, said before any SQL runs.
//! Fields and codes are those that `postrider.publish_v1` uses, so a caller can treat both alike.

/// Why an event cannot be published: the field, a stable code, and a sentence for people.
///
/// Nothing was sent to the database, so the caller's transaction is untouched. The text never repeats the offending
/// value: it may be long, or not for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail} ({code})")]
pub struct InvalidEvent {
    /// The argument at fault, such as `tenant` or `data`; in a batch with its place, such as `events[3].tenant`.
    pub field: String,
    /// A stable code such as `payload.size`.
    pub code: &'static str,
    /// The rule that was broken.
    pub detail: String,
}

impl InvalidEvent {
    pub(crate) fn new(
        field: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), code, detail: detail.into() }
    }

    /// The same fault, named as that of the event at `index` of a batch.
    #[must_use]
    pub fn in_batch(mut self, index: usize) -> Self {
        self.field = format!("events[{index}].{}", self.field);
        self
    }
}
