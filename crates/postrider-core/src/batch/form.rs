//! Which deliveries go into one request, and how long the rest can wait for company. Pure: takes what is due, oldest first.

use std::time::Duration;

use super::{BatchPolicy, Encoding};

/// A delivery that is due, as far as forming has to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Of its part of the body, as [`super::item_bytes`] counts them.
    pub bytes: usize,
    /// Since it fell due.
    pub waited: Duration,
    /// It goes by itself: tried before, expired, without a body, or a test.
    pub alone: bool,
}

/// One request, by the places of its deliveries among the candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A single delivery.
    Alone(usize),
    /// A batch of at least one.
    Batch(Vec<usize>),
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Formed {
    /// What goes now.
    pub requests: Vec<Request>,
    /// What does not go yet goes after this, or when there is enough of it.
    pub wait: Option<Duration>,
    /// `most` was reached before all candidates had been looked at.
    pub cut: bool,
}

/// Forms up to `most` requests out of candidates that are in due order. Without a policy each goes by itself.
#[must_use]
pub fn form(policy: Option<&BatchPolicy>, candidates: &[Candidate], most: usize) -> Formed {
    let mut formed = Formed::default();
    let mut gathered = Gathered::default();
    for (place, candidate) in candidates.iter().enumerate() {
        if formed.requests.len() >= most {
            formed.cut = true;
            return formed;
        }
        let Some(policy) = policy.filter(|_| !candidate.alone) else {
            formed.requests.push(Request::Alone(place));
            continue;
        };
        let limit = usize::try_from(policy.max_bytes).unwrap_or(usize::MAX);
        if !gathered.places.is_empty() && gathered.with(candidate.bytes, policy.encoding) > limit {
            formed.requests.push(gathered.take());
            if formed.requests.len() >= most {
                formed.cut = true;
                return formed;
            }
        }
        gathered.add(place, candidate);
        let full = gathered.places.len() >= usize::from(policy.max_events);
        if full || gathered.with(0, policy.encoding) >= limit {
            formed.requests.push(gathered.take());
        }
    }
    if let Some(policy) = policy.filter(|_| !gathered.places.is_empty()) {
        match policy.max_wait.checked_sub(gathered.waited) {
            Some(left) if !left.is_zero() => formed.wait = Some(left),
            _ if formed.requests.len() >= most => formed.cut = true,
            _ => formed.requests.push(gathered.take()),
        }
    }
    formed
}

/// What is together so far.
#[derive(Default)]
struct Gathered {
    places: Vec<usize>,
    bytes: usize,
    waited: Duration,
}

impl Gathered {
    fn add(&mut self, place: usize, candidate: &Candidate) {
        self.places.push(place);
        self.bytes += candidate.bytes;
        self.waited = self.waited.max(candidate.waited);
    }

    /// The bytes of a body with one more item, or none more if that has no bytes.
    fn with(&self, more: usize, encoding: Encoding) -> usize {
        let items = self.places.len() + usize::from(more > 0);
        let around = match encoding {
            // Brackets, and a comma between two.
            Encoding::Array => items + 1,
            Encoding::Ndjson => items,
        };
        self.bytes + more + around
    }

