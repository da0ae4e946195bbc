//! The envelope: what a subscriber receives as the body of a request.
//! Composed by the database when the event is published; parsed here by receivers written in Rust.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The body of a request: `{"event", "id", "created_at", "data"}`, in this order.
///
/// Verify the signature over the bytes received first; then parse them. Keys added by a later version are ignored.
///
/// ```
/// use postrider_event::Envelope;
///
/// #[derive(serde::Deserialize)]
/// struct Received { subject: String }
///
/// let body = br#"{"event":"email.received","id":"evt_1","created_at":"2026-01-02T03:04:05.678901Z","data":{"subject":"Hello"}}"#;
/// let envelope = Envelope::parse(body)?;
/// assert_eq!(envelope.event, "email.received");
/// assert_eq!(envelope.data_as::<Received>()?.subject, "Hello");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// The event type.
    pub event: String,
    /// The event id: the same on every attempt, and equal to the header `webhook-id`. De-duplicate by it.
    pub id: String,
    /// When the event was published, by the database's clock: RFC 3339, UTC, microseconds.
    pub created_at: String,
    /// The producer's payload, as the text it was published with.
    pub data: Box<RawValue>,
}

impl Envelope {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// When the body is no envelope.
    pub fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }

    /// The payload as a type of the receiver's own.
    ///
    /// # Errors
    /// When the payload does not have that shape.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data.get())
    }
}
