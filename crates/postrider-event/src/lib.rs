//! The contract between those who publish events and those who receive them: event types, ids, envelopes, and the rules
//! an event must keep. It talks to nothing; the crate `postrider` publishes what is built here.
//!
//! ```
//! use postrider_event::{EMAIL_RECEIVED, Event, Limits};
//! use serde::Serialize;
//!
//! #[derive(Serialize)]
//! struct Received<'a> { message_id: &'a str, subject: &'a str }
//!
//! let event = Event::new(EMAIL_RECEIVED, "acme")
//!     .id_from(["m1"])                  // the same message is the same event, however often it is published
//!     .attribute("agent_id", "a7")      // for filters
//!     .labels(["vip"])
//!     .ordering_key("conversation-9")
//!     .data(&Received { message_id: "m1", subject: "Hello" })?;
//! event.validate(&Limits::default())?;
//! # Ok::<(), postrider_event::InvalidEvent>(())
//! ```
//!
//! A service declares its own types with [`event_types!`], where a typo does not compile; a name that is known only at
//! run time goes through [`EventType::parse`]. Receivers parse a request's body with [`Envelope::parse`].

mod attribute;
mod catalog;
pub mod email;
mod envelope;
mod event;
mod event_type;
mod id;
mod invalid;
#[cfg(feature = "schema")]
pub mod schema;
mod validate;

pub use attribute::AttributeValue;
#[doc(hidden)]
pub use catalog::assert_distinct;
pub use catalog::{
    EMAIL_APPROVED, EMAIL_BOUNCED, EMAIL_CLICKED, EMAIL_COMPLAINED, EMAIL_DELIVERED, EMAIL_EVENTS,
    EMAIL_FAILED, EMAIL_OPENED, EMAIL_PENDING_APPROVAL, EMAIL_RECEIVED, EMAIL_REJECTED, EMAIL_SENT,
    EMAIL_UNSUBSCRIBED,
};
pub use envelope::Envelope;
pub use event::{DEFAULT_TENANT, Event, EventBuilder};
pub use event_type::{EventType, MAX_EVENT_TYPE_LENGTH};
pub use id::EventId;
pub use invalid::InvalidEvent;
pub use validate::{Limits, MAX_DATA_DEPTH};
