//! The verdict on order: at an endpoint that asked for it, no event of a key may arrive before those published earlier have
//! ended there: accepted, or given up after their last request.
//! Reads what a receiver wrote down; of the database only which events there were, in the order of `seq`.

use std::collections::HashMap;

use serde::Serialize;

use crate::journal::{How, SinkEntry};

/// An event that an ordered endpoint gets, in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderedEvent {
    /// The token of the endpoint.
    pub token: String,
    /// The key whose events keep their order.
    pub key: String,
    /// The event's id.
    pub id: String,
    pub seq: i64,
    /// Whether the database says that it was given up: skipped or exhausted.
    pub given_up: bool,
}

/// What was found about the order.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct OrderVerdict {
    /// Requests that arrived before an earlier event of their key had ended.
    pub violations: Vec<String>,
    /// Events never accepted and not given up.
    pub lost: Vec<String>,
    /// Events accepted.
    pub accepted: u64,
    /// Events given up that no request was accepted for.
    pub given_up: u64,
    /// Pairs of neighbours whose order was judged.
    pub judged: u64,
}

impl OrderVerdict {
    /// Whether something was judged and nothing found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.judged > 0 && self.violations.is_empty() && self.lost.is_empty()
    }
}

/// What a receiver saw of one event.
#[derive(Debug, Default)]
struct Seen {
    first: Option<u64>,
    /// The arrival of the last request, and its end: when its answer had left, or its arrival where a kill cut it off.
    last: Option<(u64, u64)>,
    /// When the first 2xx had left.
    accepted: Option<u64>,
}

/// How much later than the next request an answer's end may be written down: two tasks write a journal.
const CLOCK_SLACK: u64 = 2_000_000;

/// Judges the order at the receiver. Requests repeated after their event was accepted are no violation: a worker that dies
/// between an answer and its record sends once more.
#[must_use]
pub fn check_order(events: &[OrderedEvent], sink: &[SinkEntry]) -> OrderVerdict {
    let seen = seen(sink);
    let mut keys: HashMap<(&str, &str), Vec<&OrderedEvent>> = HashMap::new();
    for event in events {
        keys.entry((&event.token, &event.key)).or_default().push(event);
    }
    let mut verdict = OrderVerdict::default();
    for events in keys.values_mut() {
        events.sort_by_key(|event| event.seq);
        judge(events, &seen, &mut verdict);
    }
    verdict.violations.sort();
    verdict.lost.sort();
    verdict
}

fn judge(events: &[&OrderedEvent], seen: &HashMap<(&str, &str), Seen>, verdict: &mut OrderVerdict) {
    // The latest end among the events before, and whose it is.
    let mut ended: Option<(u64, &OrderedEvent)> = None;
    // An event before that never ended: nothing may follow it.
    let mut stuck: Option<&OrderedEvent> = None;
    for event in events {
        let at = seen.get(&(event.token.as_str(), event.id.as_str()));
        let first = at.and_then(|seen| seen.first);
        if let (Some(first), Some((end, before))) = (first, ended) {
            verdict.judged += 1;
            if first.saturating_add(CLOCK_SLACK) < end {
                verdict.violations.push(format!(
                    "{} {}: {} arrived {} ms before {} had ended",
                    event.token,
                    event.key,
                    event.id,
                    (end - first) / 1_000_000,
                    before.id
                ));
            }
        }
        if let (Some(_), Some(before)) = (first, stuck) {
            let (token, key) = (&event.token, &event.key);
            let line =
                format!("{token} {key}: {} arrived though {} never ended", event.id, before.id);
            verdict.violations.push(line);
        }
        let end = match at {
            Some(Seen { accepted: Some(accepted), .. }) => {
                verdict.accepted += 1;
                Some(*accepted)
            }
            _ if event.given_up => {
                verdict.given_up += 1;
                at.and_then(|seen| seen.last).map(|(_, end)| end)
            }
            _ => {
                verdict.lost.push(format!("{} {}: {}", event.token, event.key, event.id));
                stuck = stuck.or(Some(event));
                None
            }
        };
        if let Some(end) = end
            && ended.is_none_or(|(latest, _)| latest < end)
        {
            ended = Some((end, event));
        }
    }
}

