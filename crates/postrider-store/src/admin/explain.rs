//! Why an event went to an endpoint of its tenant, or did not: by what is stored now. Reads; writes nothing.

use postrider_core::filter::{Explanation, Subscription, is_operator_event};
use postrider_core::ids::{DeliveryId, EndpointId};
use serde::Serialize;

use crate::admin::deliveries::{self, Delivery};
use crate::admin::endpoints::{self, Endpoint};
use crate::admin::events::{self, EventDetail, EventKey};
use crate::admin::filters;
use crate::{Db, StoreError};

/// Deliveries of one event, and endpoints of one tenant, that are looked at.
const MOST: i64 = 10_000;

/// What an event is to one endpoint.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    pub endpoint: EndpointId,
    /// `None`: it was deleted.
    pub url: Option<String>,
    pub reason: Reason,
    /// The reason in words.
    pub detail: String,
    /// Its deliveries of this event, each with its status.
    pub deliveries: Vec<(DeliveryId, String)>,
    /// Of the types and of each clause of the filter, as they are now.
    pub explanation: Option<Explanation>,
}

/// Why an event went to an endpoint, or did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It was matched: there are deliveries.
    Matched,
    /// The event waits to be fanned out.
    Pending,
    /// The event could not be fanned out.
    Failed,
    /// The endpoint does not want the type.
    Type,
    /// A clause of the filter does not hold.
    Filter,
    /// The filter cannot be compiled by this version, so it matches nothing.
    BrokenFilter,
    Disabled,
    /// The endpoint was added after the event was published.
    CreatedLater,
    /// It would match now; when the event was fanned out, it was disabled or had other types or another filter.
    ChangedSince,
    /// The event is about the endpoint itself.
    OwnTrouble,
}

/// An event and what it is to every endpoint of its tenant.
#[derive(Debug, Clone)]
pub struct Explained {
    /// `None`: retention removed the body, and nothing can be said of filters any more.
    pub event: Option<EventDetail>,
    pub verdicts: Vec<Verdict>,
}

/// Explains an event.
///
/// # Errors
/// When the database cannot be asked.
pub async fn event(db: &Db, key: &EventKey) -> Result<Explained, StoreError> {
    let detail = events::show(db, key).await?;
    let sent = deliveries::of_event(db, key, MOST).await?;
    let endpoints = endpoints::list(db, Some(&key.tenant), None, MOST).await?;
    let mut verdicts: Vec<Verdict> =
        endpoints.iter().map(|endpoint| verdict(key, detail.as_ref(), endpoint, &sent)).collect();
    let known = |delivery: &&Delivery| !endpoints.iter().any(|e| e.id == delivery.endpoint);
    let mut gone: Vec<EndpointId> = sent.iter().filter(known).map(|d| d.endpoint).collect();
    gone.dedup();
    verdicts.extend(gone.into_iter().map(|endpoint| Verdict {
        endpoint,
        url: None,
        reason: Reason::Matched,
        detail: "it was matched, and deleted later".to_owned(),
        deliveries: of_endpoint(&sent, endpoint),
        explanation: None,
    }));
    Ok(Explained { event: detail, verdicts })
}

fn of_endpoint(sent: &[Delivery], endpoint: EndpointId) -> Vec<(DeliveryId, String)> {
    let own = sent.iter().filter(|delivery| delivery.endpoint == endpoint);
    own.map(|delivery| (delivery.id, delivery.status.clone())).collect()
}

fn verdict(
    key: &EventKey,
    event: Option<&EventDetail>,
    endpoint: &Endpoint,
    sent: &[Delivery],
) -> Verdict {
    let deliveries = of_endpoint(sent, endpoint.id);
    let explained = event.map(|event| explain(key, event, endpoint));
    let explanation = explained.as_ref().and_then(|explained| explained.as_ref().ok()).cloned();
    let broken = explained.and_then(Result::err);
    let (reason, detail) = if deliveries.is_empty() {
        missing(key, event, endpoint, explanation.as_ref(), broken)
    } else {
        (Reason::Matched, "it was matched".to_owned())
    };
    let url = Some(endpoint.url.clone());
    Verdict { endpoint: endpoint.id, url, reason, detail, deliveries, explanation }
}

/// Why there is no delivery.
fn missing(
    key: &EventKey,
    event: Option<&EventDetail>,
    endpoint: &Endpoint,
    explanation: Option<&Explanation>,
    broken: Option<String>,
) -> (Reason, String) {
    let Some(event) = event else {
        let detail = "retention removed the event: what it held is not known any more";
        return (Reason::ChangedSince, detail.to_owned());
    };
    let problem = event.problem.as_deref().unwrap_or("it is its turn soon");
    match event.state.as_str() {
        "pending" => {
            return (Reason::Pending, format!("the event is not fanned out yet: {problem}"));
        }
        "failed" => {
            return (Reason::Failed, format!("the event could not be fanned out: {problem}"));
        }
        _ => {}
    }
    if let Some(broken) = broken {
        return (Reason::BrokenFilter, format!("its filter cannot be used: {broken}"));
    }
    if let Some(failed) = explanation.filter(|explanation| !explanation.matched) {
        let failed = failed.failed();
        let of_type = failed.iter().any(|clause| clause.pointer == "/event_types");
        let details: Vec<&str> = failed.iter().map(|clause| clause.detail.as_str()).collect();
        let reason = if of_type { Reason::Type } else { Reason::Filter };
        return (reason, details.join("; "));
    }
    if is_operator_event(&event.event_type) && is_about(event, endpoint.id) {
        return (Reason::OwnTrouble, "nobody is told of its own troubles".to_owned());
    }
    if !endpoint.enabled {
        let why = endpoint.disabled_reason.as_deref().unwrap_or("no reason is known");
        return (Reason::Disabled, format!("it is disabled: {why}"));
    }
    if endpoint.created_at > key.created_at {
        let detail = format!("it was added {}, after the event was published", endpoint.created_at);
        return (Reason::CreatedLater, detail);
    }
    let detail = format!(
        "it would match now; it was disabled, or had other types or another filter, when the event was fanned out (last changed {})",
        endpoint.updated_at
    );
    (Reason::ChangedSince, detail)
}

fn is_about(event: &EventDetail, endpoint: EndpointId) -> bool {
    event.attributes.as_ref().is_some_and(|of| of.to_string().contains(&endpoint.to_string()))
}

/// What the endpoint's types and filter say of the event; the text of why they cannot be used.
fn explain(
    key: &EventKey,
    event: &EventDetail,
    endpoint: &Endpoint,
) -> Result<Explanation, String> {
    let subscription = Subscription::compile(&endpoint.event_types, endpoint.filter.as_ref())
        .map_err(|error| error.to_string())?;
    filters::explain(&key.tenant, event, &subscription)
}
