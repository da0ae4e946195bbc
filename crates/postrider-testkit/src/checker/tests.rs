//! A right history is accepted; every planted fault is caught by the rule made for it, and by no other.

mod allowed;
mod faults;

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
