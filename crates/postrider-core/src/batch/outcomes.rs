//! What a receiver said of each event of a batch, where its answer says something of each.
//!
//! `{"results": [{"id": "evt_…", "status": 200}, {"index": 3, "status": 500}]}`: `id` is the event's, `index` its place from 0. Only a
//! `2xx` is read. The body comes from outside: it is taken apart without trust, and what it names wrongly names nobody.

use std::collections::HashMap;

use serde_json::Value;

use crate::answer::Answer;

/// What was said of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The receiver has it.
    Accepted,
    /// It has not, for this status; none if it did not say one, or nothing of this event at all.
    Refused(Option<u16>),
}

/// What an answer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdicts {
    /// The same of all: the answer's own status counts.
    Whole,
    /// Of each, in the order of the events.
    Each(Vec<Said>),
    /// That there are outcomes, but not which: none of them can be believed.
    Unreadable,
}

/// Reads the answer to a batch of events with these ids.
///
/// A `207` is believed only for what it names: what it does not name was refused. Any other `2xx` accepts what it does not name.
#[must_use]
pub fn read_outcomes(answer: &Answer, ids: &[&str]) -> Verdicts {
    if !answer.is_success() {
        return Verdicts::Whole;
    }
    let each_counts = answer.status == Some(207);
    match results(&answer.body) {
        Some(results) => Verdicts::Each(judge(&results, ids, each_counts)),
        None if each_counts || was_cut_in_results(answer) => Verdicts::Unreadable,
        None => Verdicts::Whole,
    }
}

