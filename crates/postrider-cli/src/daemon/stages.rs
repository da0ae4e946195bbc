//! The stages of one worker session, by role: fan-out, delivery, janitor. Started here, joined here.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use postrider_delivery::{Delivery, DeliveryOptions, Lanes, Left, Limits, TargetPolicy};
use postrider_destinations::{Client, ClientConfig, Dns};
use postrider_fanout::{FanOut, FanOutOptions, Wakeup};
use postrider_janitor as janitor;
use postrider_runtime::{Health, Metrics, Stop, Tasks, Wake};
use postrider_store::clock::DbClock;
use postrider_store::control::Control;
use postrider_store::{Db, StoreError, deliveries, events};

use super::DaemonOptions;
use super::hand_off::LocalLanes;
use crate::config::{Config, Role};

/// Said in the fleet's registry.
pub(super) const WORKER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Who this worker is among the others.
pub(super) struct Who {
    pub(super) incarnation: i64,
    /// A worker died before us without saying goodbye.
    pub(super) after_crash: bool,
    pub(super) peers: Arc<AtomicUsize>,
}

/// What runs in this session.
pub(super) struct Stages {
    tasks: Tasks,
    delivery: Option<Delivery>,
    lanes: Option<Lanes>,
    /// Woken when an endpoint changed.
    pub(super) endpoints_changed: Wake,
    /// Woken when deliveries may be due that nobody here knows of.
    pub(super) look_for_due: Wake,
}

impl Stages {
    pub(super) fn start(
        options: &DaemonOptions,
        db: Db,
        clock: DbClock,
        control: Option<Arc<Control>>,
        who: Who,
        metrics: &Metrics,
        stop: &Stop,
    ) -> Result<Self, StoreError> {
        let config = &options.config;
        let has = |role| config.worker.roles.contains(&role);
        let endpoints_changed = Wake::new();
        let mut tasks = Tasks::new(stop.clone());
        let leases_released = Wake::new();
        let look_for_due = leases_released.clone();
        let delivery = if has(Role::Delivery) {
            let client = client(config)?;
            let delivery_options = delivery_options(
                options,
                who.incarnation,
                endpoints_changed.clone(),
                leases_released.clone(),
            );
            Some(Delivery::start(
                db.clone(),
                client,
                clock,
                delivery_options,
                metrics.clone(),
                tasks.beside(),
            ))
        } else {
            None
        };
        let lanes = delivery.as_ref().map(Delivery::lanes);
        if has(Role::Fanout) {
            let fan_out = FanOut::new(
                db.clone(),
                Arc::new(LocalLanes(lanes.clone())),
                FanOutOptions {
                    owner: who.incarnation,
                    lease: config.worker.lease,
                    limits: postrider_fanout::Limits::default(),
                    after_crash: who.after_crash,
                },
                metrics.clone(),
            );
            let wakeup = match control {
                Some(control) => Wakeup::listening(
                    control,
                    config.worker.fallback_poll,
                    who.peers,
                    metrics.clone(),
                ),
                None => Wakeup::polling(config.worker.fallback_poll, metrics.clone()),
            };
            let fan_out_stop = stop.clone();
            tasks.spawn("fanout", async move {
                fan_out.run(wakeup, fan_out_stop).await;
                Ok::<(), Infallible>(())
            });
        }
        if has(Role::Janitor) {
            let janitor_options = janitor_options(options, who.incarnation, leases_released);
            tasks
                .spawn("janitor", janitor::run(db, janitor_options, stop.clone(), metrics.clone()));
        }
        Ok(Self { tasks, delivery, lanes, endpoints_changed, look_for_due })
    }

    /// What runs, for readiness.
    pub(super) fn health(&self) -> Health {
        self.tasks.health()
    }

