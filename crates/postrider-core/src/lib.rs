//! The decisions of Postrider, as plain functions over plain values.
//!
//! Nothing here performs I/O, waits, reads a clock or draws a random number: time and randomness come in as arguments, so
//! that every decision can be tested with a table. What comes in is text from outside (URLs, headers, secrets, filters) or an
//! [`answer::Answer`]; what goes out is a checked type or a [`retry::Verdict`]. The store, the workers and the API come next.

pub mod address;
pub mod answer;
pub mod api_key;
pub mod auth;
pub mod batch;
pub mod codegen;
pub mod endpoint;
pub mod event_type;
pub mod filter;
pub mod format;
pub mod headers;
pub mod health;
pub mod ids;
pub mod input;
pub mod ordering;
pub mod retry;
pub mod seal;
pub mod signing;
pub mod status;
pub mod url;
