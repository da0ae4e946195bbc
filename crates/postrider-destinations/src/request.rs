//! Builds the request of one attempt: what SPEC calls "requests to subscribers".
//!
//! Reads the endpoint (URL and custom headers, prepared once), the event and the signer; the result goes to
//! [`crate::client::Client::send`].

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::uri::Uri;
use postrider_core::address::TenantRules;
use postrider_core::answer::BODY_LIMIT;
use postrider_core::format::Format;
use postrider_core::headers::CustomHeaders;
use postrider_core::signing::Signer;
use postrider_core::status::ErrorClass;
use postrider_core::url::EndpointUrl;

use crate::identity::EndpointTls;
use crate::origin::Origin;

static WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
static WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
static WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
static WEBHOOK_ATTEMPT: HeaderName = HeaderName::from_static("webhook-attempt");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The headers that we, the client and hyper add to an endpoint's own.
const OWN_HEADERS: usize = 12;

/// Which answers are kept with their headers and the beginning of their body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capture {
    /// Answers other than 2xx; of a 2xx only the status is kept, and a `webhook-delivery` header.
    #[default]
    Failures,
    /// Every answer.
    Everything,
    /// Every answer, with more of its body than of any other: it is for us, and recorded nowhere.
    Ours,
    /// Every answer, with as much of its body as can say what became of each event of a batch.
    Outcomes,
}

impl Capture {
    /// How much of a body is kept, in bytes.
    pub(crate) fn limit(self) -> usize {
        match self {
            Self::Failures | Self::Everything => BODY_LIMIT,
            Self::Ours | Self::Outcomes => 64 * 1024,
        }
    }
}

/// The part of an endpoint that all its requests share. Made once when the endpoint is loaded, shared by `Arc`.
#[derive(Clone)]
pub struct EndpointTarget {
    // Absolute, and its host and port are those that `EndpointUrl` judged.
    uri: Uri,
    custom: Vec<(HeaderName, HeaderValue)>,
    capture: Capture,
    rules: Option<Arc<TenantRules>>,
    tls: Option<Arc<EndpointTls>>,
    format: Format,
    tenant: Arc<str>,
    authorization: Option<HeaderValue>,
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
    /// The stored envelope; the request's body is rendered from it.
    pub envelope: Bytes,
}

/// What one attempt of a batch is about.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// `webhook-id`: the batch's id, the same on every attempt.
    pub id: &'a str,
    /// `webhook-timestamp`: of this attempt, in Unix seconds, by the database's clock.
    pub timestamp: i64,
    /// `webhook-attempt`, counted from 1.
    pub attempt: u16,
    pub content_type: &'static str,
    /// The body as it is sent.
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
    /// What its TLS connection needs besides the usual.
    pub tls: Option<Arc<EndpointTls>>,
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
        Ok(EndpointTarget {
            uri,
            custom,
            capture,
            rules: None,
            tls: None,
            format: Format::Postrider,
            tenant: Arc::from(""),
            authorization: None,
        })
    }

    /// The same with events of this tenant written in this way.
    #[must_use]
    pub fn written(self, format: Format, tenant: &str) -> Self {
        EndpointTarget { format, tenant: Arc::from(tenant), ..self }
    }

    /// The same with a login that every request carries; it replaces a custom header of that name.
    #[must_use]
    pub fn authorized(self, authorization: Option<HeaderValue>) -> Self {
        EndpointTarget { authorization, ..self }
    }

    /// The same over connections with a TLS identity.
    #[must_use]
    pub fn identified(self, tls: Option<EndpointTls>) -> Self {
        EndpointTarget { tls: tls.map(Arc::new), ..self }
    }

    /// A request of ours to the same place that is no webhook.
    pub(crate) fn bare_request(&self, headers: HeaderMap, body: Bytes) -> OutgoingRequest {
        OutgoingRequest {
            uri: self.uri.clone(),
            headers,
            body,
            capture: Capture::Ours,
            rules: self.rules.clone(),
            tls: self.tls.clone(),
        }
    }

    /// The envelope as the endpoint wants it, shared with it where that is possible.
    fn body(&self, envelope: &Bytes) -> Result<Bytes, ErrorClass> {
        let rendered = self.format.render(&self.tenant, envelope);
        Ok(match rendered.map_err(|_| ErrorClass::Internal)? {
            Cow::Borrowed(part) => envelope.slice_ref(part),
            Cow::Owned(body) => Bytes::from(body),
        })
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

/// Writes and signs one attempt's request. Fails as `internal` if the event id cannot be a header or the envelope is none, which
/// publishing rules out.
pub fn webhook_request(
    target: &EndpointTarget,
    signer: &Signer,
    webhook: Webhook<'_>,
) -> Result<OutgoingRequest, ErrorClass> {
    let batch = Batch {
        id: webhook.event_id,
        timestamp: webhook.timestamp,
        attempt: webhook.attempt,
        content_type: target.format.content_type(),
        body: target.body(&webhook.envelope)?,
    };
    let mut request = signed(target, signer, batch)?;
    // A trace that is no header value is dropped: it only helps to find things.
    if let Some(Ok(traceparent)) = webhook.traceparent.map(HeaderValue::from_str) {
        request.headers.insert(TRACEPARENT.clone(), traceparent);
    }
    Ok(request)
}

/// Writes and signs one attempt's request of a batch. Its events come from several traces, so it belongs to none.
pub fn batch_request(
    target: &EndpointTarget,
    signer: &Signer,
    batch: Batch<'_>,
) -> Result<OutgoingRequest, ErrorClass> {
    let request = signed(target, signer, batch)?;
    Ok(OutgoingRequest { capture: Capture::Outcomes, ..request })
}

/// A signed request with this body.
fn signed(
    target: &EndpointTarget,
    signer: &Signer,
    what: Batch<'_>,
) -> Result<OutgoingRequest, ErrorClass> {
    let id = HeaderValue::from_str(what.id).map_err(|_| ErrorClass::Internal)?;
    let body = what.body;
    let signature = signer.sign(what.id, what.timestamp, &body);

    // The endpoint's own headers first: should one ever bear a name of ours, ours replaces it.
    let mut headers = HeaderMap::with_capacity(target.custom.len() + OWN_HEADERS);
    for (name, value) in &target.custom {
        headers.append(name.clone(), value.clone());
    }
    if let Some(authorization) = &target.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    // A map extended by another appends.
    for (name, value) in signer.profile_headers(what.timestamp, &body) {
        headers.insert(name, value);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(what.content_type));
    headers.insert(WEBHOOK_ID.clone(), id);
    headers.insert(WEBHOOK_TIMESTAMP.clone(), HeaderValue::from(what.timestamp));
    // Empty where every secret is opaque: then a profile signs alone.
    if !signature.is_empty() {
        let signature = HeaderValue::try_from(signature).map_err(|_| ErrorClass::Internal)?;
        headers.insert(WEBHOOK_SIGNATURE.clone(), signature);
    }
    headers.insert(WEBHOOK_ATTEMPT.clone(), HeaderValue::from(what.attempt));
    Ok(OutgoingRequest {
        uri: target.uri.clone(),
        headers,
        body,
        capture: target.capture,
        rules: target.rules.clone(),
        tls: target.tls.clone(),
    })
}

#[cfg(test)]
mod tests;
