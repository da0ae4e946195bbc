//! The rules about what went over the wire: only what committed, to whom it belongs, the same bytes, and not again.

use std::collections::HashMap;

use super::history::{History, Match, Receipt};
use super::verdict::{Finding, Verdict};
use crate::journal::FaultEntry;

/// How long after its answer an outcome may still be unrecorded, in nanoseconds. The recorder takes milliseconds; this
/// leaves room for a machine under load, and none for a record that was lost in quiet times.
const RECORD_WINDOW: u64 = 2_000_000_000;

/// I2, I3, I6: each request by itself.
pub(super) fn check_receipts(history: &History<'_>, verdict: &mut Verdict) {
    let mut first_body: HashMap<(&str, &str), &str> = HashMap::new();
    for receipt in &history.receipts {
        let Some(endpoint) = receipt.endpoint else {
            verdict.invented.push(Finding::new(
                ("?", receipt.id),
                Some(receipt.token),
                "a request to a path of no endpoint",
            ));
            continue;
        };
        let key = (endpoint.tenant.as_str(), receipt.id);
        let find = |detail: &str| Finding::new(key, Some(receipt.token), detail);
        let Some(event) = history.published.get(&key) else {
            let rule = if history.published_by_others(receipt.id, &endpoint.tenant) {
                &mut verdict.cross_tenant
            } else {
                &mut verdict.invented
            };
            rule.push(find("sent to this tenant, which never published it"));
            continue;
        };
        if event.committed.is_empty() {
            if !event.in_doubt {
                verdict
                    .phantom
                    .push(find("sent, but every transaction that published it rolled back"));
            }
            continue;
        }
        if receipt.at < event.first {
            verdict.invented.push(find("sent before it was published"));
        }
        if history.matching(key, endpoint) == Match::Never {
            verdict.misrouted.push(find("sent, but the endpoint did not subscribe to this type"));
        }
        let first = first_body.entry((receipt.token, receipt.id)).or_insert(receipt.body);
        if *first != receipt.body {
            verdict.body_changed.push(find("another body than in the first request"));
        } else if receipt.data.is_some_and(|data| !event.committed.contains(data)) {
            verdict.body_changed.push(find("other data than was published"));
        }
    }
}

/// I5: requests after, or beside, one that was accepted. A redelivery is allowed one for each replay.
pub(super) fn check_duplicates(history: &History<'_>, verdict: &mut Verdict) {
    let mut pairs: HashMap<(&str, &str), Vec<&Receipt<'_>>> = HashMap::new();
    for receipt in &history.receipts {
        pairs.entry((receipt.token, receipt.id)).or_default().push(receipt);
    }
    let mut duplicates = Vec::new();
    for receipts in pairs.values() {
        let Some(endpoint) = receipts[0].endpoint else { continue };
        let key = (endpoint.tenant.as_str(), receipts[0].id);
        let replays = history.replays.get(&(key, receipts[0].token)).copied().unwrap_or(1);
        let mut allowed = replays.saturating_sub(1);
        for (place, receipt) in receipts.iter().enumerate() {
            let accepted = receipts[..place]
                .iter()
                .rev()
                .find_map(|earlier| earlier.accepted().map(|at| (*earlier, at)));
            let Some((earlier, answered)) = accepted else { continue };
            if allowed > 0 {
                allowed -= 1;
            } else {
                duplicates.push(Duplicate { key, receipt, earlier, answered });
            }
        }
    }
    duplicates.sort_by_key(|d| d.receipt.at);
    verdict.totals.duplicates = duplicates.len() as u64;
    excuse(&duplicates, history.faults, verdict);
}

struct Duplicate<'a> {
    key: (&'a str, &'a str),
    receipt: &'a Receipt<'a>,
    /// The one that was accepted before, and when.
    earlier: &'a Receipt<'a>,
    answered: u64,
}

impl Duplicate<'_> {
    /// Whether the fault struck between the arrival of the accepted request and the record of its outcome.
    fn is_excused_by(&self, fault: &FaultEntry) -> bool {
        fault.from <= self.answered.saturating_add(RECORD_WINDOW)
            && fault.until >= self.earlier.at
            && fault.from <= self.receipt.at
    }

    fn finding(&self, why: &str) -> Finding {
        let ms = |later: u64, earlier: u64| later.saturating_sub(earlier) / 1_000_000;
        let detail = if self.receipt.at < self.answered {
            format!(
                "sent again {} ms before the 2xx to the first request left; {why}",
                ms(self.answered, self.receipt.at)
            )
        } else {
            format!("sent again {} ms after a 2xx; {why}", ms(self.receipt.at, self.answered))
        };
        Finding::new(self.key, Some(self.receipt.token), detail)
    }
}

/// Gives each duplicate to a fault that explains it and still has something in flight to lose.
fn excuse(duplicates: &[Duplicate<'_>], faults: &[FaultEntry], verdict: &mut Verdict) {
    let mut left: Vec<u64> = faults.iter().map(|fault| fault.in_flight).collect();
    for duplicate in duplicates {
        let mut explained = false;
        let spent = faults.iter().zip(&mut left).any(|(fault, left)| {
            let explains = duplicate.is_excused_by(fault);
            explained |= explains;
            let pays = explains && *left > 0;
            *left -= u64::from(pays);
            pays
        });
        if !explained {
            verdict.unexcused_duplicates.push(duplicate.finding("no fault was about"));
        } else if !spent {
            verdict
                .over_budget
                .push(duplicate.finding("the faults about had fewer requests in flight"));
        }
    }
}
