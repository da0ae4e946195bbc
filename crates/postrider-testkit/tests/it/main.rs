//! The testkit's own promises: a database for each test, a receiver that does what it is told, journals that add up.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod architecture;
mod databases;
mod receivers;
mod run;
