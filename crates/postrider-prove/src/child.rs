//! The child processes of proofs: this program, run again by itself.

pub(crate) mod gaps;
pub(crate) mod guard_lab;
pub(crate) mod publisher;
pub(crate) mod sink;
