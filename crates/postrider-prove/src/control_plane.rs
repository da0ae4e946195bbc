//! The lines of `cargo prove control-plane`: what issue 4 must show, the API and what people steer with.

use crate::kit::Proof;

/// The lines, the short ones first.
pub(crate) const LINES: &[Proof] = &[
    Proof { name: "idempotency", prove: None },
    Proof { name: "isolation", prove: None },
    Proof { name: "bad-inputs", prove: None },
    Proof { name: "schema", prove: None },
    Proof { name: "listen", prove: None },
    Proof { name: "event-queries", prove: None },
    Proof { name: "backfill", prove: None },
    Proof { name: "schemathesis", prove: None },
    Proof { name: "scale", prove: None },
];
