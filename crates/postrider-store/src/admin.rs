//! What people do: change endpoints, look at events and deliveries, put things right. Used by the command line and the API.
//!
//! Nothing here is on the hot path. Listings are pages by key (never OFFSET) over a bounded number of rows, and say when the
//! bound cut them; counts stop at a cap. Everything that changes an endpoint bumps its tenant's routing version by trigger.

pub mod api_keys;
pub mod audit;
pub mod deliveries;
pub mod egress;
pub mod endpoints;
pub mod event_types;
pub mod events;
pub mod explain;
pub mod failures;
pub mod idempotency;
pub mod jobs;
pub mod repair;
pub mod sealed;
pub mod secrets;
pub mod status;
pub mod switches;
pub mod tenants;

/// How many rows of its window a listing looks at before it gives up on its filters.
pub const SCAN_LIMIT: i64 = 500_000;

/// One page of a listing, newest first.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows, at most as many as were asked for.
    pub rows: Vec<T>,
    /// Whether rows of the window were left unread, so that more may match further back.
    pub cut: bool,
}
