//! What this crate promises as a whole: against hostile inputs, other people's libraries, and a counting allocator.

mod allocations;
mod bad_inputs;
mod codegen;
mod documented_filters;
mod explanations;
#[path = "../../../../fuzz/filter_body.rs"]
mod filter_body;
mod fuzzing;
mod generator;
mod grammar;
mod matching;
mod operators;
mod patterns;
mod reference;
mod standard_webhooks;
