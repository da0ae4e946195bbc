//! A right history is accepted; every planted fault is caught by the rule made for it, and by no other.

use std::collections::HashMap;

use uuid::Uuid;

use super::*;
use crate::journal::{
    EndpointEntry, FaultEntry, How, ObservationEntry, PublisherEntry, SinkEntry, sha256_hex,
};
use crate::state::{DeliveryRow, EventRow};

const MS: u64 = 1_000_000;
const TENANTS: [&str; 3] = ["acme", "beta", "coda"];

/// A run as it should be: 60 transactions over 3 tenants, every tenth rolled back, three in doubt; two endpoints a
/// tenant (one wants everything, one `email.*`); a kill with two requests in flight, of which one was sent again.
struct Run {
    journals: Journals,
    state: DatabaseState,
    requests: u64,
}

impl Run {
    fn right() -> Run {
        let mut run =
            Run { journals: Journals::default(), state: DatabaseState::default(), requests: 0 };
        for (n, tenant) in TENANTS.iter().enumerate() {
            for (kind, pattern) in [("all", "*"), ("mail", "email.*")] {
                run.journals.endpoints.push(EndpointEntry {
                    token: format!("{tenant}-{kind}"),
                    endpoint: Uuid::from_u128(100 + n as u128 * 2 + u128::from(kind == "mail")),
                    tenant: (*tenant).to_owned(),
                    event_types: vec![pattern.to_owned()],
                    since: 0,
                    until: None,
                });
            }
        }
        for n in 0..60 {
            run.transaction(n);
        }
        // Event 7 was accepted at 7,060 ms; the worker was killed 1 ms later, and another one sent it again.
        run.journals.faults.push(FaultEntry {
            fault: "kill_worker".to_owned(),
            from: 7_061 * MS,
            until: 7_063 * MS,
            in_flight: 2,
        });
        run.receive("beta-all", 7, 12_000, Some((200, How::Full)));
        run
    }

    fn transaction(&mut self, n: u64) {
        let (tenant, id, begun) = (TENANTS[n as usize % 3], format!("evt_{n}"), n * 1_000);
        let txn = format!("p1-{n}");
        let event_type = if n.is_multiple_of(2) { "email.received" } else { "user.made" };
        self.journals.publisher.push(PublisherEntry::Intent {
            txn: txn.clone(),
            xid: 700 + n,
            tenant: tenant.to_owned(),
            id: id.clone(),
            event_type: event_type.to_owned(),
            body_sha256: sha256_hex(data(n)),
            t: begun * MS,
        });
        if n % 10 == 9 {
            self.journals.publisher.push(PublisherEntry::Abort { txn, t: (begun + 5) * MS });
            return;
        }
        self.state.committed.insert(txn.clone());
        if ![11, 22, 33].contains(&n) {
            self.journals.publisher.push(PublisherEntry::Ok { txn, t: (begun + 5) * MS });
        }
        self.state.events.push(EventRow {
            seq: n as i64 + 1,
            tenant: tenant.to_owned(),
            id,
            event_type: event_type.to_owned(),
            bodies: 1,
            envelope_sha256: sha256_hex(envelope(n)),
            data_sha256: sha256_hex(data(n)),
        });
        for endpoint in self.journals.endpoints.clone() {
            let wanted = endpoint.event_types[0] == "*" || n.is_multiple_of(2);
            if endpoint.tenant == tenant && wanted {
                self.deliver(&endpoint, n, "delivered");
                self.receive(&endpoint.token, n, begun + 10, Some((500, How::Full)));
                self.receive(&endpoint.token, n, begun + 50, Some((200, How::Full)));
            }
        }
    }

    fn deliver(&mut self, endpoint: &EndpointEntry, n: u64, status: &str) {
        self.state.deliveries.push(DeliveryRow {
            id: Uuid::from_u128(10_000 + self.state.deliveries.len() as u128),
            endpoint: endpoint.endpoint,
            tenant: endpoint.tenant.clone(),
            event_seq: n as i64 + 1,
            replay: 0,
            status: status.to_owned(),
            reason: None,
            attempts: 2,
        });
    }

