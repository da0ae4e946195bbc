//! What a receiver does with a request, for each path and one after another.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::record::Received;

/// What to do with a request that has arrived whole.
#[derive(Clone)]
#[non_exhaustive]
pub enum Behaviour {
    /// Answers with this.
    Reply(Reply),
    /// One after another, a request each; the last repeats. An empty list answers 200.
    Sequence(Vec<Behaviour>),
    /// Waits, then does that.
    Delay(Duration, Box<Behaviour>),
    /// Never answers.
    Hang,
    /// Answers 200 with a body that trickles: a byte, then a pause, until `bytes` are sent.
    SlowBody {
        /// The pause before each byte.
        every: Duration,
        /// How many bytes there are.
        bytes: u64,
    },
    /// Answers 200 with a body of so many bytes, as fast as they are taken.
    HugeBody {
        /// How many bytes there are; `u64::MAX` is endless.
        bytes: u64,
    },
    /// Resets the connection instead of answering.
    Reset,
    /// Answers 200 and promises a body of 1,000 bytes or more, sends so many of them and resets the connection.
    Cut {
        /// How many bytes are sent.
        after: usize,
    },
    /// Asks a function, which sees the request before anything is answered.
    Ask(Arc<dyn Fn(&Received) -> Behaviour + Send + Sync>),
}

/// An answer: status, headers and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers beside those that HTTP needs.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// An empty answer.
    #[must_use]
    pub fn new(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Reply {
        self.body = body.into();
        self
    }
}

impl Behaviour {
    /// Answers with an empty body and this status.
    #[must_use]
    pub fn status(status: u16) -> Behaviour {
        Behaviour::Reply(Reply::new(status))
    }

    /// Answers with these statuses, one after another; the last repeats.
    pub fn statuses(statuses: impl IntoIterator<Item = u16>) -> Behaviour {
        Behaviour::Sequence(statuses.into_iter().map(Behaviour::status).collect())
    }

    /// Answers 200 after a while.
    #[must_use]
    pub fn delay(wait: Duration) -> Behaviour {
        Behaviour::Delay(wait, Box::new(Behaviour::status(200)))
    }

    /// Asks `decide` for each request.
    pub fn ask(decide: impl Fn(&Received) -> Behaviour + Send + Sync + 'static) -> Behaviour {
        Behaviour::Ask(Arc::new(decide))
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Behaviour::Reply(reply) => reply.fmt(f),
            Behaviour::Sequence(steps) => f.debug_list().entries(steps).finish(),
            Behaviour::Delay(wait, then) => write!(f, "Delay({wait:?}, {then:?})"),
            Behaviour::Hang => f.write_str("Hang"),
            Behaviour::SlowBody { every, bytes } => {
                write!(f, "SlowBody({bytes} bytes, one every {every:?})")
            }
            Behaviour::HugeBody { bytes } => write!(f, "HugeBody({bytes} bytes)"),
            Behaviour::Reset => f.write_str("Reset"),
            Behaviour::Cut { after } => write!(f, "Cut(after {after} bytes)"),
            Behaviour::Ask(_) => f.write_str("Ask(…)"),
        }
    }
}

/// The behaviour of each path, and how far its sequence has come.
#[derive(Debug, Default)]
pub(super) struct Behaviours {
    paths: HashMap<String, (Behaviour, usize)>,
    default: Option<Behaviour>,
    /// How far the default has come, for each path by itself.
    steps: HashMap<String, usize>,
}

impl Behaviours {
    pub(super) fn set(&mut self, path: &str, behaviour: Behaviour) {
        self.paths.insert(path.to_owned(), (behaviour, 0));
    }

    pub(super) fn set_default(&mut self, behaviour: Behaviour) {
        self.steps.clear();
        self.default = Some(behaviour);
    }

    /// What to do now with a request for `path`; takes one step of its sequence.
    pub(super) fn next(&mut self, path: &str) -> Behaviour {
        match (self.paths.get_mut(path), &self.default) {
            (Some((behaviour, step)), _) => take(behaviour, step),
            (None, Some(default @ Behaviour::Sequence(_))) => {
                take(default, self.steps.entry(path.to_owned()).or_default())
            }
            (None, Some(default)) => default.clone(),
            (None, None) => Behaviour::status(200),
        }
    }
}

fn take(behaviour: &Behaviour, step: &mut usize) -> Behaviour {
    let Behaviour::Sequence(steps) = behaviour else { return behaviour.clone() };
    let now = steps.get(*step).or(steps.last()).cloned().unwrap_or_else(|| Behaviour::status(200));
    *step += 1;
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statuses(behaviours: &mut Behaviours, path: &str, count: usize) -> Vec<u16> {
        let next = |_| match behaviours.next(path) {
            Behaviour::Reply(reply) => reply.status,
            other => panic!("{other:?} is no reply"),
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn sequences_advance_for_each_path_and_their_last_step_repeats() {
        let mut behaviours = Behaviours::default();
        assert_eq!(statuses(&mut behaviours, "/a", 2), [200, 200]);
        behaviours.set_default(Behaviour::statuses([500, 201]));
        behaviours.set("/b", Behaviour::statuses([404]));
        assert_eq!(statuses(&mut behaviours, "/a", 3), [500, 201, 201]);
        assert_eq!(statuses(&mut behaviours, "/c", 1), [500]);
        assert_eq!(statuses(&mut behaviours, "/b", 2), [404, 404]);
        behaviours.set("/b", Behaviour::statuses([]));
        assert_eq!(statuses(&mut behaviours, "/b", 1), [200]);
    }
}
