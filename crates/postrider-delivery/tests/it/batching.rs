//! Batches: when they go, that they never change, and what becomes of their members.

mod endpoint;
mod forming;
mod lasting;
mod members;

use std::collections::BTreeMap;

use postrider_core::ids::EndpointId;
use postrider_testkit::Received;
use serde_json::Value;

use crate::stage::{Knobs, Stage, Worker};

const OPEN: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open";
const DELIVERED: &str =
    "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'";
const BATCHES: &str = "SELECT count(*) FROM postrider.webhook_delivery_batches";
const WAIT: i32 = 200;

impl Stage {
    /// An endpoint with batches, retried quickly.
    async fn batching(&self, events: i16, wait_ms: i32, bytes: i32) -> EndpointId {
        let id = self.endpoint("acme", "/in").await;
        let set = "UPDATE postrider.webhook_endpoints SET batch_max_events = $2, batch_max_wait_ms = $3, batch_max_bytes = $4, batch_encoding = 'array', retry_schedule_ms = '{100,100,100,100,100}' WHERE id = $1";
        self.client.execute(set, &[&id.0, &events, &wait_ms, &bytes]).await.unwrap();
        id
    }

    async fn change(&self, endpoint: EndpointId, what: &str) {
        let sql = format!("UPDATE postrider.webhook_endpoints SET {what} WHERE id = $1");
        assert_eq!(self.client.execute(&sql, &[&endpoint.0]).await.unwrap(), 1);
    }

    /// The sizes of the batches that arrived, in this order.
    fn sizes(&self) -> Vec<usize> {
        self.receiver.received_at("/in").iter().map(|r| members(r).len()).collect()
    }

    /// A worker that has fanned out what was published.
    async fn at_work(&self, knobs: Knobs) -> Worker {
        let mut worker = self.worker(knobs).await;
        worker.fan_out.drain().await.unwrap();
        worker
    }
}

/// The events of a request, in the order of its body.
fn members(request: &Received) -> Vec<String> {
    let Value::Array(items) = request.json() else { return vec![request.id().to_owned()] };
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// Asserts that requests of one id had one body.
fn assert_unchanged(requests: &[Received]) {
    let mut bodies = BTreeMap::new();
    for request in requests {
        let body = bodies.entry(request.id()).or_insert(&request.body);
        assert_eq!(*body, &request.body, "{} had another body before", request.id());
    }
}
