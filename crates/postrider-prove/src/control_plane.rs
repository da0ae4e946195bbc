//! The lines of `cargo prove control-plane`: what issue 4 must show, the API and what people steer with.

mod backfill;
mod bad_inputs;
mod event_queries;
mod idempotency;
mod isolation;
mod listen;
mod scale;
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
    Proof { name: "listen", prove: Some(|ground, lines| Box::pin(listen::prove(ground, lines))) },
    Proof {
        name: "event-queries",
        prove: Some(|ground, lines| Box::pin(event_queries::prove(ground, lines))),
    },
    Proof {
        name: "backfill",
        prove: Some(|ground, lines| Box::pin(backfill::prove(ground, lines))),
    },
    Proof {
        name: "schemathesis",
        prove: Some(|ground, lines| Box::pin(schemathesis::prove(ground, lines))),
    },
    Proof { name: "scale", prove: Some(|ground, lines| Box::pin(scale::prove(ground, lines))) },
];
