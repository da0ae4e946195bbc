//! Delivery: what is owed is sent, and what came back is recorded.
//! Takes deliveries from fan-out in memory and from `webhook_deliveries_open` (retries, overflow, a dead worker's leases).
//! Writes each outcome through the recorder: `webhook_deliveries_closed`, `webhook_deliveries_open`, `webhook_attempts`.
//! Never holds a transaction or a connection to the database while a request is in flight.
//!
//! The parts: [`Lanes`] (one queue an endpoint, with its slots), `slots` (how many of them there may be), `shares` and `limit` (what a
//! tenant, an endpoint and everybody may do at once), `turns` (who is next where that is little), `attempt` (one request), `batch` (several deliveries
//! in one request), `recorder` (outcomes, many at a time), `puller` (leases from the database what a lane has room for), `due` (knows
//! when), `health` (whether deliveries flow), `target` (the endpoint as it is now).

mod asked;
mod attempt;
mod batch;
mod due;
mod engine;
mod health;
mod hold;
mod lane;
mod lanes;
mod limit;
mod pace;
mod proxy;
mod puller;
mod recorder;
mod shares;
mod slots;
mod target;
mod turns;

pub use engine::{Delivery, DeliveryOptions, Left};
pub use lanes::Lanes;
pub use shares::Limits;
pub use target::TargetPolicy;