    fn take(&mut self) -> Request {
        let taken = std::mem::take(self);
        Request::Batch(taken.places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(events: i64, bytes: i64) -> BatchPolicy {
        BatchPolicy::new(events, SECOND, bytes, Encoding::Array).unwrap()
    }

    fn fresh(bytes: usize) -> Candidate {
        Candidate { bytes, waited: Duration::ZERO, alone: false }
    }

    fn old(bytes: usize) -> Candidate {
        Candidate { waited: SECOND, ..fresh(bytes) }
    }

    fn alone() -> Candidate {
        Candidate { alone: true, ..fresh(10) }
    }

    fn batch(places: impl IntoIterator<Item = usize>) -> Request {
        Request::Batch(places.into_iter().collect())
    }

    #[test]
    fn a_full_batch_goes_and_the_rest_waits() {
        let formed = form(Some(&policy(3, 4096)), &[fresh(10); 8], 100);
        assert_eq!(formed.requests, [batch(0..3), batch(3..6)]);
        assert_eq!((formed.wait, formed.cut), (Some(SECOND), false));
    }

    #[test]
    fn what_has_waited_long_enough_goes_incomplete() {
        let mut candidates = vec![fresh(10); 4];
        candidates[3].waited = Duration::from_millis(400);
        let formed = form(Some(&policy(3, 4096)), &candidates, 100);
        assert_eq!(formed.requests, [batch(0..3)]);
        assert_eq!(formed.wait, Some(Duration::from_millis(600)));
        candidates[3] = old(10);
        let formed = form(Some(&policy(3, 4096)), &candidates, 100);
        assert_eq!(formed.requests, [batch(0..3), batch(3..4)]);
        assert_eq!(formed.wait, None);
    }

    #[test]
    fn no_body_is_larger_than_it_may_be() {
        // 1024 bytes: two brackets, n - 1 commas.
        for (each, together) in [(511, 1), (510, 2), (340, 3), (341, 2), (1022, 1), (5000, 1)] {
            let formed = form(Some(&policy(500, 1024)), &[fresh(each); 12], 100);
            let first = &formed.requests[0];
            assert_eq!(*first, batch(0..together), "items of {each} bytes");
            let bytes = together * each + together + 1;
            assert!(bytes <= 1024 || together == 1, "{bytes}");
        }
    }

    #[test]
    fn a_batch_that_nothing_more_fits_into_does_not_wait() {
        let formed = form(Some(&policy(500, 1024)), &[fresh(1022)], 100);
        assert_eq!(formed.requests, [batch(0..1)]);
    }

    #[test]
    fn what_goes_by_itself_neither_waits_nor_splits_the_others() {
        let candidates = [fresh(10), alone(), fresh(10), alone(), fresh(10)];
        let formed = form(Some(&policy(3, 4096)), &candidates, 100);
        let alone = Request::Alone;
        assert_eq!(formed.requests, [alone(1), alone(3), batch([0, 2, 4])]);
        let formed = form(None, &candidates[..2], 100);
        assert_eq!(formed.requests, [alone(0), alone(1)]);
    }

    #[test]
    fn there_are_no_more_requests_than_were_asked_for() {
        let formed = form(Some(&policy(2, 4096)), &[old(10); 9], 2);
        assert_eq!(formed.requests, [batch(0..2), batch(2..4)]);
        assert!(formed.cut);
        let formed = form(Some(&policy(2, 4096)), &[old(10); 5], 3);
        assert_eq!((formed.requests.len(), formed.cut), (3, false));
        let formed = form(Some(&policy(2, 4096)), &[old(10); 5], 0);
        assert!(formed.requests.is_empty() && formed.cut);
    }

    /// Numbers that look like chance and are the same in every run.
    fn roll(seed: &mut u64, sides: u64) -> usize {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((*seed >> 33) % sides).unwrap()
    }

    #[test]
    fn whatever_is_due_nobody_goes_twice_and_every_request_keeps_to_its_limits() {
        let mut seed = 7;
        for round in 0..3000 {
            let encoding = if round % 2 == 0 { Encoding::Array } else { Encoding::Ndjson };
            let events = 1 + roll(&mut seed, 9);
            let policy =
                BatchPolicy::new(i64::try_from(events).unwrap(), SECOND, 1024, encoding).unwrap();
            let candidates: Vec<Candidate> = (0..roll(&mut seed, 40))
                .map(|_| Candidate {
                    bytes: 1 + roll(&mut seed, 600) * (1 + roll(&mut seed, 3)),
                    waited: Duration::from_millis(u64::try_from(roll(&mut seed, 1200)).unwrap()),
                    alone: roll(&mut seed, 5) == 0,
                })
                .collect();
            let most = roll(&mut seed, 12);
            let formed = form(Some(&policy), &candidates, most);
            assert!(formed.requests.len() <= most);
            let mut seen = vec![0; candidates.len()];
            for request in &formed.requests {
                let places = match request {
                    Request::Alone(place) => vec![*place],
                    Request::Batch(places) => places.clone(),
                };
                places.iter().for_each(|place| seen[*place] += 1);
                let Request::Batch(places) = request else { continue };
                assert!(places.iter().all(|place| !candidates[*place].alone));
                let bytes: usize = places.iter().map(|place| candidates[*place].bytes).sum();
                let around =
                    if encoding == Encoding::Array { places.len() + 1 } else { places.len() };
                assert!(places.len() == 1 || bytes + around <= 1024, "{bytes} + {around}");
                assert!((1..=events).contains(&places.len()));
            }
            assert!(seen.iter().all(|times| *times <= 1));
            // Nobody who has waited long enough is left behind, unless for room.
            let late = |place: &usize| seen[*place] == 0 && candidates[*place].waited >= SECOND;
            assert!(formed.cut || !(0..candidates.len()).any(|place| late(&place)), "{formed:?}");
        }
    }
}
