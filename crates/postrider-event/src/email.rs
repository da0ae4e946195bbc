//! The e-mail catalog with its natural keys: one constructor for each type, so that two services that publish the same
//! fact give it the same id.
//!
//! ```
//! use postrider_event::email;
//!
//! let event = email::bounced("acme", "m1", "ses1").data_text("{}");
//! assert_eq!(event.event_type(), &postrider_event::EMAIL_BOUNCED);
//! ```

use crate::{
    EMAIL_APPROVED, EMAIL_BOUNCED, EMAIL_CLICKED, EMAIL_COMPLAINED, EMAIL_DELIVERED, EMAIL_FAILED,
    EMAIL_OPENED, EMAIL_PENDING_APPROVAL, EMAIL_RECEIVED, EMAIL_REJECTED, EMAIL_SENT,
    EMAIL_UNSUBSCRIBED, Event, EventBuilder, EventType,
};

/// A message arrived; once for each message.
pub fn received(tenant: impl Into<String>, message_id: &str) -> EventBuilder {
    Event::new(EMAIL_RECEIVED, tenant).id_from([message_id])
}

/// A message was handed to the provider; once for each message.
pub fn sent(tenant: impl Into<String>, message_id: &str) -> EventBuilder {
    Event::new(EMAIL_SENT, tenant).id_from([message_id])
}

/// A message could not be sent; once for each message, or for each of the provider's events about it.
pub fn failed(
    tenant: impl Into<String>,
    message_id: &str,
    provider_event_id: Option<&str>,
) -> EventBuilder {
    keyed(EMAIL_FAILED, tenant, message_id, provider_event_id)
}

/// The recipient's server accepted the message; once for each of the provider's events.
pub fn delivered(
    tenant: impl Into<String>,
    message_id: &str,
    provider_event_id: &str,
) -> EventBuilder {
    keyed(EMAIL_DELIVERED, tenant, message_id, Some(provider_event_id))
}

/// The recipient's server refused the message; once for each of the provider's events.
pub fn bounced(
    tenant: impl Into<String>,
    message_id: &str,
    provider_event_id: &str,
) -> EventBuilder {
    keyed(EMAIL_BOUNCED, tenant, message_id, Some(provider_event_id))
}

/// The recipient reported the message as spam; once for each of the provider's events.
pub fn complained(
    tenant: impl Into<String>,
    message_id: &str,
    provider_event_id: &str,
) -> EventBuilder {
    keyed(EMAIL_COMPLAINED, tenant, message_id, Some(provider_event_id))
}

/// The recipient opened the message; once for each send, or for each hit where every open is published.
pub fn opened(tenant: impl Into<String>, send_id: &str, hit_id: Option<&str>) -> EventBuilder {
    keyed(EMAIL_OPENED, tenant, send_id, hit_id)
}

/// The recipient followed a link; once for each hit, whose id is minted before the redirect is answered.
pub fn clicked(tenant: impl Into<String>, send_id: &str, hit_id: &str) -> EventBuilder {
    keyed(EMAIL_CLICKED, tenant, send_id, Some(hit_id))
}

/// An outgoing message waits for approval; once for each pending message.
pub fn pending_approval(tenant: impl Into<String>, pending_message_id: &str) -> EventBuilder {
    Event::new(EMAIL_PENDING_APPROVAL, tenant).id_from([pending_message_id])
}

/// A waiting message was approved; once for each pending message.
pub fn approved(tenant: impl Into<String>, pending_message_id: &str) -> EventBuilder {
    Event::new(EMAIL_APPROVED, tenant).id_from([pending_message_id])
}

/// A waiting message was rejected; once for each pending message.
pub fn rejected(tenant: impl Into<String>, pending_message_id: &str) -> EventBuilder {
    Event::new(EMAIL_REJECTED, tenant).id_from([pending_message_id])
}

/// The recipient unsubscribed; once for each send.
pub fn unsubscribed(tenant: impl Into<String>, send_id: &str) -> EventBuilder {
    Event::new(EMAIL_UNSUBSCRIBED, tenant).id_from([send_id])
}

fn keyed(
    event_type: EventType,
    tenant: impl Into<String>,
    first: &str,
    second: Option<&str>,
) -> EventBuilder {
    Event::new(event_type, tenant).id_from([Some(first), second].into_iter().flatten())
}
