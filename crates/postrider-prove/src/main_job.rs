//! The lines of `cargo prove main-job`: what issue 2 must show, and what it does with bad input.

mod bad_inputs;
mod bench;
mod campaign;
mod clean_clone;
mod crash;
mod database_faults;
mod fleet;
mod idle;
mod ids_and_rows;
mod promises;
pub(crate) mod standardwebhooks;
mod wake_up;

use crate::kit::Proof;

/// The lines, the short ones first.
pub(crate) const LINES: &[Proof] = &[
    Proof {
        name: "ids-and-rows",
        prove: Some(|ground, lines| Box::pin(ids_and_rows::prove(ground, lines))),
    },
    Proof {
        name: "bad-inputs",
        prove: Some(|ground, lines| Box::pin(bad_inputs::prove(ground, lines))),
    },
    Proof {
        name: "database-faults",
        prove: Some(|ground, lines| Box::pin(database_faults::prove(ground, lines))),
    },
    Proof {
        name: "promises",
        prove: Some(|ground, lines| Box::pin(promises::prove(ground, lines))),
    },
    Proof {
        name: "standardwebhooks",
        prove: Some(|ground, lines| Box::pin(standardwebhooks::prove(ground, lines))),
    },
    Proof { name: "wake-up", prove: Some(|ground, lines| Box::pin(wake_up::prove(ground, lines))) },
    Proof { name: "idle", prove: Some(|ground, lines| Box::pin(idle::prove(ground, lines))) },
    Proof { name: "crash", prove: Some(|ground, lines| Box::pin(crash::prove(ground, lines))) },
    Proof { name: "fleet", prove: Some(|ground, lines| Box::pin(fleet::prove(ground, lines))) },
    Proof { name: "bench", prove: Some(|ground, lines| Box::pin(bench::speed(ground, lines))) },
    Proof { name: "million", prove: Some(|ground, lines| Box::pin(bench::million(ground, lines))) },
    Proof {
        name: "clean-clone",
        prove: Some(|ground, lines| Box::pin(clean_clone::prove(ground, lines))),
    },
];
