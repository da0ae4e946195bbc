//! The child processes of proofs: this program, run again by itself.

pub(crate) mod crowd;
pub(crate) mod gaps;
pub(crate) mod guard_lab;
pub(crate) mod publisher;
pub(crate) mod sink;
pub(crate) mod steady;
