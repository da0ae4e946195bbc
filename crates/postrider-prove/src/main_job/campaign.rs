//! A campaign: publishers commit and roll back, workers deliver to 3 tenants × 5 endpoints, and meanwhile workers are
//! killed, sessions terminated and the whole server killed. At the end the checker judges what the journals and the
//! database say. Used with one worker and with several.

mod faults;
mod ground_truth;
pub(super) mod planted;
mod publishers;

use std::time::{Duration, Instant};

use anyhow::ensure;
use postrider_testkit::{
    BUSINESS_TABLE, DatabaseState, EndpointEntry, Journal, Journals, Verdict, check, monotonic_ns,
};
use tokio_postgres::Client;

pub(super) use self::faults::CROWD;
use self::faults::{Fault, Struck};
use self::publishers::Publishers;
use crate::child::publisher::Report;
use crate::kit::{Dice, Ground, Installation, Sink, Worker, note};

const TENANTS: [&str; 3] = ["acme", "beta", "coda"];
const ENDPOINTS: [&str; 5] = ["*", "*", "email.*", "email.received", "order.paid,user.made"];
/// Of a thousand deliveries so many fail at first, so that retries are under way too.
const FAIL_FIRST: u32 = 20;
/// A receiver takes a while, so that a fault always finds requests in flight.
const LATENCY: Duration = Duration::from_millis(40);
/// How long the last deliveries may take, retries included.
const DRAIN_LIMIT: Duration = Duration::from_secs(180);

/// What a campaign consists of.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) workers: usize,
    /// Events to be committed; one in ten transactions is rolled back besides.
    pub(super) events: u64,
    /// SIGKILLs of a worker.
    pub(super) kills: usize,
    /// Of these, how many wait until at least [`faults::CROWD`] requests are in flight.
    pub(super) crowded: usize,
    /// SIGKILLs of the whole server.
    pub(super) server_kills: usize,
    /// Terminations of every session.
    pub(super) terminations: usize,
    pub(super) seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) struck: Vec<Struck>,
    pub(super) published: Report,
    /// Deliveries whose row somebody tried to insert more than once.
    pub(super) inserted_twice: i64,
    /// Requests whose signature did not verify.
    pub(super) unsigned: u64,
    /// How long the rest took after the last publisher had ended.
    pub(super) drained: Duration,
    /// Workers that did not end with 0 when they were asked to stop.
    pub(super) unclean_stops: usize,
    pub(super) took: Duration,
    pub(super) journals: Journals,
    pub(super) state: DatabaseState,
}

/// A campaign under way.
struct Campaign {
    installation: Installation,
    sink: Sink,
    workers: Vec<Worker>,
    client: Client,
    dice: Dice,
    struck: Vec<Struck>,
}

/// Runs a campaign and judges it.
pub(super) async fn run(ground: &Ground, plan: &Plan) -> anyhow::Result<Outcome> {
    let begun = Instant::now();
    let mut campaign = Campaign::prepare(ground, plan).await?;
    let faults = Fault::schedule(plan, &mut campaign.dice);
    let mut publishers = Publishers::start(&campaign.installation, plan, Fault::time(&faults))?;
    for (number, fault) in faults.iter().enumerate() {
        campaign.strike(*fault).await?;
        note(format!("{}: {} of {}, {fault:?}", plan.name, number + 1, faults.len()));
    }
    let published = publishers.finish().await?;
    let drained = campaign.installation.drained(DRAIN_LIMIT).await?;
    campaign.judge(published, drained, begun).await
}

impl Campaign {
    async fn prepare(ground: &Ground, plan: &Plan) -> anyhow::Result<Self> {
        let mut installation = Installation::new(ground, plan.name).await?;
        let client = installation.client().await?;
        client.batch_execute(BUSINESS_TABLE).await?;
        client.batch_execute(ground_truth::NOTE_INSERTS).await?;
        let mut sink = Sink::start(&installation.folder).await?;
        sink.fail_first(FAIL_FIRST, 500).await?;
        sink.hold(LATENCY).await?;
        let journal = Journal::append(&installation.folder.join("endpoints.jsonl"))?;
        let mut dice = Dice::new(plan.seed);
        for tenant in TENANTS {
            for types in ENDPOINTS {
                let token = format!("{:016x}", dice.next());
                let base = sink.base.clone();
                let endpoint = installation.add_endpoint(&base, &token, tenant, types, &[]).await?;
                sink.know(&endpoint).await?;
                journal.write(&EndpointEntry {
                    token: endpoint.token,
                    endpoint: endpoint.id,
                    tenant: endpoint.tenant,
                    event_types: endpoint.types,
                    since: monotonic_ns(),
                    until: None,
                });
            }
        }
        let mut workers = Vec::new();
        for _ in 0..plan.workers {
            workers.push(installation.worker(&[]).await?);
        }
        Ok(Self { installation, sink, workers, client, dice, struck: Vec::new() })
    }

    /// Stops everything, reads what was written down, and has it judged.
    async fn judge(
        mut self,
        published: Report,
        drained: Duration,
        begun: Instant,
    ) -> anyhow::Result<Outcome> {
        let mut unclean_stops = 0;
        for worker in self.workers.drain(..) {
            unclean_stops += usize::from(!worker.stop().await?.success());
        }
        let unsigned = self.sink.state().await?.unsigned;
        drop(self.sink);
        let folder = self.installation.folder.clone();
        let mut journals = Journals::read(&folder)?;
        ensure!(journals.faults.is_empty(), "the faults are not written yet");
        let log = Journal::append(&folder.join("faults.jsonl"))?;
        for fault in ground_truth::entries(&self.struck, &journals) {
            log.write(&fault);
            journals.faults.push(fault);
        }
        let state = DatabaseState::read(&mut self.client, &journals).await?;
        let inserted_twice = self.client.query_one(ground_truth::INSERTED_TWICE, &[]).await?.get(0);
        let verdict = check(&journals, &state);
        std::fs::write(folder.join("verdict.txt"), verdict.to_string())?;
        let took = begun.elapsed();
        drop(self.client);
        self.installation.end().await?;
        Ok(Outcome {
            verdict,
            struck: self.struck,
            published,
            inserted_twice,
            unsigned,
            drained,
            unclean_stops,
            took,
            journals,
            state,
        })
    }
}
