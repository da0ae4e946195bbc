//! Delivery against a real PostgreSQL and a real receiver, fed by the real fan-out.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod batching;
mod fleet;
mod health;
mod isolation;
mod limits;
mod ordering;
mod outcomes;
mod pausing;
mod proxy;
mod stage;
mod stopping;