fn seen(sink: &[SinkEntry]) -> HashMap<(&str, &str), Seen> {
    let mut answers = HashMap::new();
    for entry in sink {
        if let SinkEntry::Resp { sequence, status, how, t } = entry {
            answers.insert(*sequence, (*status, *how, *t));
        }
    }
    let mut seen: HashMap<(&str, &str), Seen> = HashMap::new();
    for entry in sink {
        let SinkEntry::Recv { sequence, token, id, t, .. } = entry else { continue };
        let event = seen.entry((token, id)).or_default();
        event.first = Some(event.first.map_or(*t, |first| first.min(*t)));
        let answer = answers.get(sequence);
        let end = match answer {
            Some((_, How::Full, answered)) => *answered,
            // Nobody waited for the answer any more.
            Some(_) | None => *t,
        };
        event.last = event.last.max(Some((*t, end)));
        if let Some((Some(200..=299), _, answered)) = answer {
            event.accepted = Some(event.accepted.map_or(*answered, |at| at.min(*answered)));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn event(id: &str, seq: i64) -> OrderedEvent {
        let (token, key) = ("t".to_owned(), id[..1].to_owned());
        OrderedEvent { token, key, id: id.to_owned(), seq, given_up: false }
    }

    /// Requests as (event, arrival in ms, answer), each answered after 10 ms.
    fn sink(requests: &[(&str, u64, u16)]) -> Vec<SinkEntry> {
        let mut entries = Vec::new();
        for (sequence, (id, at, status)) in (0u64..).zip(requests) {
            entries.push(SinkEntry::Recv {
                sequence,
                token: "t".to_owned(),
                id: (*id).to_owned(),
                attempt: None,
                body_sha256: String::new(),
                data_sha256: None,
                open: 1,
                t: at * MS,
            });
            let (status, how) = (Some(*status), How::Full);
            entries.push(SinkEntry::Resp { sequence, status, how, t: (at + 10) * MS });
        }
        entries
    }

    #[test]
    fn a_right_history_is_accepted_with_retries_and_repetitions() {
        let events = [event("a1", 1), event("b1", 2), event("a2", 3), event("a3", 4)];
        let right = sink(&[
            ("a1", 0, 500),
            ("b1", 1, 200),
            ("a1", 20, 200),
            ("a2", 40, 200),
            ("a1", 50, 200),
            ("a3", 60, 200),
        ]);
        let verdict = check_order(&events, &right);
        assert!(verdict.is_clean(), "{verdict:?}");
        assert_eq!((verdict.accepted, verdict.judged), (4, 2));
    }

    #[test]
    fn a_planted_overtaking_is_found() {
        let events = [event("a1", 1), event("a2", 2), event("a3", 3)];
        let overtaken = sink(&[("a1", 0, 500), ("a2", 20, 200), ("a1", 40, 200), ("a3", 60, 200)]);
        let verdict = check_order(&events, &overtaken);
        assert_eq!(verdict.violations.len(), 1, "{verdict:?}");
        assert!(verdict.violations[0].contains("a2 arrived"), "{verdict:?}");
        // At the same time is too early as well.
        let beside = sink(&[("a1", 0, 200), ("a2", 5, 200), ("a3", 60, 200)]);
        assert_eq!(check_order(&events, &beside).violations.len(), 1);
        // Not only between neighbours.
        let far = sink(&[("a3", 0, 200), ("a1", 20, 200), ("a2", 40, 200)]);
        assert_eq!(check_order(&events, &far).violations.len(), 1);
    }

    #[test]
    fn a_skipped_event_ends_with_its_last_request() {
        let mut events = [event("a1", 1), event("a2", 2)];
        let skipped = sink(&[("a1", 0, 500), ("a1", 20, 500), ("a2", 40, 200)]);
        assert_eq!(
            check_order(&events, &skipped).lost.len(),
            1,
            "not given up, and never accepted"
        );
        events[0].given_up = true;
        let verdict = check_order(&events, &skipped);
        assert!(verdict.is_clean(), "{verdict:?}");
        assert_eq!(verdict.given_up, 1);
        let again = sink(&[("a1", 0, 500), ("a2", 20, 200), ("a1", 40, 500)]);
        assert_eq!(check_order(&events, &again).violations.len(), 1);
    }

    #[test]
    fn the_last_request_of_a_skipped_event_ends_with_its_answer_whatever_that_is() {
        let mut events = [event("a1", 1), event("a2", 2)];
        events[0].given_up = true;
        let beside = sink(&[("a1", 0, 500), ("a2", 5, 200)]);
        assert_eq!(check_order(&events, &beside).violations.len(), 1);
        // Who was killed got no answer, and the next worker could not know when it would have come.
        for cut in [None, Some(How::Partial)] {
            let mut killed = beside.clone();
            match (cut, &mut killed[1]) {
                (Some(cut), SinkEntry::Resp { how, .. }) => *how = cut,
                _ => drop(killed.remove(1)),
            }
            let verdict = check_order(&events, &killed);
            assert!(verdict.is_clean(), "{verdict:?}");
        }
    }

    #[test]
    fn what_never_arrived_is_lost_and_nothing_is_clean_about_nothing() {
        let events = [event("a1", 1), event("a2", 2)];
        let verdict = check_order(&events, &sink(&[("a2", 0, 200)]));
        assert_eq!((verdict.lost.len(), verdict.violations.len()), (1, 1), "{verdict:?}");
        assert!(!check_order(&[], &[]).is_clean());
    }
}
