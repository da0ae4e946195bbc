//! Publishers of one tenant at the same time. Most commit at once, some keep their transaction open for a while, some take it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::kit::{Dice, Installation};

const PUBLISHERS: u32 = 8;
const LIMIT: Duration = Duration::from_secs(60);
const PUBLISH: &str = "SELECT postrider.publish_v1($1, $2, 'email.sent', '{\"n\":1}', NULL, NULL, NULL, NULL, NULL, true)";

/// What they have done.
#[derive(Debug, Default)]
pub(super) struct Tally {
    committed: AtomicU64,
    late: AtomicU64,
    rolled_back: AtomicU64,
    running: AtomicU64,
    stop: AtomicBool,
}

/// The figures of it.
pub(super) struct Told {
    pub(super) late: u64,
    pub(super) rolled_back: u64,
}

pub(super) struct Crowd {
    tally: Arc<Tally>,
    publishers: JoinSet<anyhow::Result<()>>,
}

impl Crowd {
    pub(super) async fn start(
        installation: &Installation,
        tenant: &str,
        run: u32,
    ) -> anyhow::Result<Self> {
        let (tally, mut publishers) = (Arc::new(Tally::default()), JoinSet::new());
        for number in 0..PUBLISHERS {
            let client = installation.client().await?;
            let (tally, tenant) = (Arc::clone(&tally), tenant.to_owned());
            let dice = Dice::new(u64::from(run * PUBLISHERS + number) + 1);
            tally.running.fetch_add(1, Ordering::SeqCst);
            publishers.spawn(async move {
                let ended = publish(&client, &tally, &tenant, number, dice).await;
                tally.running.fetch_sub(1, Ordering::SeqCst);
                ended
            });
        }
        Ok(Self { tally, publishers })
    }

    /// Waits until so many events are committed.
    pub(super) async fn until(&self, events: u64) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.tally.committed.load(Ordering::SeqCst) < events {
            if begun.elapsed() > LIMIT || self.is_over() {
                bail!("the publishers do not come to {events} events");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Asks them to end what they are at.
    pub(super) fn stop(&self) {
        self.tally.stop.store(true, Ordering::SeqCst);
    }

    /// Whether all of them have ended.
    pub(super) fn is_over(&self) -> bool {
        self.tally.running.load(Ordering::SeqCst) == 0
    }

    pub(super) async fn end(mut self) -> anyhow::Result<Told> {
        while let Some(ended) = self.publishers.join_next().await {
            ended??;
        }
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Ok(Told { late: read(&self.tally.late), rolled_back: read(&self.tally.rolled_back) })
    }
}

async fn publish(
    client: &Client,
    tally: &Tally,
    tenant: &str,
    number: u32,
    mut dice: Dice,
) -> anyhow::Result<()> {
    for n in 0.. {
        if tally.stop.load(Ordering::SeqCst) {
            break;
        }
        let id = format!("evt-{number}-{n}");
        client.batch_execute("BEGIN").await?;
        client.query_one(PUBLISH, &[&tenant, &id]).await?;
        let (manner, late) = (dice.below(10), dice.below(5) == 0);
        if late {
            tokio::time::sleep(Duration::from_millis(10 + dice.below(490))).await;
        }
        if manner == 0 {
            client.batch_execute("ROLLBACK").await?;
            tally.rolled_back.fetch_add(1, Ordering::SeqCst);
        } else {
            client.batch_execute("COMMIT").await?;
            tally.committed.fetch_add(1, Ordering::SeqCst);
            tally.late.fetch_add(u64::from(late), Ordering::SeqCst);
        }
        tokio::time::sleep(Duration::from_millis(dice.below(10))).await;
    }
    Ok(())
}
