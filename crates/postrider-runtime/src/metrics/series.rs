//! The series themselves: one field each, registered under its name when the process starts.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::{
    CIRCUIT_CHANGES, CIRCUITS, ERROR_CLASSES, Label, OUTCOMES, STAGES, TABLES, WAKEUP_MODES,
};

/// A gauge in seconds.
pub type Seconds = Gauge<f64, AtomicU64>;
/// 0.5 ms to 30 s.
const DURATIONS: [f64; 15] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// 1 ms to three days: behind a backlog, a first attempt can come as late as the backlog is long.
const LATENCIES: [f64; 17] = [
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0,
    21_600.0, 86_400.0, 259_200.0,
];
const SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// The series themselves; count on the fields directly.
#[derive(Debug)]
pub struct Series {
    pub(super) registry: Registry,

    /// Pending events that fan-out claimed.
    pub events_claimed: Counter,
    /// Events that were matched and taken off the queue.
    pub events_fanned_out: Counter,
    /// Events that were moved to the failed.
    pub events_failed: Counter,
    /// Deliveries that fan-out inserted.
    pub deliveries_inserted: Counter,
    /// Deliveries that went from fan-out to their lane in memory.
    pub handed_off: Counter,
    /// Deliveries that fan-out left in the database because their lane was full.
    pub overflowed: Counter,

    pub(super) attempts: Family<Label, Counter>,
    pub(super) attempt_errors: Family<Label, Counter>,
    /// Times that our egress proxy did not connect us; no attempt is counted for them.
    pub proxy_failures: Counter,
    /// Seconds that one attempt took.
    pub attempt_duration: Histogram,
    /// Seconds from an event's creation to its delivery, where the first attempt did it.
    pub delivery_latency: Histogram,
    /// Outcomes and hand-offs that came too late: the lease was lost.
    pub leases_lost: Counter,
    /// Outcomes that the recorder wrote in one flush.
    pub recorder_flush: Histogram,
    /// Deliveries waiting in lanes.
    pub lane_items: Gauge,
    /// Bytes of the envelopes that lanes hold.
    pub lane_bytes: Gauge,
    /// Requests in flight.
    pub in_flight: Gauge,

    pub(super) circuits: Family<Label, Gauge>,
    pub(super) circuit_changes: Family<Label, Counter>,

    /// Notifications received.
    pub notifications: Counter,
    pub(super) wakeup_mode: Family<Label, Gauge>,
    pub(super) db_errors: Family<Label, Counter>,

    /// Events waiting for fan-out, counted up to a cap.
    pub pending_events: Gauge,
    /// Age of the oldest event that waits for fan-out.
    pub oldest_pending: Seconds,
    /// How long the most overdue delivery has been due.
    pub due_lag: Seconds,
    /// Age of the oldest snapshot that keeps dead rows from being removed.
    pub oldest_snapshot: Seconds,
    /// The database's clock when the gauges were taken, as Unix time.
    pub sampled_at: Seconds,

    /// Partitions made ahead of time.
    pub partitions_made: Counter,
    /// Partitions dropped by retention.
    pub partitions_dropped: Counter,
    pub(super) rows_deleted: Family<Label, Counter>,
    pub(super) vacuums: Family<Label, Counter>,
    /// Deliveries closed because the body of their event went.
    pub bodies_expired: Counter,
    /// Workers found dead.
    pub workers_buried: Counter,
    /// Leases of dead workers made due again.
    pub leases_released: Counter,
}

