//! Publishing many events: de-duplicated, sorted, answered in the caller's order.
//! Decides who is sent and what the answers mean for the others; a [`Sender`] talks to the database.

use std::collections::BTreeMap;

use postrider_event::Event;

use crate::{PublishError, Published};

/// One statement carries at most this much payload; more is sent as several, in order.
const MAX_STATEMENT_BYTES: usize = 16 * 1024 * 1024;

/// Sends events in the order given with one statement; answers come in the same order.
pub(crate) trait Sender: Send {
    fn send(
        &mut self,
        events: &[&Event],
    ) -> impl Future<Output = Result<Vec<Published>, PublishError>> + Send;
}

/// Publishes `events` and answers for each, in the caller's order.
///
/// Of events that share tenant and id only the first is sent. The statement takes its locks in the order of (tenant,
/// id), so two transactions that publish the same ids wait for each other and never deadlock.
pub(crate) async fn publish_all<S: Sender>(
    mut sender: S,
    events: &[Event],
) -> Result<Vec<Published>, PublishError> {
    let mut answers: Vec<Option<Published>> = vec![None; events.len()];
    // Nearly always there is one round. A further one happens when the database holds other content than the first of
    // several twins: a later twin may be what it holds.
    loop {
        let groups = unanswered(events, &answers);
        if groups.is_empty() {
            break;
        }
        let leaders: Vec<&Event> = groups.iter().map(|group| &events[group[0]]).collect();
        let mut published = Vec::with_capacity(leaders.len());
        for statement in split(&leaders) {
            published.extend(sender.send(statement).await?);
        }
        for (group, leader) in groups.iter().zip(published) {
            for &index in group {
                answers[index] =
                    answer_for(&events[index], &events[group[0]], index == group[0], leader);
            }
        }
    }
    Ok(answers
        .into_iter()
        .map(|answer| answer.expect("the loop ends when all are answered"))
        .collect())
}

/// Events without an answer, those of one tenant and id together, in the order of (tenant, id).
fn unanswered(events: &[Event], answers: &[Option<Published>]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (index, event) in events.iter().enumerate().filter(|(index, _)| answers[*index].is_none()) {
        groups.entry((event.tenant(), event.id())).or_default().push(index);
    }
    groups.into_values().collect()
}

/// What the answer to the first of several twins says about `event`; `None` when the database must be asked.
fn answer_for(
    event: &Event,
    leader: &Event,
    is_leader: bool,
    answer: Published,
) -> Option<Published> {
    match answer {
        _ if is_leader => Some(answer),
        Published::Inserted | Published::Duplicate if event.same_content(leader) => {
            Some(Published::Duplicate)
        }
        Published::Inserted | Published::Duplicate => Some(Published::Conflict),
        Published::Conflict | Published::Disabled if event.same_content(leader) => Some(answer),
        Published::Conflict | Published::Disabled => None,
    }
}

/// Cuts a batch where it would carry too much payload.
fn split<'a, 'b>(events: &'a [&'b Event]) -> Vec<&'a [&'b Event]> {
    let mut statements = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, event) in events.iter().enumerate() {
        if index > start && bytes + event.data().len() > MAX_STATEMENT_BYTES {
            statements.push(&events[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += event.data().len();
    }
    statements.push(&events[start..]);
    statements
}

#[cfg(test)]
mod tests {
    use postrider_event::EMAIL_SENT;

    use super::*;

    fn event(tenant: &str, id: &str, data: &str) -> Event {
        Event::new(EMAIL_SENT, tenant).id(id).data_text(data)
    }

    #[test]
    fn twins_are_grouped_and_groups_sorted() {
        let events = [
            event("b", "1", "1"),
            event("a", "2", "1"),
            event("b", "1", "2"),
            event("a", "1", "1"),
        ];
        assert_eq!(unanswered(&events, &[None; 4]), [vec![3], vec![1], vec![0, 2]]);
        assert_eq!(
            unanswered(&events, &[Some(Published::Inserted), None, None, None]),
            [vec![3], vec![1], vec![2]]
        );
    }

    #[test]
    fn a_twin_learns_its_answer_from_the_first_where_it_can() {
        use Published::{Conflict, Disabled, Duplicate, Inserted};
        let leader = event("t", "1", "{}");
        let (same, other) = (event("t", "1", "{}"), event("t", "1", "[]"));
        let cases = [
            (Inserted, Some(Duplicate), Some(Conflict)),
            (Duplicate, Some(Duplicate), Some(Conflict)),
            (Conflict, Some(Conflict), None),
            (Disabled, Some(Disabled), None),
        ];
        for (answer, for_same, for_other) in cases {
            assert_eq!(answer_for(&leader, &leader, true, answer), Some(answer));
            assert_eq!(answer_for(&same, &leader, false, answer), for_same);
            assert_eq!(answer_for(&other, &leader, false, answer), for_other);
        }
    }

    #[test]
    fn a_batch_is_cut_by_its_payload() {
        let big = event("t", "1", &"x".repeat(MAX_STATEMENT_BYTES / 2));
        let small = event("t", "2", "{}");
        let sizes = |events: &[&Event]| {
            split(events).iter().map(|statement| statement.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[&small, &small]), [2]);
        assert_eq!(sizes(&[&big, &big, &small]), [2, 1]);
        assert_eq!(sizes(&[&big, &small, &big, &big]), [2, 2]);
    }
}
