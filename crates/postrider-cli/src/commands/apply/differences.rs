//! What of a wanted change is one: what an endpoint has already is neither written nor told of.

use postrider_core::seal::KeyRing;
use postrider_core::signing::Profile;
use postrider_store::admin::endpoints::{Change, Endpoint, EndpointChange, Order};

/// Takes out of a change what the endpoint has already; the names of the fields that are left. What is sealed is compared where these keys
/// open it.
pub(super) fn differences(
    change: &mut EndpointChange,
    was: &Endpoint,
    keys: &KeyRing,
) -> Vec<&'static str> {
    let mut left = Vec::new();
    let mut value = |name: &'static str, differs: bool| {
        if differs {
            left.push(name);
        }
        differs
    };
    change.url = change.url.take().filter(|url| value("url", *url != was.url));
    change.description =
        change.description.take().filter(|text| value("description", *text != was.description));
    change.event_types =
        change.event_types.take().filter(|types| value("event_types", *types != was.event_types));
    keep(&mut change.filter, was.filter.as_ref(), &mut |differs| value("filter", differs));
    let headers = was.headers(keys).ok().map(|headers| headers.expose_json().to_string());
    let same_headers = match &change.headers {
        Change::Keep => true,
        Change::Clear => was.headers_sealed.is_none(),
        Change::Set(wanted) => headers.as_deref() == Some(wanted.expose_json().as_str()),
    };
    if !value("headers", !same_headers) {
        change.headers = Change::Keep;
    }
    keep(&mut change.retry_schedule_ms, was.retry_schedule_ms.as_ref(), &mut |differs| {
        value("retry_schedule_ms", differs)
    });
    keep(&mut change.timeout_ms, was.timeout_ms.as_ref(), &mut |d| value("timeout_ms", d));
    keep(&mut change.max_in_flight, was.max_in_flight.as_ref(), &mut |d| value("max_in_flight", d));
    keep(&mut change.rate_limit, was.rate_limit.as_ref(), &mut |d| value("rate_limit", d));
    change.capture_responses = change
        .capture_responses
        .filter(|capture| value("capture_responses", *capture != was.capture_responses));
    change.metadata =
        change.metadata.take().filter(|metadata| value("metadata", *metadata != was.metadata));
    let settings = &mut change.settings;
    settings.format =
        settings.format.filter(|format| value("format", format.as_str() != was.format));
    settings.signing = settings
        .signing
        .take()
        .filter(|profiles| value("signing", Profile::list_to_json(profiles) != was.signing));
    let login = was.login(keys).ok().flatten();
    keep(&mut settings.auth, login.as_ref(), &mut |differs| value("auth", differs));
    let identity = was.tls_identity(keys).ok().flatten();
    if let (Change::Set(wanted), Some(before)) = (&settings.tls, &identity) {
        // The half that is not given stays.
        settings.tls = Change::Set(wanted.clone().over(before.clone()));
    }
    keep(&mut settings.tls, identity.as_ref(), &mut |differs| value("tls", differs));
    let order = Order { ordering: was.ordering, on_failure: was.on_failure };
    change.order = change.order.filter(|wanted| value("ordering", *wanted != order));
    keep(&mut change.batch, was.batch.as_ref(), &mut |differs| value("batch", differs));
    left
}

/// Leaves a change that is none.
fn keep<T: PartialEq>(
    change: &mut Change<T>,
    was: Option<&T>,
    differs: &mut dyn FnMut(bool) -> bool,
) {
    let changes = match change {
        Change::Keep => return,
        Change::Clear => was.is_some(),
        Change::Set(wanted) => was != Some(&*wanted),
    };
    if !differs(changes) {
        *change = Change::Keep;
    }
}
