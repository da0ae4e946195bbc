use postrider_core::batch::{BatchPolicy, Encoding};
use postrider_core::format::Format;
use postrider_store::batches::{EventSize, StoredMember};
use uuid::Uuid;

use super::*;

fn id(n: u128) -> DeliveryId {
    DeliveryId(Uuid::from_u128(n))
}

fn due(n: u128) -> DueDelivery {
    DueDelivery {
        id: id(n),
        seq: i64::try_from(n).unwrap(),
        attempts: 0,
        waited: Duration::from_secs(5),
        batch: None,
        replay: false,
        event: Some(EventSize {
            id_bytes: 5,
            envelope_bytes: 200,
            event_type: "email.sent".to_owned(),
            expired: false,
        }),
    }
}

fn manner() -> Manner<'static> {
    let policy = BatchPolicy::new(3, Duration::from_secs(1), 4096, Encoding::Array).unwrap();
    Manner { made: BatchManner { policy, format: Format::Postrider }, tenant: "acme" }
}

fn stored(members: &[u128]) -> StoredBatch {
    let ids: Vec<DeliveryId> = members.iter().map(|n| id(*n)).collect();
    StoredBatch {
        id: BatchId::derive(&ids),
        format: Some(Format::Raw),
        encoding: Some(Encoding::Ndjson),
        members: ids
            .iter()
            .map(|id| StoredMember { id: *id, unsendable: false, bytes: 200 })
            .collect(),
        broken: false,
        busy: false,
    }
}

fn members(planned: &Planned) -> Vec<Vec<u128>> {
    let numbers = |batch: &PlannedBatch| batch.members.iter().map(|m| m.0.as_u128()).collect();
    planned.plan.batches.iter().map(numbers).collect()
}

fn alone(planned: &Planned) -> Vec<u128> {
    planned.plan.alone.iter().map(|id| id.0.as_u128()).collect()
}

fn decide(due: &[DueDelivery], stored: &[StoredBatch]) -> Planned {
    plan(Some(&manner()), due, stored, 100, 1 << 20)
}

#[test]
fn new_batches_hold_their_members_in_the_order_of_their_events() {
    let planned = decide(&[due(3), due(1), due(2), due(9), due(4)], &[]);
    assert_eq!(members(&planned), [vec![1, 2, 3], vec![4, 9]]);
    let first = &planned.plan.batches[0];
    assert_eq!(first.id, BatchId::derive(&[id(1), id(2), id(3)]));
    assert_eq!((first.format, first.encoding), (Format::Postrider, Encoding::Array));
}

#[test]
fn what_was_tried_has_expired_has_no_body_or_is_a_test_goes_by_itself() {
    let tried = DueDelivery { attempts: 1, ..due(1) };
    let bodiless = DueDelivery { event: None, ..due(2) };
    let (mut expired, mut test) = (due(3), due(4));
    expired.event.as_mut().unwrap().expired = true;
    TEST_EVENT.clone_into(&mut test.event.as_mut().unwrap().event_type);
    let planned = decide(&[tried, bodiless, expired, test, due(5)], &[]);
    assert_eq!(alone(&planned), [1, 2, 3, 4]);
    assert_eq!(members(&planned), [vec![5]]);
}

#[test]
fn a_stored_batch_goes_as_it_was_whatever_the_endpoint_asks_for_now() {
    let batch = stored(&[1, 2, 3, 4]);
    let of = |n| DueDelivery { attempts: 1, batch: Some(batch.id), ..due(n) };
    for manner in [Some(manner()), None] {
        let planned = plan(manner.as_ref(), &[of(1), of(3)], &[stored(&[1, 2, 3, 4])], 9, 1 << 20);
        assert_eq!(members(&planned), [vec![1, 2, 3, 4]], "also the members that are not due");
        assert!(planned.plan.alone.is_empty() && planned.plan.forget.is_empty());
        let again = &planned.plan.batches[0];
        assert_eq!((again.id, again.stored, again.format), (batch.id, true, Format::Raw));
    }
}

