//! The rules about rows: every committed event and each of its deliveries is there, once, and tells the truth.

use std::collections::{HashMap, HashSet};

use super::history::{History, Key, Match};
use super::verdict::{Finding, Verdict};
use crate::state::{DatabaseState, DeliveryRow, EventRow};

fn key(row: &EventRow) -> Key<'_> {
    (&row.tenant, &row.id)
}

/// I1, I2, I4, I6: the ledger and the bodies.
pub(super) fn check_events(history: &History<'_>, state: &DatabaseState, verdict: &mut Verdict) {
    let mut there = HashSet::new();
    for row in &state.events {
        let key = key(row);
        if !there.insert(key) {
            verdict.double_rows.push(Finding::new(key, None, "two rows in the ledger"));
        }
        let Some(event) = history.published.get(&key) else {
            let rule = if history.published_by_others(&row.id, &row.tenant) {
                &mut verdict.cross_tenant
            } else {
                &mut verdict.invented
            };
            rule.push(Finding::new(key, None, "an event row, but this tenant never published it"));
            continue;
        };
        if event.in_doubt && event.committed.is_empty() {
            continue;
        }
        if event.committed.is_empty() {
            verdict.phantom.push(Finding::new(
                key,
                None,
                "an event row, but every transaction that published it rolled back",
            ));
        } else if row.bodies == 0 {
            verdict.lost.push(Finding::new(key, None, "the event has no body"));
        } else if row.bodies > 1 {
            verdict.double_rows.push(Finding::new(
                key,
                None,
                format!("the event has {} bodies", row.bodies),
            ));
        } else if !event.committed.contains(row.data_sha256.as_str()) {
            verdict.body_changed.push(Finding::new(
                key,
                None,
                "the data stored is not what was published",
            ));
        }
        if let Some(reason) = state.failed.get(&row.seq) {
            verdict.totals.failed_events += 1;
            if reason.is_empty() {
                verdict.lost.push(Finding::new(key, None, "fan-out gave it up without a reason"));
            }
        }
    }
    for (key, event) in &history.published {
        if !event.committed.is_empty() && !there.contains(key) {
            verdict.lost.push(Finding::new(*key, None, "committed, but there is no event row"));
        }
    }
}

/// I1 to I4 and I7: the deliveries.
pub(super) fn check_deliveries(
    history: &History<'_>,
    state: &DatabaseState,
    verdict: &mut Verdict,
) {
    let events: HashMap<i64, &EventRow> = state.events.iter().map(|row| (row.seq, row)).collect();
    let mut owed: HashMap<(i64, uuid::Uuid), Vec<&DeliveryRow>> = HashMap::new();
    for row in &state.deliveries {
        owed.entry((row.event_seq, row.endpoint)).or_default().push(row);
        check_delivery(history, &events, row, verdict);
    }
    let answers = Answers::of(history);
    for event in &state.events {
        let key = key(event);
        if history.published.get(&key).is_none_or(|p| p.committed.is_empty())
            || state.failed.contains_key(&event.seq)
        {
            continue;
        }
        for endpoint in &history.endpoints {
            let rows = owed.get(&(event.seq, endpoint.endpoint)).map_or(&[][..], Vec::as_slice);
            let must = history.matching(key, endpoint) == Match::Must;
            if must {
                verdict.totals.expected += 1;
            }
            if must && rows.is_empty() {
                let detail = if state.pending.contains(&event.seq) {
                    "still waits for fan-out after the drain"
                } else {
                    "no delivery was made"
                };
                verdict.lost.push(Finding::new(key, Some(&endpoint.token), detail));
            }
            check_pair(key, &endpoint.token, rows, &answers, verdict);
        }
    }
}

/// One row by itself: does it join things that belong together?
fn check_delivery(
    history: &History<'_>,
    events: &HashMap<i64, &EventRow>,
    row: &DeliveryRow,
    verdict: &mut Verdict,
) {
    let endpoint = history.by_uuid.get(&row.endpoint);
    let token = endpoint.map(|e| e.token.as_str());
    let Some(event) = events.get(&row.event_seq) else {
        let detail = format!(
            "delivery {} belongs to event number {}, which is not there",
            row.id, row.event_seq
        );
        verdict.invented.push(Finding::new((&row.tenant, "?"), token, detail));
        return;
    };
    let key = key(event);
    let Some(endpoint) = endpoint else {
        verdict.invented.push(Finding::new(
            key,
            None,
            format!("delivery {} is owed to an endpoint that nobody made", row.id),
        ));
        return;
    };
    if row.tenant != event.tenant || row.tenant != endpoint.tenant {
        let detail = format!(
            "delivery {} of tenant {} is owed to an endpoint of tenant {}",
            row.id, row.tenant, endpoint.tenant
        );
        verdict.cross_tenant.push(Finding::new(key, token, detail));
    } else if history.published.get(&key).is_some_and(|p| !p.committed.is_empty())
        && history.matching(key, endpoint) == Match::Never
    {
        verdict.misrouted.push(Finding::new(
            key,
            token,
            format!("delivery {}, but the endpoint did not subscribe to this type", row.id),
        ));
    }
}

