//! Why an endpoint wants an event or does not: a report for each clause of its filter.
//!
//! The command line and the API show it to the tenant, whose own event it speaks of. It asks the compiled clauses
//! themselves, so it cannot say anything else than matching does.

use serde::Serialize;

use super::alternatives::{Accepted, Alternatives};
use super::any_of::ValueHash;
use super::atom::Atom;
use super::clause::{Clause, Found, Source, Subject, Test, all_hold, is_wanted};
use super::data::Node;
use super::prepared::Prepared;
use super::{EventView, Scalar, Subscription};
use crate::input::shown;

/// How many values of a list are named, and how many of its objects are looked at for the best report.
const SHOWN_VALUES: usize = 3;
const SHOWN_OBJECTS: usize = 100;

/// Whether an endpoint wants an event, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The same as [`Subscription::matches`] says.
    pub matched: bool,
    /// One for the event types, and one for each clause, in the filter's order. All must hold.
    pub clauses: Vec<ClauseReport>,
}

/// What became of one clause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClauseReport {
    /// JSON pointer into the endpoint, such as `/filter/attributes/plan`.
    pub pointer: String,
    /// Whether it holds.
    pub matched: bool,
    /// Why, in words: what the event has, and how that compares.
    pub detail: String,
    /// The clauses inside: the keys of an object, the branches of `$or`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<ClauseReport>,
}

impl Explanation {
    /// The clauses to blame: those that do not hold, without those that fail only because one inside them does.
    pub fn failed(&self) -> Vec<&ClauseReport> {
        let mut failed = Vec::new();
        self.clauses.iter().for_each(|clause| clause.collect_failed(&mut failed));
        failed
    }
}

impl ClauseReport {
    fn collect_failed<'a>(&'a self, failed: &mut Vec<&'a Self>) {
        if self.matched {
            return;
        }
        if self.within.is_empty() {
            failed.push(self);
        }
        self.within.iter().for_each(|clause| clause.collect_failed(failed));
    }
}

impl Subscription {
    /// Says of the event types and of each clause whether it holds and why. Slow, and meant for people.
    pub fn explain(&self, event: &EventView<'_>) -> Explanation {
        let named = shown(event.event_type);
        let wanted = self.types.matches(event.event_type);
        let detail = match wanted {
            true => format!("{named} is an event type asked for"),
            false => format!("{named} is none of the event types asked for"),
        };
        let pointer = "/event_types".to_owned();
        let mut clauses = vec![ClauseReport { pointer, matched: wanted, detail, within: vec![] }];
        let prepared = Prepared::new(event);
        clauses.extend(reports(&self.clauses, Subject::Event(&prepared)));
        Explanation { matched: clauses.iter().all(|clause| clause.matched), clauses }
    }
}

fn reports(clauses: &[Clause], subject: Subject<'_>) -> Vec<ClauseReport> {
    clauses.iter().map(|clause| report(clause, subject)).collect()
}

fn report(clause: &Clause, subject: Subject<'_>) -> ClauseReport {
    let (detail, within) = match &clause.test {
        Test::Value { of, wanted } => (value(of, subject.find(of), wanted), Vec::new()),
        Test::Within { of, clauses } => object(of, subject.find(of), clauses),
        Test::Either { branches } => either(&clause.pointer, branches, subject),
    };
    let pointer = clause.pointer.to_string();
    ClauseReport { pointer, matched: clause.holds(subject), detail, within }
}

fn value(of: &Source, found: Found<'_>, wanted: &Alternatives) -> String {
    let name = name(of);
    if !found.exists() {
        return match wanted.absence {
            true => format!("the event has no {name}, as asked"),
            false => format!("the event has no {name}"),
        };
    }
    let values = values(found);
    let accepted = values.iter().find_map(|(value, hash)| {
        wanted.accepted(*value, *hash).map(|accepted| (*value, accepted))
    });
    match accepted {
        Some((value, Accepted::Exactly)) => format!("{name} is {}, as asked", text(value)),
        Some((value, Accepted::By(operator))) => {
            format!("{name} is {}, which satisfies {operator}", text(value))
        }
        None if is_wanted(found, wanted) => format!("the event has a {name}, as asked"),
        None if values.is_empty() => format!("{name} is an object, which no list of values wants"),
        None => format!("{name} is {}, which nothing in the list allows", list(&values)),
    }
}

