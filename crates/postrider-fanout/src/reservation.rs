//! What the lanes take of a claim at once, and what stays in the database.

use std::collections::HashMap;
use std::ops::Range;

use postrider_core::batch::BatchManner;
use postrider_core::ids::EndpointId;

use crate::HandOff;
use crate::full::{FullBatch, full_batches};
use crate::pass::{Match, order_key};
use crate::payloads::Payloads;

/// The matches of one endpoint and what its lane takes of them at once.
pub(crate) struct Reservation {
    pub(crate) endpoint: EndpointId,
    pub(crate) range: Range<usize>,
    pub(crate) places: usize,
    pub(crate) takes: Takes,
    pub(crate) left: Left,
}

impl Reservation {
    /// How many deliveries have no place because the lane is full.
    pub(crate) fn overflow(&self) -> usize {
        let taken = match &self.takes {
            Takes::First => self.places,
            Takes::Batches(batches) => batches.iter().map(FullBatch::len).sum(),
        };
        if matches!(self.left, Left::Overflow) { self.range.len() - taken } else { 0 }
    }
}

/// What fills the places of a reservation.
pub(crate) enum Takes {
    /// The first ones, one by one.
    First,
    /// These, with the places of their members among the matches of the endpoint.
    Batches(Vec<FullBatch>),
}

/// What has no place and is inserted as due.
#[derive(Clone, Copy)]
pub(crate) enum Left {
    Nothing,
    /// It waits for company.
    Gathering,
    Overflow,
}

/// Asks the lanes for places, endpoint by endpoint; `room` bounds the bytes of batches put together.
pub(crate) fn reserve<H: HandOff>(
    matches: &[Match],
    manners: &HashMap<EndpointId, BatchManner>,
    payloads: &mut Payloads<'_>,
    mut room: usize,
    lanes: &H,
) -> Vec<Reservation> {
    let mut reservations = Vec::new();
    let mut start = 0;
    for run in matches.chunk_by(|a, b| a.endpoint == b.endpoint) {
        let (endpoint, range) = (run[0].endpoint, start..start + run.len());
        start += run.len();
        reservations.push(match manners.get(&endpoint) {
            Some(manner) => reserve_batches(run, range, manner, payloads, &mut room, lanes),
            None => reserve_first(run, range, payloads, lanes),
        });
    }
    reservations
}

fn reserve_first<H: HandOff>(
    run: &[Match],
    range: Range<usize>,
    payloads: &Payloads<'_>,
    lanes: &H,
) -> Reservation {
    let endpoint = run[0].endpoint;
    let bytes = run.iter().filter_map(|m| payloads.body(m)).map(|body| body.envelope.len()).sum();
    // What has an order waits in the database for its turn, and what goes in batches of a kind that is not known here for those who
    // know it: a pull decides on both; those around are pulled with them.
    let apart = |m: &Match| m.batched || order_key(payloads.body(m), m).is_some();
    let places = if run.iter().any(apart) { 0 } else { lanes.reserve(endpoint, run.len(), bytes) };
    let left = if places < run.len() { Left::Overflow } else { Left::Nothing };
    Reservation { endpoint, range, places, takes: Takes::First, left }
}

/// What fills a batch goes at once, as far as there are places, and room for what is put together in this pass.
fn reserve_batches<H: HandOff>(
    run: &[Match],
    range: Range<usize>,
    manner: &BatchManner,
    payloads: &mut Payloads<'_>,
    room: &mut usize,
    lanes: &H,
) -> Reservation {
    let endpoint = run[0].endpoint;
    let mut full = full_batches(run, manner, payloads);
    let all = full.len();
    full.retain(|full| {
        let fits = full.bytes <= *room;
        *room -= if fits { full.bytes } else { 0 };
        fits
    });
    let bytes = full.iter().map(|full| full.bytes).sum();
    let granted = if full.is_empty() { 0 } else { lanes.reserve(endpoint, full.len(), bytes) };
    let granted_ones = full.into_iter().take(granted);
    let batches: Vec<FullBatch> =
        granted_ones.filter_map(|full| FullBatch::of(run, full, manner, payloads)).collect();
    let places = batches.len();
    if places < granted {
        lanes.unreserve(endpoint, granted - places);
    }
    let members: usize = batches.iter().map(FullBatch::len).sum();
    let left = match (places < all, members < run.len()) {
        (true, _) => Left::Overflow,
        (false, true) => Left::Gathering,
        (false, false) => Left::Nothing,
    };
    Reservation { endpoint, range, places, takes: Takes::Batches(batches), left }
}
