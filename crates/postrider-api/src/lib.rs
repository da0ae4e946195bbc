//! The listeners of the daemon. The admin listener: `/healthz` (this process lives), `/readyz` (it can do its work), `/metrics` (OpenMetrics text), and the
//! public keys that receivers verify ed25519 signatures with, under `/.well-known/postrider/keys/`.
//!
//! Meant for the loopback interface or a private network: it has no login, shows no payload and changes nothing.
//! Reads the metrics, the health of the stages and, for readiness, one row of the database.
//!
//! The REST API has a listener of its own ([`Api`]), with keys.

mod keys;
mod readiness;
mod rest;
mod routes;
mod server;

pub use readiness::{Check, Readiness, Report, Status};
pub use rest::{Api, Egress, Given, Refused, read_endpoint};
pub use server::serve;
