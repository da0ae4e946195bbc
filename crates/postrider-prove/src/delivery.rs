//! The lines of `cargo prove delivery`: what issue 3 must show, the delivery engine that subscribers and neighbours can trust.

pub(crate) mod address_guard;
mod batching;
mod canary;
mod hostile;
mod match_cost;
mod neighbours;
mod order;
mod outage;
mod rate_limit;
mod signing;

use crate::kit::Proof;

/// The line that looks for secrets.
pub(crate) const CANARY: &str = "canary";

/// The lines, the short ones first.
pub(crate) const LINES: &[Proof] = &[
    Proof {
        name: "match",
        prove: Some(|ground, lines| Box::pin(match_cost::prove(ground, lines))),
    },
    Proof {
        name: "address-guard",
        prove: Some(|ground, lines| Box::pin(address_guard::prove(ground, lines))),
    },
    Proof { name: "hostile", prove: Some(|ground, lines| Box::pin(hostile::prove(ground, lines))) },
    Proof { name: "signing", prove: Some(|ground, lines| Box::pin(signing::prove(ground, lines))) },
    Proof {
        name: "rate-limit",
        prove: Some(|ground, lines| Box::pin(rate_limit::prove(ground, lines))),
    },
    Proof {
        name: "batching",
        prove: Some(|ground, lines| Box::pin(batching::prove(ground, lines))),
    },
    Proof { name: "order", prove: Some(|ground, lines| Box::pin(order::prove(ground, lines))) },
    Proof { name: "outage", prove: Some(|ground, lines| Box::pin(outage::prove(ground, lines))) },
    Proof {
        name: "neighbours",
        prove: Some(|ground, lines| Box::pin(neighbours::prove(ground, lines))),
    },
    // Last: it searches what all of them have said.
    Proof { name: CANARY, prove: Some(|ground, lines| Box::pin(canary::prove(ground, lines))) },
];