#[test]
fn a_batch_without_one_of_its_members_is_another_batch() {
    let old = stored(&[1, 2, 3]);
    let mut broken = stored(&[1, 2, 3]);
    broken.broken = true;
    broken.members.remove(1);
    let planned = decide(&[], &[broken]);
    assert_eq!(members(&planned), [vec![1, 3]]);
    assert_eq!(planned.plan.forget, [old.id]);
    let next = &planned.plan.batches[0];
    assert!(next.id != old.id && !next.stored);
    assert_eq!((next.format, next.encoding), (Format::Raw, Encoding::Ndjson));

    let mut expired = stored(&[1, 2, 3]);
    expired.members[2].unsendable = true;
    let planned = decide(&[], &[expired]);
    assert_eq!((members(&planned), alone(&planned)), (vec![vec![1, 2]], vec![3]));

    let mut gone = stored(&[1, 2]);
    (gone.broken, gone.members) = (true, Vec::new());
    let planned = decide(&[], &[gone]);
    assert!(planned.plan.batches.is_empty());
    assert_eq!(planned.plan.forget.len(), 1);
}

#[test]
fn a_batch_that_somebody_has_is_left_to_him() {
    let mut busy = stored(&[1, 2]);
    busy.busy = true;
    let of = DueDelivery { attempts: 1, batch: Some(busy.id), ..due(1) };
    let planned = decide(&[of, due(7)], &[busy]);
    assert_eq!(members(&planned), [vec![7]]);
    assert!(planned.busy && planned.plan.alone.is_empty());
}

#[test]
fn a_batch_that_is_over_leaves_single_deliveries_if_they_were_tried() {
    let over = BatchId(Uuid::from_u128(77));
    let split = DueDelivery { attempts: 1, batch: Some(over), ..due(1) };
    let untried = DueDelivery { batch: Some(over), ..due(2) };
    let planned = decide(&[split, untried], &[]);
    assert_eq!((members(&planned), alone(&planned)), (vec![vec![2]], vec![1]));
}

#[test]
fn a_plan_keeps_to_its_requests_and_bytes_but_always_has_one() {
    let all: Vec<DueDelivery> = (1..=9).map(due).collect();
    let planned = plan(Some(&manner()), &all, &[], 2, 1 << 20);
    assert_eq!((members(&planned).len(), planned.cut), (2, true));
    let planned = plan(Some(&manner()), &all, &[], 9, 1000);
    assert_eq!((members(&planned).len(), planned.cut), (1, true));
    let planned = plan(Some(&manner()), &all, &[], 9, 1);
    assert_eq!((members(&planned).len(), planned.cut), (1, true));
    let planned = plan(Some(&manner()), &all, &[stored(&[20]), stored(&[21])], 1, 1 << 20);
    assert_eq!((members(&planned), planned.cut), (vec![vec![20]], true));
    let planned = plan(Some(&manner()), &[], &[stored(&[20, 22]), stored(&[21])], 9, 500);
    assert_eq!((members(&planned), planned.cut), (vec![vec![20, 22]], true));
}

#[test]
fn the_batches_of_due_deliveries_are_named_once() {
    let one = BatchId(Uuid::from_u128(1));
    let two = BatchId(Uuid::from_u128(2));
    let of = |n, batch| DueDelivery { batch, ..due(n) };
    let all = [of(1, Some(two)), of(2, None), of(3, Some(one)), of(4, Some(two))];
    assert_eq!(batches_of(&all), [two, one]);
}

#[test]
fn a_look_says_whether_it_is_worth_locking_anything() {
    let look = |due: Vec<DueDelivery>, batched| Look {
        due,
        tenant: "acme".to_owned(),
        asks: true,
        manner: Some(manner().made),
        ordered: false,
        batched,
        next_due: None,
        took: Duration::ZERO,
    };
    let fresh = |n| DueDelivery { waited: Duration::from_millis(400), ..due(n) };
    let wait = Some(Duration::from_millis(600));
    let asked = |look: &Look| nothing_yet(Some(&manner()), look);
    assert_eq!(asked(&look(vec![], false)), Some(None));
    assert_eq!(asked(&look(vec![fresh(1), fresh(2)], false)), Some(wait));
    assert_eq!(asked(&look(vec![fresh(1), fresh(2), fresh(3)], false)), None, "full");
    assert_eq!(asked(&look(vec![due(1)], false)), None, "waited");
    let was = DueDelivery { batch: Some(BatchId(Uuid::from_u128(9))), ..fresh(1) };
    assert_eq!(asked(&look(vec![was.clone()], true)), None, "a batch that was formed is whole");
    assert_eq!(asked(&look(vec![was], false)), Some(wait), "and over, it is none");
}
