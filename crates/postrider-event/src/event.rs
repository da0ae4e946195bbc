//! An event, and the builder that makes one.
//! Building never judges: `validate.rs` does, just before the event is published, so that a best-effort publish can
//! report a bad event instead of failing in the caller's hands.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::attribute::{Attributes, to_json};
use crate::{AttributeValue, EventId, EventType, InvalidEvent};

/// The tenant of an event that names none.
pub const DEFAULT_TENANT: &str = "default";

/// A fact to be published: what happened, to whom it belongs, what filters may look at, and the payload.
///
/// ```
/// use postrider_event::{EMAIL_RECEIVED, Event};
///
/// let event = Event::new(EMAIL_RECEIVED, "acme")
///     .id_from(["m1"])
///     .attribute("agent_id", "a7")
///     .labels(["vip"])
///     .data_text(r#"{"subject":"Hello"}"#);
/// assert_eq!(event.id(), "evt_4ceb14256434fce4567cf19595d33e56");
/// ```
#[derive(Clone)]
pub struct Event {
    pub(crate) event_type: EventType,
    pub(crate) tenant: String,
    pub(crate) id: String,
    pub(crate) data: String,
    pub(crate) attributes: Attributes,
    pub(crate) labels: Vec<String>,
    pub(crate) ordering_key: Option<String>,
    pub(crate) expires_after: Option<Duration>,
    pub(crate) traceparent: Option<String>,
    /// What went wrong while building; `validate` returns it first.
    pub(crate) fault: Option<InvalidEvent>,
}

impl Event {
    /// Starts an event of `tenant`. Nothing is checked before it is published.
    #[expect(
        clippy::new_ret_no_self,
        reason = "reads as the sentence it is; the builder is a detail of the way"
    )]
    pub fn new(event_type: EventType, tenant: impl Into<String>) -> EventBuilder {
        EventBuilder {
            id: None,
            event: Self {
                event_type,
                tenant: tenant.into(),
                id: String::new(),
                data: String::new(),
                attributes: Attributes::new(),
                labels: Vec::new(),
                ordering_key: None,
                expires_after: None,
                traceparent: None,
                fault: None,
            },
        }
    }

    /// Starts an event of the tenant `default`, for services that have only one.
    pub fn of(event_type: EventType) -> EventBuilder {
        Self::new(event_type, DEFAULT_TENANT)
    }

    /// The type.
    #[must_use]
    pub fn event_type(&self) -> &EventType {
        &self.event_type
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The id: derived, the caller's own, or the random one drawn when the event was built.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The payload, as the JSON text that subscribers get byte for byte.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.data
    }

    /// The attributes as a JSON object, or `None` when there are none.
    #[must_use]
    pub fn attributes_json(&self) -> Option<String> {
        (!self.attributes.is_empty()).then(|| to_json(&self.attributes))
    }

    /// The labels, in the order given.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The key within which subscribers may ask for order.
    #[must_use]
    pub fn ordering_key(&self) -> Option<&str> {
        self.ordering_key.as_deref()
    }

    /// How long after its publication the event is worth delivering.
    #[must_use]
    pub fn expires_after(&self) -> Option<Duration> {
        self.expires_after
    }

    /// The trace that the event belongs to.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// Whether both say the same: type, payload, attributes, labels and ordering key. This is what the database
    /// compares when an id comes twice: the same content is a duplicate, other content a conflict.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        self.event_type == other.event_type
            && self.data == other.data
            && self.attributes == other.attributes
            && self.labels == other.labels
            && self.ordering_key == other.ordering_key
    }
}

/// Shows the size of the payload, never the payload: events end up in logs.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("event_type", &self.event_type)
            .field("tenant", &self.tenant)
            .field("id", &self.id)
            .field("data_bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}

/// An event in the making; [`data`](Self::data) or [`data_text`](Self::data_text) ends it.
#[derive(Debug, Clone)]
#[must_use = "an event is built by data() or data_text()"]
pub struct EventBuilder {
    event: Event,
    id: Option<String>,
}

impl EventBuilder {
    /// Derives the id from the event's natural key, see [`EventId::derive`]. The last of `id_from`, `id` and
    /// `random_id` counts; without any of them the id is random.
    pub fn id_from<P: AsRef<str>>(mut self, key: impl IntoIterator<Item = P>) -> Self {
        match EventId::derive(&self.event.event_type, key) {
            Ok(id) => self.id(id),
            Err(fault) => {
                self.event.fault = Some(fault);
                self
            }
        }
    }

    /// Gives the event an id of the caller's own.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self.event.fault = None;
        self
    }

    /// Gives the event a random id.
    pub fn random_id(self) -> Self {
        self.id(EventId::random())
    }

    /// Adds an attribute for filters to look at; a name given twice keeps the last value.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.event.attributes.insert(name.into(), value.into());
        self
    }

    /// Adds an attribute if there is a value for it.
    pub fn attribute_opt(
        self,
        name: impl Into<String>,
        value: Option<impl Into<AttributeValue>>,
    ) -> Self {
        match value {
            Some(value) => self.attribute(name, value),
            None => self,
        }
    }

    /// Adds labels for filters to look at.
    pub fn labels<L: Into<String>>(mut self, labels: impl IntoIterator<Item = L>) -> Self {
        self.event.labels.extend(labels.into_iter().map(Into::into));
        self
    }

    /// Sets the key within which subscribers may ask for order, such as a conversation.
    pub fn ordering_key(mut self, key: impl Into<String>) -> Self {
        self.event.ordering_key = Some(key.into());
        self
    }

    /// Limits how long the event is worth delivering, counted from its publication.
    pub fn expires_after(mut self, age: Duration) -> Self {
        self.event.expires_after = Some(age);
        self
    }

    /// Links the event to a trace, given as a W3C `traceparent`. A text that is none is dropped, as that standard asks:
    /// it often comes from a stranger's request, which must not be able to fail the transaction.
    pub fn traceparent(mut self, traceparent: impl AsRef<str>) -> Self {
        let text = traceparent.as_ref();
        self.event.traceparent = crate::validate::is_traceparent(text).then(|| text.to_owned());
        self
    }

    /// Ends the event with its payload: anything that serialises, also a `RawValue`, whose text is kept as it is.
    ///
    /// # Errors
    /// `payload.serialize` when the value refuses to become JSON, such as a map with keys that are no strings. Nothing
    /// else is judged here: that is done when the event is published.
    pub fn data<T: Serialize + ?Sized>(self, payload: &T) -> Result<Event, InvalidEvent> {
        match serde_json::to_string(payload) {
            Ok(text) => Ok(self.data_text(text)),
            Err(error) => Err(InvalidEvent::new("data", "payload.serialize", error.to_string())),
        }
    }

    /// Ends the event with a payload that is JSON text already. It is sent byte for byte: key order, white space,
    /// duplicate keys and the spelling of numbers stay as they are.
    pub fn data_text(self, json: impl Into<String>) -> Event {
        let mut event = self.event;
        event.data = json.into();
        // Drawn here and not when publishing, so that a retry with the same value is a duplicate. An event whose key
        // is at fault keeps an empty id: it will not be published.
        event.id = match self.id {
            Some(id) => id,
            None if event.fault.is_some() => String::new(),
            None => EventId::random().into(),
        };
        event
    }
}