    /// A request that arrives at `at` ms and is answered 10 ms later.
    fn receive(&mut self, token: &str, n: u64, at: u64, answer: Option<(u16, How)>) {
        let sequence = self.requests;
        self.requests += 1;
        self.journals.sink.push(SinkEntry::Recv {
            sequence,
            token: token.to_owned(),
            id: format!("evt_{n}"),
            attempt: Some(1),
            body_sha256: sha256_hex(envelope(n)),
            data_sha256: Some(sha256_hex(data(n))),
            open: 1,
            t: at * MS,
        });
        if let Some((status, how)) = answer {
            self.journals.sink.push(SinkEntry::Resp {
                sequence,
                status: Some(status),
                how,
                t: (at + 10) * MS,
            });
        }
    }

    fn endpoint(&self, token: &str) -> EndpointEntry {
        self.journals.endpoints.iter().find(|e| e.token == token).unwrap().clone()
    }

    fn row(&mut self, token: &str, n: u64) -> &mut DeliveryRow {
        let endpoint = self.endpoint(token).endpoint;
        self.state
            .deliveries
            .iter_mut()
            .find(|d| d.endpoint == endpoint && d.event_seq == n as i64 + 1)
            .unwrap()
    }

    fn event(&mut self, n: u64) -> &mut EventRow {
        self.state.events.iter_mut().find(|e| e.seq == n as i64 + 1).unwrap()
    }

    /// The requests for one event at one endpoint, from the first.
    fn requests(&mut self, token: &str, n: u64) -> Vec<&mut SinkEntry> {
        let wanted = format!("evt_{n}");
        let of = |e: &&mut SinkEntry| matches!(&**e, SinkEntry::Recv { token: t, id, .. } if t == token && *id == wanted);
        self.journals.sink.iter_mut().filter(of).collect()
    }

    fn forget_requests(&mut self, token: &str, n: u64) {
        let wanted = format!("evt_{n}");
        self.journals.sink.retain(
            |e| !matches!(e, SinkEntry::Recv { token: t, id, .. } if t == token && *id == wanted),
        );
    }

    fn observe(&mut self, token: &str, n: u64, steps: &[(&str, i16, i32)]) {
        let delivery = self.row(token, n).id;
        for (t, (status, attempts, lease_no)) in steps.iter().enumerate() {
            let (status, t) = ((*status).to_owned(), t as u64);
            self.journals.observations.push(ObservationEntry {
                delivery,
                status,
                lease_no: *lease_no,
                attempts: *attempts,
                t,
            });
        }
    }

    fn broken(&self) -> Vec<&'static str> {
        check(&self.journals, &self.state).broken()
    }
}

fn data(n: u64) -> String {
    format!("{{\"n\":{n}}}")
}

fn envelope(n: u64) -> String {
    format!("{{\"event\":\"x\",\"id\":\"evt_{n}\",\"created_at\":\"2026\",\"data\":{}}}", data(n))
}

#[test]
fn a_right_history_is_accepted() {
    let run = Run::right();
    let verdict = check(&run.journals, &run.state);
    assert!(verdict.is_clean(), "{verdict}");
    let totals = &verdict.totals;
    assert_eq!(
        (totals.committed, totals.rolled_back, totals.in_doubt, totals.events),
        (54, 6, 3, 54)
    );
    assert_eq!((totals.expected, totals.delivered, totals.ended_otherwise), (54 + 30, 54 + 30, 0));
    assert_eq!(
        (totals.receipts, totals.duplicates, totals.faults, totals.in_flight_at_faults),
        (2 * 84 + 1, 1, 1, 2)
    );
}

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

#[test]
fn the_verdict_names_the_evidence() {
    let mut run = Run::right();
    run.receive("beta-all", 3, 3_050, Some((200, How::Full)));
    let verdict = check(&run.journals, &run.state);
    let by_name: HashMap<_, _> =
        verdict.findings().map(|(name, invariant, found)| (name, (invariant, found))).into();
    let (invariant, found) = by_name["cross_tenant"];
    assert_eq!((invariant, found.len()), ("I3", 1));
    assert_eq!(
        found[0].to_string(),
        "beta/evt_3 at beta-all: sent to this tenant, which never published it"
    );
    assert!(
        verdict.to_string().contains("I3 cross_tenant: 1\n   beta/evt_3 at beta-all"),
        "{verdict}"
    );
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["cross_tenant"][0]["token"], "beta-all");
}
