//! Builds the request of one attempt: what SPEC calls "requests to subscribers".
//!
//! Reads the endpoint (URL and custom headers, prepared once), the event and the signer; the result goes to
//! [`crate::client::Client::send`].

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::uri::Uri;
use postrider_core::address::TenantRules;
use postrider_core::headers::CustomHeaders;
use postrider_core::signing::Signer;
use postrider_core::status::ErrorClass;
use postrider_core::url::EndpointUrl;

use crate::origin::Origin;

static WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
static WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
static WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
static WEBHOOK_ATTEMPT: HeaderName = HeaderName::from_static("webhook-attempt");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The headers that we, the client and hyper add to an endpoint's own.
const OWN_HEADERS: usize = 9;

/// Which answers are kept with their headers and the beginning of their body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capture {
    /// Answers other than 2xx; of a 2xx only the status is kept, and a `webhook-delivery` header.
    #[default]
    Failures,
    /// Every answer.
    Everything,
}

/// The part of an endpoint that all its requests share. Made once when the endpoint is loaded, shared by `Arc`.
#[derive(Clone)]
pub struct EndpointTarget {
    // Absolute, and its host and port are those that `EndpointUrl` judged.
    uri: Uri,
    custom: Vec<(HeaderName, HeaderValue)>,
    capture: Capture,
    rules: Option<Arc<TenantRules>>,
}

/// What one attempt is about.
#[derive(Clone, Debug)]
pub struct Webhook<'a> {
    /// `webhook-id`: the event's id, the same on every attempt.
    pub event_id: &'a str,
    /// `webhook-timestamp`: of this attempt, in Unix seconds, by the database's clock.
    pub timestamp: i64,
    /// `webhook-attempt`, counted from 1.
    pub attempt: u16,
    /// The publisher's trace, passed on if there is one.
    pub traceparent: Option<&'a str>,
    /// The rendered envelope.
    pub body: Bytes,
}

/// A request that is ready to be sent by POST.
#[derive(Clone)]
pub struct OutgoingRequest {
    /// Where to; absolute.
    pub uri: Uri,
    /// All headers but `host`, `user-agent` and `content-length`, which the client sets.
    pub headers: HeaderMap,
    /// The body, shared and not copied.
    pub body: Bytes,
    /// What to keep of the answer.
    pub capture: Capture,
    /// The tenant's own rules about addresses, if it has some.
    pub rules: Option<Arc<TenantRules>>,
}

impl EndpointTarget {
    /// Prepares an endpoint. Fails as `invalid_url` if the URL means anything else to the HTTP library than to us; then
    /// nothing may be sent to it.
    pub fn new(
        url: &EndpointUrl,
        custom: &CustomHeaders,
        capture: Capture,
    ) -> Result<Self, ErrorClass> {
        let uri: Uri = url.as_str().parse().map_err(|_| ErrorClass::InvalidUrl)?;
        let same_path = uri.path_and_query().is_some_and(|path| path == url.path_and_query());
        let same_port = Origin::of(&uri).is_some_and(|origin| origin.port == url.port());
        if !same_path || !same_port {
            return Err(ErrorClass::InvalidUrl);
        }
        let custom = custom.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(EndpointTarget { uri, custom, capture, rules: None })
    }

    /// The same under rules of its tenant.
    #[must_use]
    pub fn under(self, rules: TenantRules) -> Self {
        let rules = (!rules.is_empty()).then(|| Arc::new(rules));
        EndpointTarget { rules, ..self }
    }
}

/// Shows the host alone: paths and queries hold tokens.
impl fmt::Debug for EndpointTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointTarget").field("host", &self.uri.host()).finish_non_exhaustive()
    }
}

/// Shows the host and the size of the body.
impl fmt::Debug for OutgoingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingRequest")
            .field("host", &self.uri.host())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Builds and signs one attempt's request. Fails as `internal` if the event id cannot be a header, which publishing
/// rules out.
pub fn webhook_request(
    target: &EndpointTarget,
    signer: &Signer,
    webhook: Webhook<'_>,
) -> Result<OutgoingRequest, ErrorClass> {
    let unsendable = |_| ErrorClass::Internal;
    let id = HeaderValue::from_str(webhook.event_id).map_err(unsendable)?;
    let signature = signer.sign(webhook.event_id, webhook.timestamp, &webhook.body);
    let signature = HeaderValue::try_from(signature).map_err(|_| ErrorClass::Internal)?;

    // The endpoint's own headers first: should one ever bear a name of ours, ours replaces it.
    let mut headers = HeaderMap::with_capacity(target.custom.len() + OWN_HEADERS);
    for (name, value) in &target.custom {
        headers.append(name.clone(), value.clone());
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(WEBHOOK_ID.clone(), id);
    headers.insert(WEBHOOK_TIMESTAMP.clone(), HeaderValue::from(webhook.timestamp));
    headers.insert(WEBHOOK_SIGNATURE.clone(), signature);
    headers.insert(WEBHOOK_ATTEMPT.clone(), HeaderValue::from(webhook.attempt));
    // A trace that is no header value is dropped: it only helps to find things.
    if let Some(Ok(traceparent)) = webhook.traceparent.map(HeaderValue::from_str) {
        headers.insert(TRACEPARENT.clone(), traceparent);
    }
    Ok(OutgoingRequest {
        uri: target.uri.clone(),
        headers,
        body: webhook.body,
        capture: target.capture,
        rules: target.rules.clone(),
    })
}

#[cfg(test)]
mod tests;
