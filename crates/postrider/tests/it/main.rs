//! The producer against a real PostgreSQL, through its public door.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on fails the test")]

mod agreement;
mod bad_inputs;
mod batch;
mod best_effort;
mod commit;
mod generated;
mod isolation;
mod libraries;
mod publish;
mod rights;
#[cfg(feature = "schema")]
mod schemas;
mod stage;
mod switch;
