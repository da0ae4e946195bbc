//! Fan-out: published events become deliveries.
//! Reads `webhook_events_pending` and the events' bodies, matches them against their tenant's endpoints in memory, inserts
//! `webhook_deliveries_open`, and hands what it inserted straight to the delivery lanes. Sleeps by protocol P2.
//! Never holds a claim while it waits, and never claims what it cannot finish in one short transaction.

mod caution;
mod full;
mod hand_off;
mod known_types;
mod mark;
mod matching;
mod pass;
mod payloads;
mod reservation;
mod routes;
mod wakeup;
mod worker;

pub use hand_off::{HandOff, NoHandOff};
pub use pass::{Limits, Pass};
pub use wakeup::Wakeup;
pub use worker::{FanOut, FanOutOptions};
