//! The loop kit: what every long-running part of the daemon is made of, and nothing about events or SQL.
//!
//! A loop runs until [`Stop`] is requested, sleeps on a [`Wake`], paces its failures with a [`Pacer`] and is spawned into
//! [`Tasks`], which notices when it ends. What it did is counted in [`Metrics`].

mod metrics;
mod pacer;
mod stop;
mod tasks;
mod wake;

pub use metrics::{Metrics, Seconds, Series};
pub use pacer::Pacer;
pub use stop::Stop;
pub use tasks::{End, Ended, Health, Tasks};
pub use wake::Wake;
