//! One batch: claim, match, insert, take off the queue, hand off. Never waits for work.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_core::ordering::Ordering;
use postrider_store::deliveries::{EventPayload, LeasedDelivery};
use postrider_store::events::{Claim, ClaimedEvent, EventBody, NewDeliveries};
use postrider_store::{ErrorKind, StoreError};

use crate::HandOff;
use crate::matching::{Unmatchable, matching};
use crate::routes::RouteCache;

/// What one batch may grow to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events a claim takes.
    pub events: i64,
    /// Bytes of envelopes; the events beyond stay pending.
    pub bytes: usize,
    /// Deliveries inserted; the events beyond stay pending. A single event may exceed it.
    pub deliveries: usize,
    /// Time spent on matching; the events beyond stay pending. A single event may exceed it.
    pub matching: Duration,
    /// Time spent on matching one event. What needs more cannot be matched: the claim's transaction and everybody else's events wait.
    pub one_match: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            events: 500,
            bytes: 8 << 20,
            deliveries: 20_000,
            matching: Duration::from_millis(200),
            one_match: Duration::from_secs(2),
        }
    }
}

/// What a batch did. Logs, metrics and tests read the same report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pass {
    /// Events claimed.
    pub claimed: usize,
    /// Events taken off the queue as done.
    pub fanned_out: usize,
    /// Deliveries inserted.
    pub deliveries: usize,
    /// Of these, handed to their lanes in memory.
    pub handed_off: usize,
    /// Events that could not be matched for a reason of their own.
    pub troubled: usize,
    /// Events without a body, moved to the failed.
    pub bodiless: usize,
    /// There may be more at once: the claim was full or was cut.
    pub more: bool,
}

/// An event that could not be matched.
pub(crate) struct Trouble {
    pub(crate) seq: i64,
    pub(crate) attempts: i16,
    pub(crate) error: String,
}

/// Which event wants to go to which endpoint.
struct Match {
    event: usize,
    endpoint: EndpointId,
    ordering: Ordering,
    batched: bool,
}

/// What is decided about a claim before anything is written.
#[derive(Default)]
struct Plan {
    matches: Vec<Match>,
    done: Vec<i64>,
    bodiless: Vec<i64>,
    trouble: Vec<Trouble>,
    cut: bool,
}

/// Who does it and under which lease.
pub(crate) struct Lease {
    pub(crate) owner: i64,
    pub(crate) time: Duration,
}

/// A batch that failed.
pub(crate) struct Failed {
    pub(crate) error: StoreError,
    /// Leased to us if the commit went through whose answer was lost; in no lane.
    pub(crate) doubtful: Vec<LeasedDelivery>,
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self { error, doubtful: Vec::new() }
    }
}

/// Finishes a claim: everything after the events were read.
pub(crate) async fn finish<H: HandOff>(
    claim: Claim,
    events: &[ClaimedEvent],
    routes: &mut RouteCache,
    limits: &Limits,
    lease: &Lease,
    lanes: &H,
) -> Result<(Pass, Vec<Trouble>), Failed> {
    let mut plan = decide(&claim, events, routes, limits).await?;
    plan.matches.sort_by_key(|m| m.endpoint.0);
    let reservations = reserve(events, &plan.matches, lanes);
    let (rows, handed) = columns(events, &plan.matches, &reservations);
    let inserted = rows.len();
    let missing =
        match claim.finish(rows, &plan.done, &plan.bodiless, lease.owner, lease.time).await {
            Ok(missing) => missing,
            Err(error) => {
                for reservation in &reservations {
                    lanes.unreserve(reservation.endpoint, reservation.places);
                }
                // The server's own refusal leaves no doubt: nothing was committed.
                let doubtful = match error.kind() {
                    ErrorKind::Unavailable => handed,
                    _ => Vec::new(),
                };
                return Err(Failed { error, doubtful });
            }
        };
    let handed_off = hand_off(handed, &missing, lanes);
    for reservation in reservations.iter().filter(|r| r.places < r.range.len()) {
        lanes.overflowed(reservation.endpoint);
    }
    let pass = Pass {
        claimed: events.len(),
        fanned_out: plan.done.len(),
        deliveries: inserted - missing.len(),
        handed_off,
        troubled: plan.trouble.len(),
        bodiless: plan.bodiless.len(),
        more: plan.cut || i64::try_from(events.len()).unwrap_or(i64::MAX) >= limits.events,
    };
    Ok((pass, plan.trouble))
}

