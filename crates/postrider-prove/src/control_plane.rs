//! The lines of `cargo prove control-plane`: what issue 4 must show, the API and what people steer with.

mod bad_inputs;
mod idempotency;
mod isolation;
mod schema;
mod schemathesis;
mod stage;

use crate::kit::Proof;

/// The lines, the short ones first.
pub(crate) const LINES: &[Proof] = &[
    Proof {
        name: "idempotency",
        prove: Some(|ground, lines| Box::pin(idempotency::prove(ground, lines))),
    },
    Proof {
        name: "isolation",
        prove: Some(|ground, lines| Box::pin(isolation::prove(ground, lines))),
    },
    Proof {
        name: "bad-inputs",
        prove: Some(|ground, lines| Box::pin(bad_inputs::prove(ground, lines))),
    },
    Proof { name: "schema", prove: Some(|ground, lines| Box::pin(schema::prove(ground, lines))) },
    Proof { name: "listen", prove: None },
    Proof { name: "event-queries", prove: None },
    Proof { name: "backfill", prove: None },
    Proof {
        name: "schemathesis",
        prove: Some(|ground, lines| Box::pin(schemathesis::prove(ground, lines))),
    },
    Proof { name: "scale", prove: None },
];
