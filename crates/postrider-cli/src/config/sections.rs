//! The sections of the configuration, as those who work by it see them. `build` makes them.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use postrider_core::address::AddressPolicy;
use postrider_core::health::HealthPolicy;
use postrider_core::url::UrlPolicy;
use postrider_destinations::EgressProxy;
use postrider_store::Mode;

use super::hidden::Hidden;

/// The way to the database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    /// `None`: the embedded server.
    pub url: Option<Hidden>,
    /// The server itself, where `url` goes through a pooler.
    pub direct_url: Option<Hidden>,
    /// Whether a transaction pooler lies between.
    pub mode: Mode,
    pub pool_size: usize,
    pub ca_file: Option<PathBuf>,
}

/// One part of the work that a process may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Fanout,
    Delivery,
    Janitor,
}

/// How much a worker does at once, and how long things may take.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    /// Never empty, no role twice.
    pub roles: Vec<Role>,
    pub name: String,
    pub in_flight: usize,
    pub retry_in_flight: usize,
    pub endpoint_in_flight: usize,
    pub lease: Duration,
    pub lane: usize,
    pub lane_bytes: usize,
    pub attempt_timeout: Duration,
    pub connect_timeout: Duration,
    pub grace: Duration,
    pub fallback_poll: Duration,
}

/// What attempts mean for an endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Health {
    pub policy: HealthPolicy,
    pub retry_after_ceiling: Duration,
}

/// What the whole installation may do at once; `None`: as much as its workers can.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Requests in flight.
    pub in_flight: Option<u32>,
    /// Requests a second.
    pub rate: Option<u32>,
}

/// Where requests may go.
#[derive(Debug, Clone)]
pub(crate) struct Egress {
    pub allow_http: bool,
    /// With `--dev`, this machine's own addresses are among those allowed.
    pub addresses: AddressPolicy,
    /// Empty: the system's resolver.
    pub dns_servers: Vec<SocketAddr>,
    /// The only address that is dialled, where there is one.
    pub proxy: Option<EgressProxy>,
    pub ca_file: Option<PathBuf>,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    pub events: Duration,
    pub deliveries: Duration,
    pub ledger: Duration,
}

/// The address for health checks and metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admin {
    pub listen: Option<SocketAddr>,
}

/// The address of the REST API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    pub listen: Option<SocketAddr>,
    /// Requests a second for each key.
    pub rate_limit: NonZeroU32,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Auto,
    Text,
    Json,
}

impl Role {
    pub(crate) const ALL: [Role; 3] = [Role::Fanout, Role::Delivery, Role::Janitor];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fanout => "fanout",
            Self::Delivery => "delivery",
            Self::Janitor => "janitor",
        }
    }
}

impl Egress {
    /// What a new endpoint's URL is judged by.
    pub(crate) fn url_policy(&self) -> UrlPolicy<'_> {
        UrlPolicy { allow_http: self.allow_http, addresses: &self.addresses }
    }
}
