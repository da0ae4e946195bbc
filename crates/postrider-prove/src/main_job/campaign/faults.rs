//! The faults of a campaign: which, in which order, and how each strikes.

use std::time::{Duration, Instant};

use anyhow::bail;
use postrider_testkit::monotonic_ns;

use super::ground_truth::{Owed, leased};
use super::{Campaign, LATENCY, Plan};
use crate::kit::{Dice, note};

/// So many requests in flight make a crowd.
pub(crate) const CROWD: u64 = 50;
/// How long answers are held back to gather one.
const HOLD: Duration = Duration::from_secs(3);
/// So many are gathered, as some may be answered before the kill.
const GATHERED: u64 = CROWD + 10;
const CROWD_LIMIT: Duration = Duration::from_secs(20);
/// How long a dead worker's leases are watched.
const RECOVERY_LIMIT: Duration = Duration::from_secs(30);
/// After a kill, what its sessions had sent may still commit for a moment.
const LAST_COMMITS: Duration = Duration::from_millis(300);

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    KillWorker { crowd: bool },
    KillServer,
    TerminateSessions,
}

/// A fault that has struck.
#[derive(Debug)]
pub(crate) struct Struck {
    pub(crate) kind: &'static str,
    pub(super) from: u64,
    pub(super) until: u64,
    /// Requests open at the receiver at that moment.
    pub(crate) in_flight: u64,
    pub(super) leased: Vec<Owed>,
    /// After a kill: how long until all leases of the dead worker were due again.
    pub(crate) recovery: Option<Duration>,
}

impl Struck {
    /// How many deliveries belonged to who was struck.
    pub(crate) fn leases(&self) -> usize {
        self.leased.len()
    }
}

impl Fault {
    /// All faults of a plan, in random order.
    pub(super) fn schedule(plan: &Plan, dice: &mut Dice) -> Vec<Fault> {
        let kills = (0..plan.kills).map(|n| Fault::KillWorker { crowd: n < plan.crowded });
        let mut faults: Vec<Fault> = kills.collect();
        faults.extend(vec![Fault::KillServer; plan.server_kills]);
        faults.extend(vec![Fault::TerminateSessions; plan.terminations]);
        dice.shuffle(&mut faults);
        faults
    }

    /// About how long they take together.
    pub(super) fn time(faults: &[Fault]) -> Duration {
        let seconds = |fault: &Fault| match fault {
            Fault::KillWorker { crowd: true } => 8,
            Fault::KillWorker { crowd: false } | Fault::KillServer => 6,
            Fault::TerminateSessions => 3,
        };
        Duration::from_secs(faults.iter().map(seconds).sum::<u64>() + 5)
    }
}

impl Campaign {
    /// Waits a moment, then lets a fault strike, and waits until the worst of it is over.
    pub(super) async fn strike(&mut self, fault: Fault) -> anyhow::Result<()> {
        let moment = Duration::from_millis(300 + self.dice.below(1_500));
        tokio::time::sleep(moment).await;
        let struck = match fault {
            Fault::KillWorker { crowd } => self.kill_worker(crowd).await?,
            Fault::KillServer => self.kill_server().await?,
            Fault::TerminateSessions => self.terminate_sessions().await?,
        };
        self.struck.push(struck);
        Ok(())
    }

    async fn kill_worker(&mut self, crowd: bool) -> anyhow::Result<Struck> {
        let victim = self.dice.below(self.workers.len().try_into()?);
        let victim = self.workers.swap_remove(victim.try_into()?);
        if crowd {
            self.sink.hold(HOLD).await?;
            let open = self.sink.crowded(GATHERED, CROWD_LIMIT).await?;
            if open < CROWD {
                note(format!("only {open} requests gathered"));
            }
        }
        let incarnations = victim.incarnations(&self.client).await?;
        let in_flight = self.sink.state().await?.open;
        let (from, begun) = (monotonic_ns(), Instant::now());
        victim.kill().await?;
        self.sink.hold(LATENCY).await?;
        let successor = self.installation.start_worker(&[])?;
        tokio::time::sleep(LAST_COMMITS).await;
        let leased = leased(&self.client, Some(&incarnations)).await?;
        let until = monotonic_ns();
        let recovery = self.recovered(&incarnations, begun).await?;
        successor.wait_until_registered(&self.client).await?;
        self.workers.push(successor);
        Ok(Struck { kind: "kill_worker", from, until, in_flight, leased, recovery: Some(recovery) })
    }

    /// How long it took from `begun` until no lease of these incarnations lay in the future.
    async fn recovered(&self, dead: &[i64], begun: Instant) -> anyhow::Result<Duration> {
        let sql = "SELECT count(*) FROM postrider.webhook_deliveries_open
                   WHERE lease_owner = ANY ($1) AND next_attempt_at > clock_timestamp()";
        loop {
            let left: i64 = self.client.query_one(sql, &[&dead]).await?.get(0);
            if left == 0 {
                return Ok(begun.elapsed());
            }
            if begun.elapsed() > RECOVERY_LIMIT {
                bail!("{left} leases of a dead worker are not due after {RECOVERY_LIMIT:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn kill_server(&mut self) -> anyhow::Result<Struck> {
        let in_flight = self.sink.state().await?.open;
        let from = monotonic_ns();
        self.installation.server.crash().await?;
        tokio::time::sleep(Duration::from_millis(self.dice.below(1_000))).await;
        self.installation.server.up().await?;
        self.client = self.installation.client().await?;
        let leased = leased(&self.client, None).await?;
        let until = monotonic_ns();
        Ok(Struck { kind: "kill_postgres", from, until, in_flight, leased, recovery: None })
    }

    /// Terminates every session but ours: workers' and publishers'.
    async fn terminate_sessions(&mut self) -> anyhow::Result<Struck> {
        let in_flight = self.sink.state().await?.open;
        let mut before = leased(&self.client, None).await?;
        let from = monotonic_ns();
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        self.client.query(sql, &[]).await?;
        tokio::time::sleep(LAST_COMMITS).await;
        before.extend(leased(&self.client, None).await?);
        let until = monotonic_ns();
        Ok(Struck {
            kind: "terminate_backends",
            from,
            until,
            in_flight,
            leased: before,
            recovery: None,
        })
    }
}