fn results(body: &[u8]) -> Option<Vec<Value>> {
    match serde_json::from_slice(body).ok()? {
        Value::Object(mut object) => match object.remove("results")? {
            Value::Array(results) => Some(results),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the body ended before its end, and had begun to say something of each.
fn was_cut_in_results(answer: &Answer) -> bool {
    let begins = answer.body.trim_ascii_start().starts_with(b"{");
    let mark = b"\"results\"";
    answer.detail.is_some() && begins && answer.body.windows(mark.len()).any(|w| w == mark)
}

fn judge(results: &[Value], ids: &[&str], each_counts: bool) -> Vec<Said> {
    let unnamed = if each_counts { Said::Refused(None) } else { Said::Accepted };
    let mut said: Vec<Option<Said>> = vec![None; ids.len()];
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, id) in ids.iter().enumerate() {
        places.entry(id).or_default().push(place);
    }
    for result in results {
        let outcome = outcome(result);
        let by_id = result.get("id").and_then(Value::as_str).and_then(|id| places.get(id));
        let index = result.get("index").and_then(Value::as_u64);
        let by_index = index.and_then(|index| usize::try_from(index).ok());
        let named = match by_id {
            Some(places) => places.as_slice(),
            // An id that nobody has is not made good by an index.
            None if result.get("id").is_some() => &[],
            None => by_index.as_slice(),
        };
        for place in named {
            if let Some(known) = said.get_mut(*place) {
                // Named twice: one refusal is enough.
                *known = match *known {
                    Some(Said::Refused(status)) => Some(Said::Refused(status)),
                    _ => Some(outcome),
                };
            }
        }
    }
    said.into_iter().map(|known| known.unwrap_or(unnamed)).collect()
}

/// A status that is none accepts nothing.
fn outcome(result: &Value) -> Said {
    let status = result.get("status").and_then(Value::as_u64);
    match status.and_then(|status| u16::try_from(status).ok()) {
        Some(200..=299) => Said::Accepted,
        Some(status @ 100..=599) => Said::Refused(Some(status)),
        _ => Said::Refused(None),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::status::ErrorClass;

    const IDS: [&str; 3] = ["evt_a", "evt_b", "evt_c"];

    fn read(status: u16, body: &str) -> Verdicts {
        read_outcomes(&answer(status, body), &IDS)
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: Some(status),
            error: (!(200..300).contains(&status)).then_some(ErrorClass::HttpStatus),
            body: body.as_bytes().to_vec(),
            ..Answer::failed(ErrorClass::Internal, Duration::ZERO)
        }
    }

    fn each(said: [Option<u16>; 3]) -> Verdicts {
        // 0 stands for a refusal without a status.
        Verdicts::Each(
            said.map(|status| match status {
                None => Said::Accepted,
                Some(0) => Said::Refused(None),
                Some(status) => Said::Refused(Some(status)),
            })
            .to_vec(),
        )
    }

    #[test]
    fn each_event_has_the_outcome_that_names_it() {
        let b = r#"{"results":[{"id":"evt_b","status":500}]}"#;
        assert_eq!(read(200, b), each([None, Some(500), None]));
        let b =
            r#"{"results":[{"index":2,"status":422},{"index":0,"status":201}],"more":{"x":[1]}}"#;
        assert_eq!(read(202, b), each([None, None, Some(422)]));
        assert_eq!(read(200, r#"{"results":[]}"#), each([None, None, None]));
    }

    #[test]
    fn a_207_is_believed_only_for_what_it_names() {
        let b = r#"{"results":[{"id":"evt_a","status":200},{"id":"evt_c","status":204}]}"#;
        assert_eq!(read(207, b), each([None, Some(0), None]));
        assert_eq!(read(207, r#"{"results":[]}"#), each([Some(0), Some(0), Some(0)]));
        for unreadable in ["", "ok", "[]", "{}", r#"{"results":{}}"#, r#"{"results":[{"id":"#] {
            assert_eq!(read(207, unreadable), Verdicts::Unreadable, "{unreadable:?}");
        }
    }

    #[test]
    fn what_names_nobody_is_ignored_and_one_refusal_is_enough() {
        let b = r#"{"results":[{"id":"evt_x","status":500},{"id":"evt_x","index":1,"status":500},{"index":3,"status":500},{"index":-1,"status":500},7,null,{"status":500}]}"#;
        assert_eq!(read(200, b), each([None, None, None]));
        let b = r#"{"results":[{"id":"evt_a","status":503},{"id":"evt_a","status":200},{"index":1,"status":200},{"id":"evt_b","status":400}]}"#;
        assert_eq!(read(200, b), each([Some(503), Some(400), None]));
    }

    #[test]
    fn a_status_that_is_none_is_a_refusal() {
        for status in ["\"200\"", "null", "0", "99", "600", "200.5", "-200", "1e3", "true"] {
            let b = format!(r#"{{"results":[{{"id":"evt_a","status":{status}}}]}}"#);
            assert_eq!(read(200, &b), each([Some(0), None, None]), "{status}");
        }
        assert_eq!(read(200, r#"{"results":[{"id":"evt_a"}]}"#), each([Some(0), None, None]));
    }

    #[test]
    fn other_answers_speak_for_the_whole() {
        let b = r#"{"results":[{"id":"evt_a","status":500}]}"#;
        for (status, body) in [(500, b), (301, b), (200, ""), (200, "ok"), (204, ""), (200, "[1]")]
        {
            assert_eq!(read(status, body), Verdicts::Whole, "{status} {body}");
        }
        assert_eq!(read(200, r#"{"results":"all fine"}"#), Verdicts::Whole);
    }

    #[test]
    fn outcomes_that_did_not_arrive_whole_are_not_guessed() {
        let cut = |body: &str| Answer { detail: Some("body_cut"), ..answer(200, body) };
        let body = r#" {"results":[{"id":"evt_a","status":200},{"id":"evt_b","sta"#;
        assert_eq!(read_outcomes(&cut(body), &IDS), Verdicts::Unreadable);
        assert_eq!(read_outcomes(&cut("<html>"), &IDS), Verdicts::Whole);
        assert_eq!(read_outcomes(&cut(r#"{"note":"long"#), &IDS), Verdicts::Whole);
    }

    #[test]
    fn events_of_the_same_id_share_their_outcome() {
        let b = r#"{"results":[{"id":"evt_a","status":500}]}"#;
        let said = read_outcomes(&answer(200, b), &["evt_a", "evt_b", "evt_a"]);
        assert_eq!(said, each([Some(500), None, Some(500)]));
    }
}
