//! Where bad neighbours are measured: an installation, its endpoints, their receiver, and one run after another on them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use postrider_core::headers::CustomHeaders;
use postrider_core::seal::KeyRing;
use postrider_core::signing::{SecretKind, SigningSecret};
use postrider_store::admin::endpoints::{self, NewEndpoint, RequestSettings};
use postrider_store::{Connect, Db, Mode};
use serde::Serialize;
use tokio_postgres::Client;

use super::Variant;
use crate::kit::{
    Crowd, CrowdTally, Ground, Installation, Load, Manner, Worker, manner, note, place,
};

/// The type of what is published for the bad ones alone.
const BACKLOG: &str = "for.the_ill";
const ALL_CAME: Duration = Duration::from_secs(25);
/// An event in each tenant, which all of its bad endpoints want.
const PUBLISH_BACKLOG: &str = "SELECT count(postrider.publish_v1('tenant' || t, 'b' || $3 || '-' || t || '-' || i, 'for.the_ill', '{\"n\":1}', NULL, NULL, NULL, NULL, NULL, true)) \
     FROM generate_series(0, $1::integer - 1) t, generate_series(1, $2::integer) i";
const DISABLE: &str = "UPDATE postrider.webhook_endpoints SET enabled = false, disabled_reason = 'by hand' WHERE 'for.the_ill' = ANY (event_types)";
const ENABLE: &str = "UPDATE postrider.webhook_endpoints SET enabled = true, disabled_reason = NULL WHERE NOT enabled";
const WIPE: &str = "TRUNCATE postrider.webhook_deliveries_open, postrider.webhook_events_pending, postrider.webhook_attempts, \
     postrider.webhook_endpoint_health; VACUUM (ANALYZE) postrider.webhook_endpoints";

/// How large it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) endpoints: u64,
    /// Events to healthy endpoints in a run.
    pub(super) least_samples: u64,
    /// The shortest run.
    pub(super) seconds: f64,
    pub(super) backlog: i64,
}

/// One run.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(super) struct Measured {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    /// When the slowest was published, in seconds since the first.
    pub(super) slowest_at_s: f64,
    /// Arrivals at healthy endpoints a second, from the first commit to the last arrival.
    pub(super) throughput: f64,
    pub(super) samples: u64,
    pub(super) lost: u64,
    /// Events a second that were really offered.
    pub(super) offered: f64,
    /// Open deliveries when the load began.
    pub(super) waiting: i64,
    pub(super) tally: CrowdTally,
}

pub(super) struct Field {
    installation: Installation,
    crowd: Crowd,
    client: Client,
    size: Size,
    runs: u32,
}

impl Field {
    pub(super) async fn new(ground: &Ground, size: Size) -> anyhow::Result<Self> {
        let mut installation = Installation::new(ground, "neighbours").await?;
        // What hangs is abandoned when a run ends.
        installation.set("POSTRIDER_WORKER_GRACE", "0s");
        let crowd = Crowd::start(&installation.folder).await?;
        add_endpoints(&installation, &crowd, size.endpoints).await?;
        let client = installation.client().await?;
        Ok(Self { installation, crowd, client, size, runs: 0 })
    }

    pub(super) async fn end(self) -> anyhow::Result<()> {
        drop(self.client);
        self.installation.end().await
    }

    /// Events a second that are published, fanned out and delivered when as many are offered as can be, all endpoints being well.
    pub(super) async fn calibrate(&mut self) -> anyhow::Result<f64> {
        let worker = self.begin(Variant::Ill).await?;
        let events = self.size.least_samples;
        let (offered, committed) = self.load("c", events, 0.0).await?;
        let healthy = (0..events).filter(|n| manner(n % self.size.endpoints) == Manner::Well);
        let expected = u64::try_from(healthy.count())?;
        let came = self.all_came(expected).await?;
        if came.well < expected {
            bail!("only {} of {expected} events came while it was calibrated", came.well);
        }
        let arrivals = self.crowd.arrivals("c").await?;
        let (first, last) = (committed.iter().min(), arrivals.values().max());
        let (first, last) = (first.context("no event")?, last.context("no arrival")?);
        worker.stop().await?;
        let seconds = Duration::from_nanos(last.saturating_sub(*first)).as_secs_f64();
        note(format!(
            "neighbours: published in {:.1} s, all there in {seconds:.1} s",
            offered.seconds
        ));
        Ok(float(events) / seconds)
    }

