//! The binary as people use it: a process, its exit code, its two streams, and what is in the database afterwards.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod bad_inputs;
mod batches;
mod client;
mod config;
mod database;
mod demo;
mod egress;
mod endpoints;
mod events;
mod layers;
mod listen;
mod looking;
mod migrate;
mod pooler;
mod promise;
mod receive;
mod recovery;
mod run;
mod signing;
mod standardwebhooks;
mod steering;
mod support;
mod tenants;
mod types;