/// The deliveries of one event at one endpoint, against what the receiver answered.
fn check_pair(
    key: Key<'_>,
    token: &str,
    rows: &[&DeliveryRow],
    answers: &Answers<'_>,
    verdict: &mut Verdict,
) {
    let mut replays = HashSet::new();
    let answers = answers.at(key, token);
    for row in rows {
        let find = |detail: String| Finding::new(key, Some(token), detail);
        if !replays.insert(row.replay) {
            verdict
                .double_rows
                .push(find(format!("two deliveries with replay number {}", row.replay)));
            continue;
        }
        match row.status.as_str() {
            "pending" => verdict.lost.push(find(format!(
                "delivery {} is still open after the drain, with {} attempts",
                row.id, row.attempts
            ))),
            "delivered" if answers.accepted == 0 => verdict.claimed.push(find(format!(
                "delivery {} is called delivered, and no 2xx was ever sent",
                row.id
            ))),
            "delivered" => verdict.totals.delivered += 1,
            other => {
                verdict.totals.ended_otherwise += 1;
                if answers.last_accepted && rows.len() == 1 {
                    verdict.stale_overwrites.push(find(format!(
                        "delivery {} is {other}, but the last answer was a 2xx",
                        row.id
                    )));
                }
            }
        }
    }
}

/// I7: rows that were looked at in the middle of the run never go back.
pub(super) fn check_observations(
    history: &History<'_>,
    state: &DatabaseState,
    verdict: &mut Verdict,
) {
    let last: HashMap<_, _> = state.deliveries.iter().map(|row| (row.id, row)).collect();
    let mut seen: HashMap<uuid::Uuid, Vec<_>> = HashMap::new();
    for observation in history.observations {
        seen.entry(observation.delivery).or_default().push(observation);
    }
    for (delivery, mut observations) in seen {
        observations.sort_by_key(|o| o.t);
        let Some(row) = last.get(&delivery) else { continue }; // retention took it
        let mut steps: Vec<(&str, i16, i32)> =
            observations.iter().map(|o| (o.status.as_str(), o.attempts, o.lease_no)).collect();
        steps.push((&row.status, row.attempts, i32::MAX));
        for pair in steps.windows(2) {
            let ((before, attempts, lease), (after, attempts_after, lease_after)) =
                (pair[0], pair[1]);
            let reopened = before != "pending" && after != before;
            if reopened || attempts_after < attempts || lease_after < lease {
                let token = history.by_uuid.get(&row.endpoint).map(|e| e.token.as_str());
                let detail = format!(
                    "delivery {delivery} went from {before} with {attempts} attempts to {after} with {attempts_after}"
                );
                verdict.stale_overwrites.push(Finding::new((&row.tenant, "?"), token, detail));
            }
        }
    }
}

/// What receivers answered, for each event and token.
struct Answers<'a>(HashMap<(Key<'a>, &'a str), AnswersOfPair>);

#[derive(Default, Clone, Copy)]
struct AnswersOfPair {
    accepted: u64,
    last_accepted: bool,
}

impl<'a> Answers<'a> {
    fn of(history: &'a History<'a>) -> Answers<'a> {
        let mut answers: HashMap<_, AnswersOfPair> = HashMap::new();
        for receipt in &history.receipts {
            let Some(endpoint) = receipt.endpoint else { continue };
            let pair =
                answers.entry(((endpoint.tenant.as_str(), receipt.id), receipt.token)).or_default();
            pair.last_accepted = receipt.accepted().is_some();
            pair.accepted += u64::from(pair.last_accepted);
        }
        Answers(answers)
    }

    fn at(&self, key: Key<'_>, token: &str) -> AnswersOfPair {
        self.0.get(&(key, token)).copied().unwrap_or_default()
    }
}
