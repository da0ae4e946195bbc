//! Every SQL statement of the daemon, one file each under `sql/<noun>/<verb>.sql`, typed in and out; and the migrations.
//!
//! Nothing outside this crate (and the producer library's one call) talks SQL. A statement file begins with the index
//! that serves it; `tests/it/plans.rs` holds every hot one to that promise on empty, full and all-done tables.

mod acting;
pub mod admin;
pub mod batches;
pub mod clock;
pub mod connect;
pub mod control;
pub mod db;
pub mod deliveries;
pub mod endpoint_health;
pub mod endpoints;
mod error;
pub mod event_types;
pub mod events;
pub mod gauges;
pub mod health;
pub mod jobs;
pub mod maintenance;
pub mod migrations;
pub mod partitions;
pub mod recover;
pub mod retention;
mod statement;
pub mod vacuum;
pub mod workers;

pub use acting::Acting;
pub use connect::Connect;
pub use db::{Db, Mode, Session};
pub use error::{ErrorKind, StoreError};
pub use statement::{ALL_STATEMENTS, Statement};
/// A plain connection, as [`Connect::client`] gives it.
pub use tokio_postgres::Client;