    /// Waits until a stage ends, which it must not before it is stopped; never returns otherwise.
    pub(super) async fn lost_one(&self) -> &'static str {
        // The lost one asks the others to stop.
        self.tasks.stop().soft().await;
        let lost = self.tasks.health().lost();
        match lost.first() {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }

    /// The lanes, where this worker delivers.
    pub(super) fn lanes(&self) -> Option<Lanes> {
        self.lanes.clone()
    }

    /// Waits until no event and no delivery is due, and nothing is in flight.
    pub(super) async fn drained(lanes: Option<Lanes>, db: &Db) {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let quiet = lanes.as_ref().is_none_or(Lanes::are_quiet);
            if !quiet || !events::none_due(db).await.unwrap_or(false) {
                continue;
            }
            // What waits for its endpoint to be well again is nothing to wait for here.
            let waits = |endpoint| lanes.as_ref().is_some_and(|lanes| lanes.is_waiting(endpoint));
            let due_now = |found: Vec<(_, Duration)>| {
                found.iter().any(|(endpoint, wait)| wait.is_zero() && !waits(*endpoint))
            };
            let nothing_due =
                lanes.is_none() || deliveries::due(db).await.is_ok_and(|found| !due_now(found));
            // Asked again: what was fanned out in between is in a lane by now.
            if nothing_due && lanes.as_ref().is_none_or(Lanes::are_quiet) {
                return;
            }
        }
    }

    /// After the stop was requested: joins everything.
    pub(super) async fn finish(mut self) -> Left {
        while self.tasks.join_next().await.is_some() {}
        match self.delivery.take() {
            Some(delivery) => delivery.finish().await,
            None => Left::default(),
        }
    }
}

fn client(config: &Config) -> Result<Client, StoreError> {
    Client::new(ClientConfig {
        addresses: config.egress.addresses.clone(),
        own_listeners: config.admin.listen.into_iter().chain(config.api.listen).collect(),
        connect_timeout: config.worker.connect_timeout,
        dns: if config.egress.dns_servers.is_empty() {
            Dns::System
        } else {
            Dns::Servers(config.egress.dns_servers.clone())
        },
        ca_file: config.egress.ca_file.clone(),
        proxy: config.egress.proxy.clone(),
        ..ClientConfig::default()
    })
    .map_err(|error| StoreError::other("setting up the HTTP client", error.to_string()))
}

fn janitor_options(options: &DaemonOptions, incarnation: i64, released: Wake) -> janitor::Options {
    let config = &options.config;
    let mut janitor_options = janitor::Options::new(incarnation, config.worker.lease);
    if options.once {
        // It may be over before any later time.
        janitor_options.first_round_after = Duration::ZERO;
    }
    janitor::Options {
        retention: janitor::Retention {
            events: config.retention.events,
            deliveries: config.retention.deliveries,
            ledger: config.retention.ledger,
            audit: config.retention.audit,
            jobs: config.retention.jobs,
            ..janitor::Retention::default()
        },
        released,
        ..janitor_options
    }
}

fn delivery_options(
    options: &DaemonOptions,
    owner: i64,
    endpoints_changed: Wake,
    leases_released: Wake,
) -> DeliveryOptions {
    let worker = &options.config.worker;
    DeliveryOptions {
        owner,
        lease: worker.lease,
        lane_floor: worker.lane,
        lane_bytes: worker.lane_bytes,
        in_flight: worker.in_flight,
        retry_in_flight: worker.retry_in_flight,
        limits: Limits {
            in_flight: options.config.limits.in_flight,
            rate: options.config.limits.rate,
        },
        policy: TargetPolicy {
            allow_http: options.config.egress.allow_http,
            addresses: options.config.egress.addresses.clone(),
            keys: Arc::clone(&options.keys),
            timeout: worker.attempt_timeout,
            in_flight: worker.endpoint_in_flight,
        },
        health: options.config.health.policy,
        retry_after_ceiling: options.config.health.retry_after_ceiling,
        endpoints_changed,
        leases_released,
    }
}