fn object(of: &Source, found: Found<'_>, clauses: &[Clause]) -> (String, Vec<ClauseReport>) {
    let (name, mut objects) = (name(of), Vec::new());
    if let Found::Node(node) = found {
        collect_objects(node, &mut objects);
    }
    let inside = |object| reports(clauses, Subject::Object(object));
    match objects[..] {
        [] => (format!("{name} is no object, so its keys have no value"), inside(None)),
        [one] => (format!("{name} is an object"), inside(Some(one))),
        _ => {
            let count = objects.len();
            let holds = |object: &&&Node| all_hold(clauses, Subject::Object(Some(object)));
            if let Some(found) = objects.iter().find(holds) {
                return (
                    format!("one of {count} objects in {name} satisfies all"),
                    inside(Some(found)),
                );
            }
            let failures =
                |reports: &Vec<ClauseReport>| reports.iter().filter(|r| !r.matched).count();
            let nearest = objects.iter().take(SHOWN_OBJECTS).map(|object| inside(Some(object)));
            let detail = format!("none of {count} objects in {name} satisfies all; the nearest");
            (detail, nearest.min_by_key(failures).unwrap_or_default())
        }
    }
}

fn either(
    pointer: &str,
    branches: &[Box<[Clause]>],
    subject: Subject<'_>,
) -> (String, Vec<ClauseReport>) {
    let branch = |index: usize| {
        let clauses = &branches[index];
        let matched = all_hold(clauses, subject);
        let detail = if matched { "all of it holds" } else { "not all of it holds" };
        let pointer = format!("{pointer}/{index}");
        let within = reports(clauses, subject);
        ClauseReport { pointer, matched, detail: detail.to_owned(), within }
    };
    let within: Vec<_> = (0..branches.len()).map(branch).collect();
    let holding = within.iter().filter(|branch| branch.matched).count();
    (format!("{holding} of {} alternatives hold; one is enough", within.len()), within)
}

fn name(of: &Source) -> String {
    match of {
        Source::Type => "type".to_owned(),
        Source::Tenant => "tenant_id".to_owned(),
        Source::Labels => "label".to_owned(),
        Source::Attribute(name) => format!("attribute {}", shown(name)),
        Source::Data => "data".to_owned(),
        Source::Key(key) => format!("key {}", shown(key)),
    }
}

fn values(found: Found<'_>) -> Vec<(Atom<'_>, ValueHash)> {
    match found {
        Found::Nothing => Vec::new(),
        Found::One(value, hash) => vec![(value, hash)],
        Found::Labels(event) => event.labels().collect(),
        Found::Node(node) => {
            let mut values = Vec::new();
            collect_values(node, &mut values);
            values
        }
    }
}

fn collect_values<'a>(node: &'a Node, values: &mut Vec<(Atom<'a>, ValueHash)>) {
    match node {
        Node::Nothing | Node::Object(_) => {}
        Node::Scalar(value, hash) => values.push((value.into(), *hash)),
        Node::List(items) => items.iter().for_each(|item| collect_values(item, values)),
    }
}

fn collect_objects<'a>(node: &'a Node, objects: &mut Vec<&'a Node>) {
    match node {
        Node::Nothing | Node::Scalar(..) => {}
        Node::Object(_) => objects.push(node),
        Node::List(items) => items.iter().for_each(|item| collect_objects(item, objects)),
    }
}

fn list(values: &[(Atom<'_>, ValueHash)]) -> String {
    let texts: Vec<_> = values.iter().take(SHOWN_VALUES).map(|(value, _)| text(*value)).collect();
    match values.len().saturating_sub(SHOWN_VALUES) {
        0 => texts.join(", "),
        more => format!("{} and {more} more", texts.join(", ")),
    }
}

fn text(value: Atom<'_>) -> String {
    match value {
        Atom::Text(text) => format!("\"{}\"", shown(text)),
        Atom::Other(Scalar::Bool(value)) => value.to_string(),
        Atom::Other(Scalar::Int(number)) => number.to_string(),
        Atom::Other(Scalar::Float(number)) => number.to_string(),
        Atom::Other(Scalar::Text(text)) => format!("\"{}\"", shown(text)),
    }
}
