//! Judges what a receiver of batches has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use postrider_core::signing::{Secret, verify};
use postrider_testkit::Received;

use super::receiver::{Fate, fate, is_batch, is_refused, members};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) requests: usize,
    /// Distinct ids of batches.
    pub(super) batches: usize,
    /// Of these, how many came more than once.
    pub(super) repeated: usize,
    /// Distinct events.
    pub(super) events: usize,
    /// Events that came by themselves.
    pub(super) split: usize,
    /// Events that were never accepted.
    pub(super) lost: Vec<String>,
    /// Ids that came with two bodies.
    pub(super) changed: Vec<String>,
    /// Events that stood in two batches.
    pub(super) moved: Vec<String>,
    /// Requests that the endpoint's secret does not verify.
    pub(super) unsigned: usize,
}

impl Judged {
    pub(super) fn is_clean(&self) -> bool {
        self.lost.is_empty()
            && self.changed.is_empty()
            && self.moved.is_empty()
            && self.unsigned == 0
    }

    pub(super) fn example(&self) -> Option<String> {
        let of = |what: &str, list: &[String]| list.first().map(|id| format!("{id} {what}"));
        of("was lost", &self.lost)
            .or_else(|| of("had two bodies", &self.changed))
            .or_else(|| of("stood in two batches", &self.moved))
    }
}

/// Judges the requests in the order of their arrival.
pub(super) fn judge(requests: &[Received], published: &[String], secret: &Secret) -> Judged {
    let mut bodies: BTreeMap<&str, (&[u8], usize)> = BTreeMap::new();
    let mut batch_of: BTreeMap<String, &str> = BTreeMap::new();
    let (mut accepted, mut seen, mut alone) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut judged = Judged { requests: requests.len(), ..Judged::default() };
    for request in requests {
        let id = request.id();
        judged.unsigned += usize::from(!is_signed(request, secret));
        let (body, times) = bodies.entry(id).or_insert((request.body.as_ref(), 0));
        *times += 1;
        if *body != request.body.as_ref() {
            judged.changed.push(id.to_owned());
        }
        for (place, event) in members(request).into_iter().enumerate() {
            if is_batch(request) {
                let first = batch_of.entry(event.clone()).or_insert(id);
                if *first != id {
                    judged.moved.push(event.clone());
                }
            } else {
                alone.insert(event.clone());
            }
            let fate = fate(request);
            let refused = fate == Fate::Failed
                || (fate == Fate::Partly && is_refused(request, place))
                || request.answered.is_none();
            seen.insert(event.clone());
            if !refused {
                accepted.insert(event);
            }
        }
    }
    judged.lost = published.iter().filter(|id| !accepted.contains(*id)).cloned().collect();
    let batches = || bodies.iter().filter(|(id, _)| id.starts_with("btc_"));
    judged.batches = batches().count();
    judged.repeated = batches().filter(|(_, (_, times))| *times > 1).count();
    (judged.events, judged.split) = (seen.len(), alone.len());
    judged
}

fn is_signed(request: &Received, secret: &Secret) -> bool {
    let at = request.header("webhook-timestamp");
    let now = at.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    now.is_some_and(|now| {
        let signature = request.header("webhook-signature");
        let secrets = std::slice::from_ref(secret);
        verify(secrets, request.id(), at, signature, &request.body, now, Duration::from_secs(1))
            .is_ok()
    })
}

/// The same with two mistakes planted: a batch comes once more with another body, and under another id.
pub(super) fn planted(requests: &[Received]) -> Vec<Received> {
    let mut planted = requests.to_vec();
    if let Some(batch) = requests.iter().find(|request| is_batch(request)) {
        let mut other_body = batch.clone();
        other_body.body = [&batch.body[..], b" "].concat().into();
        let mut other_id = batch.clone();
        let id = "btc_planted".parse().expect("letters are a header value");
        other_id.headers.insert("webhook-id", id);
        planted.extend([other_body, other_id]);
    }
    planted
}
