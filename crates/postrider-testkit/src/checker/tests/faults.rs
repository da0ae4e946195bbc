//! Every planted fault is caught, by the rule made for it and by no other.

use super::*;

#[test]
fn every_planted_fault_is_caught_by_its_rule() {
    type Plant = fn(&mut Run);
    let planted: &[(&str, &[&str], Plant)] = &[
        ("an event row is gone", &["lost"], |run| {
            run.state.events.retain(|e| e.seq != 4);
            run.state.deliveries.retain(|d| d.event_seq != 4);
        }),
        ("an event has no body", &["lost"], |run| run.event(3).bodies = 0),
        ("a delivery was never made", &["lost"], |run| {
            let id = run.row("acme-all", 3).id;
            run.state.deliveries.retain(|d| d.id != id);
        }),
        ("an event still waits for fan-out", &["lost"], |run| {
            run.state.pending.insert(4);
            run.state.deliveries.retain(|d| d.event_seq != 4);
            run.forget_requests("acme-all", 3);
        }),
        ("a delivery is still open after the drain", &["lost"], |run| {
            run.row("acme-all", 3).status = "pending".to_owned()
        }),
        ("an event is given up without a reason", &["lost"], |run| {
            run.state.failed.insert(4, String::new());
        }),
        ("a transaction in doubt committed, and its event is gone", &["lost"], |run| {
            run.state.events.retain(|e| e.seq != 12);
            run.state.deliveries.retain(|d| d.event_seq != 12);
        }),
        ("called delivered, never sent", &["claimed"], |run| run.forget_requests("acme-all", 3)),
        ("called delivered, and only ever half answered", &["claimed"], |run| {
            run.forget_requests("acme-all", 3);
            run.receive("acme-all", 3, 3_050, Some((200, How::Partial)));
        }),
        ("called delivered after a 500", &["claimed"], |run| {
            run.forget_requests("acme-all", 3);
            run.receive("acme-all", 3, 3_050, Some((500, How::Full)));
        }),
        ("sent to an endpoint that did not subscribe", &["misrouted"], |run| {
            run.receive("acme-mail", 3, 3_050, Some((200, How::Full)))
        }),
        ("owed to an endpoint that did not subscribe", &["claimed", "misrouted"], |run| {
            let endpoint = run.endpoint("acme-mail");
            run.deliver(&endpoint, 3, "delivered");
        }),
        ("a rolled-back event was sent", &["phantom"], |run| {
            run.receive("acme-all", 9, 9_050, Some((200, How::Full)))
        }),
        ("a rolled-back event has a row", &["phantom"], |run| {
            let row = EventRow { seq: 10, id: "evt_9".to_owned(), ..run.event(3).clone() };
            run.state.events.push(row);
        }),
        ("an event in doubt was rolled back and sent", &["phantom"], |run| {
            run.state.committed.remove("p1-11");
            run.state.events.retain(|e| e.seq != 12);
            run.state.deliveries.retain(|d| d.event_seq != 12);
        }),
        ("an event nobody published was sent", &["invented"], |run| {
            run.receive("acme-all", 777, 3_050, Some((200, How::Full)))
        }),
        ("an event nobody published has a row", &["invented"], |run| {
            let row = EventRow { seq: 778, id: "evt_777".to_owned(), ..run.event(3).clone() };
            run.state.events.push(row);
        }),
        ("sent before it was published", &["invented"], |run| {
            if let SinkEntry::Recv { t, .. } = run.requests("acme-all", 3).remove(0) {
                *t = 2_900 * MS;
            }
        }),
        ("sent to a path of nobody", &["invented"], |run| {
            run.receive("stranger", 3, 3_050, Some((200, How::Full)))
        }),
        ("a delivery of no event", &["invented"], |run| {
            let endpoint = run.endpoint("acme-all");
            run.deliver(&endpoint, 900, "delivered");
        }),
        ("sent to another tenant", &["cross_tenant"], |run| {
            run.receive("beta-all", 3, 3_050, Some((200, How::Full)))
        }),
        ("owed to another tenant", &["claimed", "cross_tenant"], |run| {
            let endpoint = run.endpoint("beta-all");
            run.deliver(&endpoint, 3, "delivered");
        }),
        ("a delivery says another tenant", &["cross_tenant"], |run| {
            run.row("acme-all", 3).tenant = "beta".to_owned()
        }),
        ("an event under another tenant", &["lost", "cross_tenant"], |run| {
            run.event(3).tenant = "beta".to_owned();
            run.state.deliveries.retain(|d| d.event_seq != 4);
            run.forget_requests("acme-all", 3);
        }),
        ("two deliveries for one pair", &["double_rows"], |run| {
            let endpoint = run.endpoint("acme-all");
            run.deliver(&endpoint, 3, "delivered");
        }),
        ("a delivery both open and closed", &["double_rows"], |run| {
            let row =
                DeliveryRow { status: "pending".to_owned(), ..run.row("acme-all", 3).clone() };
            run.state.deliveries.push(row);
        }),
        ("two bodies for one event", &["double_rows"], |run| run.event(3).bodies = 2),
        ("two ledger rows for one event", &["double_rows", "lost"], |run| {
            let row = EventRow { seq: 900, ..run.event(3).clone() };
            run.state.events.push(row);
        }),
        ("sent again after a 2xx, in quiet times", &["unexcused_duplicates"], |run| {
            run.receive("acme-all", 30, 30_100, Some((200, How::Full)))
        }),
        ("sent twice at once", &["unexcused_duplicates"], |run| {
            run.receive("acme-all", 30, 30_055, Some((200, How::Full)))
        }),
        (
            "sent again after a kill, but accepted long before it",
            &["unexcused_duplicates"],
            |run| {
                run.receive("beta-all", 4, 12_000, Some((200, How::Full)));
            },
        ),
        ("sent again after a 2xx that followed the kill", &["unexcused_duplicates"], |run| {
            run.receive("coda-all", 8, 12_000, Some((200, How::Full)))
        }),
        ("more sent again than were in flight", &["over_budget"], |run| {
            run.receive("acme-all", 6, 12_001, Some((200, How::Full)));
            run.receive("acme-mail", 6, 12_002, Some((200, How::Full)));
        }),
        ("other bytes on the retry", &["body_changed"], |run| {
            if let SinkEntry::Recv { body_sha256, .. } = run.requests("acme-all", 3).remove(1) {
                *body_sha256 = sha256_hex("other");
            }
        }),
        ("other data than published, every time", &["body_changed"], |run| {
            for request in run.requests("acme-all", 3) {
                if let SinkEntry::Recv { data_sha256, .. } = request {
                    *data_sha256 = Some(sha256_hex("other"));
                }
            }
        }),
        ("other data stored than published", &["body_changed"], |run| {
            run.event(3).data_sha256 = sha256_hex("other")
        }),
        ("exhausted, though the last answer was a 2xx", &["stale_overwrites"], |run| {
            run.row("acme-all", 3).status = "exhausted".to_owned()
        }),
        ("delivered, and then open again", &["stale_overwrites"], |run| {
            run.observe("acme-all", 3, &[("delivered", 1, 1), ("pending", 1, 2)])
        }),
        ("attempts forgotten", &["stale_overwrites"], |run| {
            run.observe("acme-all", 3, &[("pending", 2, 2), ("pending", 1, 3)])
        }),
        ("a lease given back by a stale worker", &["stale_overwrites"], |run| {
            run.observe("acme-all", 3, &[("pending", 1, 3), ("pending", 1, 2)])
        }),
        ("nothing at all", &["vacuous"], |run| {
            *run =
                Run { journals: Journals::default(), state: DatabaseState::default(), requests: 0 };
        }),
        ("nothing was expected", &["vacuous"], |run| {
            let journals = Journals {
                publisher: std::mem::take(&mut run.journals.publisher),
                ..Journals::default()
            };
            run.state.deliveries.clear();
            run.journals = journals;
        }),
        ("a transaction whose end nobody knows", &["vacuous"], |run| {
            run.state.committed.remove("p1-11");
            run.state.unknown.insert("p1-11".to_owned());
        }),
    ];
    for (what, rules, plant) in planted {
        let mut run = Run::right();
        plant(&mut run);
        let verdict = check(&run.journals, &run.state);
        let mut expected = rules.to_vec();
        expected.sort_unstable();
        let mut broken = verdict.broken();
        broken.sort_unstable();
        assert_eq!(broken, expected, "{what}\n{verdict}");
    }
}