/// Matches the claimed events in order, up to the limits.
async fn decide(
    claim: &Claim,
    events: &[ClaimedEvent],
    cache: &mut RouteCache,
    limits: &Limits,
) -> Result<Plan, StoreError> {
    let mut plan = Plan::default();
    let mut found = Vec::new();
    let mut bytes = 0;
    let mut matching_took = Duration::ZERO;
    for (index, event) in events.iter().enumerate() {
        let Some(body) = &event.body else {
            plan.bodiless.push(event.seq);
            continue;
        };
        bytes += body.envelope.len();
        let slow = matching_took > limits.matching;
        if slow || bytes > limits.bytes && !plan.done.is_empty() {
            plan.cut = true;
            break;
        }
        let routes = cache.get(claim, &body.tenant_id, body.routing_version).await?;
        found.clear();
        let began = Instant::now();
        let matched = matching(&routes, body, limits.one_match, &mut found);
        matching_took += began.elapsed();
        if let Err(Unmatchable(error)) = matched {
            plan.trouble.push(Trouble { seq: event.seq, attempts: event.attempts, error });
            continue;
        }
        if plan.matches.len() + found.len() > limits.deliveries && !plan.done.is_empty() {
            plan.cut = true;
            break;
        }
        plan.matches.extend(found.iter().map(|route| Match {
            event: index,
            endpoint: route.endpoint,
            ordering: route.ordering,
            batched: route.batched,
        }));
        plan.done.push(event.seq);
    }
    Ok(plan)
}

/// The matches of one endpoint and how many of them its lane takes: the first ones.
struct Reservation {
    endpoint: EndpointId,
    range: Range<usize>,
    places: usize,
}

fn reserve<H: HandOff>(events: &[ClaimedEvent], matches: &[Match], lanes: &H) -> Vec<Reservation> {
    let mut reservations = Vec::new();
    let mut start = 0;
    for run in matches.chunk_by(|a, b| a.endpoint == b.endpoint) {
        let bytes =
            run.iter().filter_map(|m| body(events, m)).map(|body| body.envelope.len()).sum();
        let endpoint = run[0].endpoint;
        reservations.push(Reservation {
            endpoint,
            range: start..start + run.len(),
            // What has an order waits in the database for its turn, and what goes in batches for company: a pull decides on both;
            // those around are pulled with them.
            places: match run.iter().any(|m| m.batched || order_key(events, m).is_some()) {
                true => 0,
                false => lanes.reserve(endpoint, run.len(), bytes),
            },
        });
        start += run.len();
    }
    reservations
}

/// The rows to insert, and the deliveries to hand off once they are committed.
fn columns<'a>(
    events: &'a [ClaimedEvent],
    matches: &[Match],
    reservations: &[Reservation],
) -> (NewDeliveries<'a>, Vec<LeasedDelivery>) {
    let mut rows = NewDeliveries::default();
    let mut handed = Vec::new();
    let mut payloads: Vec<Option<Arc<EventPayload>>> = vec![None; events.len()];
    let leased_at = Instant::now();
    for reservation in reservations {
        for (place, index) in reservation.range.clone().enumerate() {
            let m = &matches[index];
            let (event, Some(body)) = (&events[m.event], body(events, m)) else { continue };
            let created_at_ms = u64::try_from(event.created_at.as_millisecond()).unwrap_or(0);
            let id = DeliveryId::derive(created_at_ms, &body.tenant_id, &body.id, m.endpoint, 0);
            let leased = place < reservation.places;
            rows.push(id, m.endpoint, event, body, order_key(events, m), leased);
            if leased {
                let payload = payloads[m.event].get_or_insert_with(|| Arc::new(payload(body)));
                handed.push(LeasedDelivery {
                    id,
                    endpoint: m.endpoint,
                    lease_no: 1,
                    attempts: 0,
                    ordered: false,
                    event: Some(Arc::clone(payload)),
                    leased_at,
                    batch: None,
                });
            }
        }
    }
    (rows, handed)
}

/// Hands the committed deliveries to their lanes; what was not inserted after all gives its place back.
fn hand_off<H: HandOff>(
    mut handed: Vec<LeasedDelivery>,
    missing: &[DeliveryId],
    lanes: &H,
) -> usize {
    if !missing.is_empty() {
        let missing: std::collections::HashSet<_> = missing.iter().collect();
        handed.retain(|delivery| {
            let kept = !missing.contains(&delivery.id);
            if !kept {
                lanes.unreserve(delivery.endpoint, 1);
            }
            kept
        });
    }
    let count = handed.len();
    if count > 0 {
        lanes.hand_off(handed);
    }
    count
}

/// The key among whose deliveries this one has its place.
fn order_key<'a>(events: &'a [ClaimedEvent], m: &Match) -> Option<&'a str> {
    m.ordering.key(body(events, m).and_then(|body| body.ordering_key.as_deref()))
}

fn body<'a>(events: &'a [ClaimedEvent], m: &Match) -> Option<&'a EventBody> {
    events[m.event].body.as_ref()
}

fn payload(body: &EventBody) -> EventPayload {
    EventPayload {
        id: body.id.clone(),
        envelope: body.envelope.clone(),
        traceparent: body.traceparent.clone(),
        expires_at: body.expires_at,
    }
}
