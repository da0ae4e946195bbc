//! Does the jobs that people queue, one at a time in the fleet for each worker: looks at a piece of the events, owes what it found at the job's
//! rate, and notes how far it came. Whoever comes after a crash goes on from there.

use std::time::Duration;

use postrider_runtime::{Metrics, Pacer, Stop};
use postrider_store::admin::jobs as admin;
use postrider_store::jobs::{self, ClaimedJob, Step};
use postrider_store::recover::{self, Owed, Waiting};
use postrider_store::{Db, StoreError};
use tracing::{info, warn};

use crate::Options;

const EVERY: Duration = Duration::from_secs(5);
/// How long a job is left to the worker that does it. A step takes a second, and what its statements take.
const LEASE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
/// How often a job looks again whether the event that it waits for has been fanned out, before it lets others go on.
const PATIENCE: u32 = 20;
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long it is left alone then.
const PUT_OFF: Duration = Duration::from_secs(2);

pub(crate) async fn run(db: &Db, options: &Options, stop: &Stop, metrics: &Metrics) {
    let mut pacer = Pacer::new(EVERY, Duration::from_secs(60));
    while !stop.soft_requested() {
        let wait = match pass(db, options.incarnation, stop).await {
            Ok(true) => Duration::ZERO,
            Ok(false) => {
                pacer.reset();
                EVERY
            }
            Err(error) => {
                metrics.db_error("janitor");
                warn!(%error, "a job waits for the database");
                pacer.next()
            }
        };
        stop.soft_within(wait).await;
    }
}

/// Does the oldest job that nobody does, to its end or until a stop; false if there is none.
///
/// # Errors
/// When the database fails: the job goes on later.
pub async fn pass(db: &Db, owner: i64, stop: &Stop) -> Result<bool, StoreError> {
    let Some(job) = jobs::claim(db, owner, LEASE).await? else { return Ok(false) };
    if job.stop {
        // Asked of the worker that did it before.
        jobs::advance(db, owner, &job, &[], (job.looked_to, None), false, LEASE).await?;
        return Ok(true);
    }
    let recovery = admin::recovery(&job);
    let wants = match admin::wants(db, &recovery).await? {
        Some(Ok(wants)) => wants,
        Some(Err(error)) => {
            let why = format!("the endpoint's filter cannot be used: {error}");
            jobs::fail(db, owner, job.id, &why).await?;
            return Ok(true);
        }
        None => {
            jobs::fail(db, owner, job.id, "the endpoint was deleted").await?;
            return Ok(true);
        }
    };
    info!(job.id = %job.id, endpoint.id = %job.endpoint, from = job.looked_to, "recovering {}", job.endpoint);
    let (mut after, mut waited) = (job.looked_to, 0);
    loop {
        let piece = recover::look(db, &recovery, &wants, after, Waiting::Ends).await?;
        let to = (piece.looked_to, piece.looked_at);
        match write(db, owner, &job, &piece.owed, to, piece.last, stop).await? {
            Step::GoesOn if stop.soft_requested() => {
                jobs::release(db, owner, job.id).await?;
                return Ok(false);
            }
            Step::GoesOn => {
                waited = if piece.waits && piece.looked_to == after { waited + 1 } else { 0 };
                after = piece.looked_to;
                if waited > PATIENCE {
                    jobs::put_off(db, owner, job.id, PUT_OFF).await?;
                    return Ok(true);
                }
                if piece.waits {
                    stop.soft_within(LOOK_AGAIN).await;
                }
            }
            Step::Over => {
                info!(job.id = %job.id, "{} is over", job.id);
                return Ok(true);
            }
            Step::Lost => return Ok(true),
            Step::NoEndpoint => {
                jobs::fail(db, owner, job.id, "the endpoint was disabled").await?;
                return Ok(true);
            }
        }
    }
}

/// Owes what a piece found, a second's worth at a time.
async fn write(
    db: &Db,
    owner: i64,
    job: &ClaimedJob,
    owed: &[Owed],
    to: (i64, Option<jiff::Timestamp>),
    last: bool,
    stop: &Stop,
) -> Result<Step, StoreError> {
    let each = usize::try_from(job.rate).unwrap_or(1).max(1);
    let mut chunks = owed.chunks(each).peekable();
    while let Some(chunk) = chunks.next() {
        let end = chunks.peek().is_none();
        // In the middle of a piece it has come to the last event that it has owed.
        let here = chunk.last().map_or(to, |owed| (owed.seq, Some(owed.created_at)));
        let to = if end { to } else { here };
        let step = jobs::advance(db, owner, job, chunk, to, end && last, LEASE).await?;
        if step != Step::GoesOn {
            return Ok(step);
        }
        // A full second's worth, or the part of one that it is.
        let part = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        stop.soft_within(SECOND * part / job.rate.max(1)).await;
        if end || stop.soft_requested() {
            return Ok(step);
        }
    }
    jobs::advance(db, owner, job, &[], to, last, LEASE).await
}
