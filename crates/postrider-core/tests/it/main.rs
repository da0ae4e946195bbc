//! What this crate promises as a whole: against hostile inputs, other people's libraries, and a counting allocator.

mod allocations;
mod bad_inputs;
mod generator;
mod grammar;
mod matching;
mod standard_webhooks;