impl Series {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("postrider");
        let r = &mut registry;
        Self {
            events_claimed: add(
                r,
                "events_claimed",
                "Pending events claimed by fan-out",
                Counter::default(),
            ),
            events_fanned_out: add(
                r,
                "events_fanned_out",
                "Events matched and taken off the queue",
                Counter::default(),
            ),
            events_failed: add(
                r,
                "events_failed",
                "Events moved to the failed",
                Counter::default(),
            ),
            deliveries_inserted: add(
                r,
                "deliveries_inserted",
                "Deliveries inserted by fan-out",
                Counter::default(),
            ),
            handed_off: add(
                r,
                "deliveries_handed_off",
                "Deliveries handed to their lane in memory",
                Counter::default(),
            ),
            overflowed: add(
                r,
                "deliveries_overflowed",
                "Deliveries left in the database because their lane was full",
                Counter::default(),
            ),
            attempts: family(r, "attempts", "Attempts by outcome", "outcome", OUTCOMES),
            attempt_errors: family(
                r,
                "attempt_errors",
                "Failed attempts by error class",
                "class",
                ERROR_CLASSES,
            ),
            proxy_failures: add(
                r,
                "proxy_failures",
                "Times that the egress proxy did not connect us, which are no attempts",
                Counter::default(),
            ),
            attempt_duration: add(
                r,
                "attempt_duration_seconds",
                "Duration of attempts",
                Histogram::new(DURATIONS),
            ),
            delivery_latency: add(
                r,
                "delivery_latency_seconds",
                "From an event's creation to its delivery, where the first attempt did it",
                Histogram::new(LATENCIES),
            ),
            leases_lost: add(
                r,
                "leases_lost",
                "Leases that ended before their outcome was recorded",
                Counter::default(),
            ),
            recorder_flush: add(
                r,
                "recorder_flush_outcomes",
                "Outcomes written in one flush",
                Histogram::new(SIZES),
            ),
            lane_items: add(r, "lane_deliveries", "Deliveries waiting in lanes", Gauge::default()),
            lane_bytes: add(
                r,
                "lane_bytes",
                "Bytes of the envelopes held by lanes",
                Gauge::default(),
            ),
            in_flight: add(r, "requests_in_flight", "Requests in flight", Gauge::default()),
            circuits: family(
                r,
                "endpoints_unwell",
                "Endpoints whose deliveries wait, by why",
                "state",
                CIRCUITS,
            ),
            circuit_changes: family(
                r,
                "endpoint_changes",
                "Changes that this worker made to the health of endpoints",
                "change",
                CIRCUIT_CHANGES,
            ),
            notifications: add(
                r,
                "notifications_received",
                "Notifications received",
                Counter::default(),
            ),
            wakeup_mode: family(
                r,
                "wakeup_mode",
                "1 for the way in which this worker is woken",
                "mode",
                WAKEUP_MODES,
            ),
            db_errors: family(
                r,
                "db_errors",
                "Failed calls to the database by stage",
                "stage",
                STAGES,
            ),
            pending_events: add(
                r,
                "pending_events",
                "Events waiting for fan-out, counted up to a cap",
                Gauge::default(),
            ),
            oldest_pending: add(
                r,
                "oldest_pending_event_age_seconds",
                "Age of the oldest event that waits for fan-out",
                Seconds::default(),
            ),
            due_lag: add(
                r,
                "due_lag_seconds",
                "How long the most overdue delivery has been due",
                Seconds::default(),
            ),
            oldest_snapshot: add(
                r,
                "oldest_snapshot_age_seconds",
                "Age of the oldest snapshot that keeps dead rows",
                Seconds::default(),
            ),
            sampled_at: add(
                r,
                "sampled_at_seconds",
                "Database time of the last sample of the gauges",
                Seconds::default(),
            ),
            partitions_made: add(
                r,
                "partitions_made",
                "Partitions made ahead of time",
                Counter::default(),
            ),
            partitions_dropped: add(
                r,
                "partitions_dropped",
                "Partitions dropped by retention",
                Counter::default(),
            ),
            rows_deleted: family(
                r,
                "retention_deleted_rows",
                "Rows deleted by retention",
                "table",
                TABLES,
            ),
            vacuums: family(r, "vacuums", "Vacuums of the hot tables", "table", TABLES),
            bodies_expired: add(
                r,
                "deliveries_body_expired",
                "Deliveries closed because their event's body went",
                Counter::default(),
            ),
            workers_buried: add(r, "workers_found_dead", "Workers found dead", Counter::default()),
            leases_released: add(
                r,
                "leases_released",
                "Leases of dead workers made due again",
                Counter::default(),
            ),
            registry,
        }
    }
}

/// Registers one metric and hands it on to its field.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

fn family<M: Metric + TypedMetric + Clone + Default>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    label: &'static str,
    values: &[&'static str],
) -> Family<Label, M> {
    let family = add(registry, name, help, Family::<Label, M>::default());
    for value in values {
        drop(family.get_or_create(&[(label, value)]));
    }
    family
}
