//! The contract, tested through its public door.

mod bad_inputs;
mod catalog;
mod envelope;
mod ids;
