//! What may happen in a right run, and must not be taken for a fault.

use super::*;

#[test]
fn what_is_allowed_breaks_no_rule() {
    type Plant = fn(&mut Run);
    let allowed: &[(&str, Plant)] = &[
        ("a delivery that ended otherwise, after failures", |run| {
            run.row("acme-all", 3).status = "exhausted".to_owned();
            run.forget_requests("acme-all", 3);
            run.receive("acme-all", 3, 3_050, Some((500, How::Full)));
        }),
        ("cancelled before it was ever sent", |run| {
            run.row("acme-all", 3).status = "cancelled".to_owned();
            run.forget_requests("acme-all", 3);
        }),
        ("an event given up with its reason", |run| {
            run.state.failed.insert(4, "body_missing".to_owned());
            run.state.deliveries.retain(|d| d.event_seq != 4);
            run.forget_requests("acme-all", 3);
        }),
        ("a retry after an answer that did not leave", |run| {
            run.forget_requests("acme-all", 3);
            run.receive("acme-all", 3, 3_050, None);
            run.receive("acme-all", 3, 3_060, Some((200, How::Partial)));
            run.receive("acme-all", 3, 3_090, Some((200, How::Full)));
        }),
        ("a redelivery", |run| {
            let row =
                DeliveryRow { id: Uuid::from_u128(5), replay: 1, ..run.row("acme-all", 3).clone() };
            run.state.deliveries.push(row);
            run.receive("acme-all", 3, 50_000, Some((200, How::Full)));
        }),
        ("an endpoint made after the event", |run| {
            let late = EndpointEntry {
                token: "late".to_owned(),
                endpoint: Uuid::from_u128(1),
                since: 70_000 * MS,
                ..run.endpoint("acme-all")
            };
            run.journals.endpoints.push(late);
        }),
        ("an endpoint disabled before the event", |run| {
            let gone = EndpointEntry {
                token: "gone".to_owned(),
                endpoint: Uuid::from_u128(1),
                until: Some(0),
                ..run.endpoint("acme-all")
            };
            run.journals.endpoints.push(gone);
        }),
        ("a rolled-back publish of an event that another transaction committed", |run| {
            let intent = PublisherEntry::Intent {
                txn: "again".to_owned(),
                xid: 1,
                tenant: "acme".to_owned(),
                id: "evt_3".to_owned(),
                event_type: "user.made".to_owned(),
                body_sha256: sha256_hex("other"),
                t: 3_001 * MS,
            };
            run.journals
                .publisher
                .extend([intent, PublisherEntry::Abort { txn: "again".to_owned(), t: 3_002 * MS }]);
        }),
        ("the same id of another tenant", |run| {
            let (seq, tenant) = (900, "beta");
            let intent = PublisherEntry::Intent {
                txn: "twin".to_owned(),
                xid: 1,
                tenant: tenant.to_owned(),
                id: "evt_3".to_owned(),
                event_type: "user.made".to_owned(),
                body_sha256: sha256_hex(data(3)),
                t: 3_001 * MS,
            };
            run.journals
                .publisher
                .extend([intent, PublisherEntry::Ok { txn: "twin".to_owned(), t: 3_002 * MS }]);
            let row = EventRow { seq, tenant: tenant.to_owned(), ..run.event(3).clone() };
            run.state.events.push(row);
            let endpoint = run.endpoint("beta-all");
            run.deliver(&endpoint, 899, "delivered");
            run.receive("beta-all", 3, 3_050, Some((200, How::Full)));
        }),
        ("rows looked at on their way", |run| {
            run.observe("acme-all", 3, &[("pending", 0, 1), ("pending", 1, 2), ("delivered", 2, 2)])
        }),
    ];
    for (what, plant) in allowed {
        let mut run = Run::right();
        plant(&mut run);
        assert_eq!(
            run.broken(),
            Vec::<&str>::new(),
            "{what}\n{}",
            check(&run.journals, &run.state)
        );
    }
}
