//! Fan-out on a real PostgreSQL: what becomes of published events, and how a worker that has nothing to do sleeps.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod after_crash;
mod awake;
mod blameless;
mod bodies;
mod catalog;
mod commits;
mod cut;
mod doubt;
mod limits;
mod mark;
mod poison;
mod routing;
mod sentinel;
mod sharing;
mod sleep;
mod slow;
mod stage;
mod watcher;
mod worker;