    /// One run under a constant load.
    pub(super) async fn run(&mut self, rate: f64, variant: Variant) -> anyhow::Result<Measured> {
        self.runs += 1;
        let worker = self.begin(variant).await?;
        if variant != Variant::Without {
            self.crowd.ill(true).await?;
        }
        let waiting = match variant {
            Variant::Backlog => self.pile_up().await?,
            Variant::Without | Variant::Ill => 0,
        };
        let events = events(self.size, rate);
        let prefix = format!("r{}x", self.runs);
        let (offered, committed) = self.load(&prefix, events, rate).await?;
        let healthy: Vec<u64> =
            (0..events).filter(|n| manner(n % self.size.endpoints) == Manner::Well).collect();
        let tally = self.all_came(u64::try_from(healthy.len())?).await?;
        let arrivals = self.crowd.arrivals(&prefix).await?;
        worker.stop().await?;
        let mut waits = Vec::new();
        let (mut first, mut last) = (u64::MAX, 0);
        let mut slowest = (0, 0);
        for number in &healthy {
            let sent = committed[usize::try_from(*number)?];
            if let Some(arrived) = arrivals.get(number) {
                let wait = Duration::from_nanos(arrived.saturating_sub(sent));
                waits.push(wait.as_secs_f64() * 1e3);
                (first, last) = (first.min(sent), last.max(*arrived));
                slowest = slowest.max((arrived.saturating_sub(sent), sent));
            }
        }
        waits.sort_by(f64::total_cmp);
        let at = |share: usize| waits.get(waits.len().saturating_sub(1) * share / 1_000).copied();
        let samples = u64::try_from(waits.len())?;
        let seconds = Duration::from_nanos(last.saturating_sub(first)).as_secs_f64();
        let measured = Measured {
            p50_ms: at(500).context("nothing came")?,
            p99_ms: at(990).context("nothing came")?,
            max_ms: at(1_000).context("nothing came")?,
            slowest_at_s: Duration::from_nanos(slowest.1.saturating_sub(first)).as_secs_f64(),
            throughput: float(samples) / seconds,
            samples,
            lost: u64::try_from(healthy.len())? - samples,
            offered: float(offered.events) / offered.seconds,
            waiting,
            tally,
        };
        note(format!("neighbours: {variant:?} {measured:?}"));
        Ok(measured)
    }

    /// An empty installation whose endpoints are all well, or disabled, with a worker that has sent to each of them.
    async fn begin(&mut self, variant: Variant) -> anyhow::Result<Worker> {
        self.crowd.ill(false).await?;
        let switch = if variant == Variant::Without { DISABLE } else { ENABLE };
        self.client.batch_execute(switch).await?;
        for statement in WIPE.split("; ") {
            self.client.batch_execute(statement).await?;
        }
        let worker = self.installation.worker(&[]).await?;
        self.crowd.reset().await?;
        let (prefix, events) = (format!("w{}x", self.runs), self.size.endpoints * 4);
        self.load(&prefix, events, 0.0).await?;
        self.installation.drained(Duration::from_secs(60)).await?;
        self.crowd.reset().await?;
        Ok(worker)
    }

    async fn load(
        &self,
        prefix: &str,
        events: u64,
        rate: f64,
    ) -> anyhow::Result<(crate::kit::Offered, Vec<u64>)> {
        let (url, endpoints) = (self.installation.server.url(), self.size.endpoints);
        let load = Load { url, prefix, events, rate, endpoints };
        load.offer(&self.installation.folder).await
    }

    /// Waits until so many came to the healthy ones, or it has taken too long.
    async fn all_came(&mut self, wanted: u64) -> anyhow::Result<CrowdTally> {
        self.crowd.wait(wanted, ALL_CAME).await
    }

    /// Lets a backlog pile up behind the bad ones; how many deliveries are open then.
    async fn pile_up(&mut self) -> anyhow::Result<i64> {
        let (tenants, bad) = (self.size.endpoints.div_ceil(40), self.size.endpoints / 4);
        let each = u64::try_from(self.size.backlog)?.div_ceil(bad) + 20;
        let (tenants, each) = (i32::try_from(tenants)?, i32::try_from(each)?);
        let run = self.runs.to_string();
        self.client.query_one(PUBLISH_BACKLOG, &[&tenants, &each, &run]).await?;
        let begun = Instant::now();
        loop {
            let sql = "SELECT (SELECT count(*) FROM postrider.webhook_events_pending), (SELECT count(*) FROM postrider.webhook_deliveries_open)";
            let row = self.client.query_one(sql, &[]).await?;
            let (pending, open): (i64, i64) = (row.get(0), row.get(1));
            if pending == 0 {
                note(format!(
                    "neighbours: {open} wait after {:.1} s",
                    begun.elapsed().as_secs_f64()
                ));
                return Ok(open);
            }
            if begun.elapsed() > Duration::from_secs(120) {
                bail!("{pending} events of the backlog are not fanned out after two minutes");
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

/// Enough for the samples and for the time.
fn events(size: Size, rate: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some ten thousands"
    )]
    let for_the_time = (rate * size.seconds) as u64;
    for_the_time.max(size.least_samples * 4 / 3 + size.endpoints)
}

fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

async fn add_endpoints(
    installation: &Installation,
    crowd: &Crowd,
    count: u64,
) -> anyhow::Result<()> {
    let connect = Connect::parse(installation.server.url(), "prove", None)?;
    let db = Db::new(&connect, Mode::Direct, 2)?;
    let keys = KeyRing::from_master_keys(&[installation.master_key()])?;
    for number in 0..count {
        let (tenant, event_type) = place(number);
        let mut types = vec![event_type];
        if manner(number) != Manner::Well {
            types.push(BACKLOG.to_owned());
        }
        let endpoint = NewEndpoint {
            id: endpoints::new_id(),
            tenant: &tenant,
            url: &crowd.url(number),
            description: "",
            event_types: &types,
            filter: None,
            headers: &CustomHeaders::default(),
            retry_schedule_ms: None,
            timeout_ms: None,
            max_in_flight: None,
            rate_limit: None,
            capture_responses: false,
            enabled: true,
            metadata: &serde_json::json!({}),
            secret: &SigningSecret::generate(SecretKind::Standard, &[7; 32]),
            settings: RequestSettings::default(),
            order: None,
            batch: None,
        };
        endpoints::create(&db, &keys, &endpoint).await?;
    }
    db.close();
    Ok(())
}
