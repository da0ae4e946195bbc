//! A connection that is lost at the commit: did it go through?

use std::future::{Future, ready};
use std::sync::{Arc, Mutex};

use postrider_core::ids::EndpointId;
use postrider_fanout::{FanOut, HandOff};
use postrider_runtime::Metrics;
use postrider_store::deliveries::LeasedDelivery;
use postrider_store::{Connect, Db, Mode};

use crate::cut::Cut;
use crate::stage::{PENDING, Stage, options};

/// Lanes that take everything and remember which endpoints they were told to pull for.
#[derive(Clone, Default)]
struct Roomy {
    handed: Arc<Mutex<usize>>,
    pulls: Arc<Mutex<Vec<EndpointId>>>,
}

impl HandOff for Roomy {
    fn reserve(&self, _endpoint: EndpointId, wanted: usize, _bytes: usize) -> usize {
        wanted
    }

    fn unreserve(&self, _endpoint: EndpointId, _places: usize) {}

    fn hand_off(&self, deliveries: Vec<LeasedDelivery>) {
        *self.handed.lock().unwrap() += deliveries.len();
    }

    fn overflowed(&self, endpoint: EndpointId) {
        self.pulls.lock().unwrap().push(endpoint);
    }

    fn gathering(&self, _endpoint: EndpointId) {}

    fn pace(&self) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

const DUE: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner IS NULL AND next_attempt_at <= clock_timestamp()";

/// A fan-out whose first pass went through, but whose commit was never answered; its lanes; and what
/// it goes through, which must live as long.
async fn in_doubt(stage: &Stage) -> (FanOut<Roomy>, Roomy, Cut) {
    let cut = Cut::before(&stage.db).await;
    let connect = Connect::parse(&cut.url, "fan-out", None).unwrap();
    let db = Db::new(&connect, Mode::Direct, 1).unwrap();
    let lanes = Roomy::default();
    let mut fan_out = FanOut::new(db, Arc::new(lanes.clone()), options(), Metrics::new());

    cut.at_the_next_commit();
    fan_out.pass().await.expect_err("the connection is lost");
    stage.becomes(PENDING, 0).await;
    (fan_out, lanes, cut)
}

#[tokio::test]
async fn deliveries_of_a_commit_whose_answer_was_lost_are_due_at_once() {
    let mut stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    stage.publish("doubted").await;
    let (mut fan_out, lanes, _cut) = in_doubt(&stage).await;
    let leased = "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner = 1";
    assert_eq!(stage.count(leased).await, 1, "it went through");

    assert_eq!(fan_out.pass().await.unwrap().claimed, 0);
    assert_eq!(stage.count(DUE).await, 1);
    assert_eq!(*lanes.pulls.lock().unwrap(), [endpoint]);
    assert_eq!(*lanes.handed.lock().unwrap(), 0);
}

#[tokio::test]
async fn all_members_of_a_batch_in_doubt_are_due_at_once() {
    let mut stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    let batches = "UPDATE postrider.webhook_endpoints SET batch_max_events = 3, batch_max_wait_ms = 60000, batch_max_bytes = 65536, batch_encoding = 'array' WHERE id = $1";
    stage.client.execute(batches, &[&endpoint.0]).await.unwrap();
    for id in ["a", "b", "c"] {
        stage.publish(id).await;
    }
    let (mut fan_out, _, _cut) = in_doubt(&stage).await;
    let batched = "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner = 1 AND batch_id IS NOT NULL";
    assert_eq!(stage.count(batched).await, 3, "it went through");
    assert_eq!(fan_out.pass().await.unwrap().claimed, 0);
    assert_eq!(stage.count(DUE).await, 3);
}
