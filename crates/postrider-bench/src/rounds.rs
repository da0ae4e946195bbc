//! The rounds: every measurement once in each, so that what changes on the machine meanwhile touches all alike.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Run, Section, Sizes};
use crate::backlog::Backlog;
use crate::drain::{After, Drained, Plan, arrive, drain, recorded};
use crate::events::{self, TENANT};
use crate::figures::{FAN_OUT, Figures};
use crate::idle;
use crate::latency;
use crate::limit;
use crate::machine;
use crate::others::Since;
use crate::progress::Progress;
use crate::publish::{Kind, Publishers};
use crate::report::{Machine, Report};
use crate::samples::Samples;
use crate::sink::Sink;
use crate::site::{Database, Site, TEMPLATE};
use crate::storage;
use crate::worker::Worker;

/// How long a worker with a backlog runs on, so that its lanes are as full as they get.
const LINGER: Duration = Duration::from_secs(5);
/// How long each kind of publishing runs once before it counts.
const WARM_UP: Duration = Duration::from_millis(300);

/// Measures everything that was asked for.
pub(crate) async fn measure(run: &Run) -> Result<Report> {
    let load_before = machine::load();
    let site = Site::open(run).await?;
    let measured = tokio::select! {
        measured = Rounds::all(&site, run, load_before) => measured,
        interrupted = interrupted() => interrupted.and_then(|signal| bail!("ended by {signal}")),
    };
    let closed = site.close().await;
    let report = measured?;
    closed?;
    Ok(report)
}

/// Waits for somebody to end the run; the server must not outlive it.
async fn interrupted() -> Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.map(|()| "SIGINT").context("waiting for Ctrl-C"),
        _ = terminate.recv() => Ok("SIGTERM"),
    }
}

struct Rounds<'a> {
    site: &'a Site,
    run: &'a Run,
    sizes: Sizes,
    sink: Sink,
    progress: Progress,
    figures: Figures,
}

impl<'a> Rounds<'a> {
    async fn new(site: &'a Site, run: &'a Run) -> Result<Self> {
        let sizes = run.sizes();
        let times = |section, phases| if run.wants(section) { phases } else { 0 };
        let limits = times(Section::Limit, 1).max(times(Section::Drain, 2));
        let each = limits
            + times(Section::Drain, 2)
            + times(Section::Publish, 1)
            + times(Section::Latency, 1)
            + times(Section::Pinned, 2)
            + times(Section::Backlog, 3);
        let once = times(Section::Backlog, 2) + times(Section::Idle, 1);
        let progress = Progress::new(each * u64::from(sizes.rounds) + once);
        Ok(Self {
            site,
            run,
            sizes,
            sink: Sink::start().await?,
            progress,
            figures: Figures::of(sizes.events),
        })
    }

    async fn all(site: &'a Site, run: &'a Run, load_before: f64) -> Result<Report> {
        site.prepare().await?;
        let machine = machine::facts(site, run, load_before).await?;
        let mut rounds = Self::new(site, run).await?;
        rounds.measure(machine).await
    }

    async fn measure(&mut self, mut machine: Machine) -> Result<Report> {
        let since = Since::now(self.site, &self.sink)?;
        let limits = self.run.wants(Section::Limit) || self.run.wants(Section::Drain);
        if limits {
            let best =
                limit::calibrate(&mut self.sink, self.sizes.requests, &self.progress).await?;
            machine.limit_in_flight = Some(best);
        }
        if self.run.wants(Section::Backlog) {
            for backlog in Backlog::ALL {
                self.progress.say(|| format!("preparing a backlog {}", backlog.what()));
                backlog.prepare(self.site, &self.sink, self.sizes.backlog).await?;
                self.progress.step();
            }
        }
        for round in 0..self.sizes.rounds {
            self.round(round, machine.limit_in_flight).await?;
        }
        if self.run.wants(Section::Idle) {
            self.idle().await?;
        }
        machine.others_percent = since.others_percent(self.site, &self.sink)?;
        let limit = self.figures.limit.median();
        let void = (limits && limit < limit::FLOOR).then(|| {
            format!("the bare loop reached {limit:.0}/s, less than {:.0}/s", limit::FLOOR)
        });
        Ok(Report { machine, void, rows: self.figures.rows() })
    }

    async fn round(&mut self, round: u32, in_flight: Option<usize>) -> Result<()> {
        if let Some(in_flight) = in_flight {
            let mut bare = Samples::default();
            bare.push(self.limit(in_flight).await?);
            if self.run.wants(Section::Drain) {
                let drained = self.drain(1).await?;
                self.figures.drain_1.push(drained);
                let drained = self.drain(FAN_OUT).await?;
                self.figures.drain_5.push(drained);
                // Before and after what is compared with it.
                bare.push(self.limit(in_flight).await?);
            }
            self.figures.limit.push(bare.median());
        }
        if self.run.wants(Section::Publish) {
            self.publish(round).await?;
        }
        if self.run.wants(Section::Latency) {
            self.latency().await?;
        }
        if self.run.wants(Section::Pinned) {
            // Every second round the other way about, so that neither always comes second.
            let first = !round.is_multiple_of(2);
            for pinned in [first, !first] {
                let drained = self.after_history(pinned).await?;
                self.figures.history(pinned).push(drained.rate);
            }
        }
        if self.run.wants(Section::Backlog) {
            let (empty, _) = self.drain(1).await?;
            self.figures.backlog_empty.push(empty.rate);
            for (index, backlog) in Backlog::ALL.into_iter().enumerate() {
                let drained = self.backlog(backlog).await?;
                self.figures.backlog[index].push(drained);
            }
        }
        Ok(())
    }

    async fn limit(&mut self, in_flight: usize) -> Result<f64> {
        self.progress.say(|| "limit".to_owned());
        let rate = limit::measure(&mut self.sink, in_flight, self.sizes.requests).await?;
        self.progress.step();
        Ok(rate)
    }

    async fn drain(&mut self, fan_out: u32) -> Result<(Drained, storage::Growth)> {
        let name = format!("drain, fan-out {fan_out}");
        self.progress.say(|| format!("{name}: publishing"));
        let database = self.with_endpoints(fan_out).await?;
        let mut client = database.connect.client().await?;
        let deliveries = self.sizes.events * u64::from(fan_out);
        let plan = Plan { name: &name, tenant: TENANT, deliveries, after: After::Stop };
        let mut rooms = [storage::room(&client).await?, 0.0, 0.0];
        let mut first = None;
        for room in &mut rooms[1..] {
            events::publish(&mut client, TENANT, self.sizes.events).await?;
            let drained =
                drain(self.site, &mut self.sink, &database, &plan, &self.progress).await?;
            first.get_or_insert(drained);
            *room = storage::room(&client).await?;
        }
        self.end(database).await?;
        let growth = storage::Growth { first: rooms[1] - rooms[0], again: rooms[2] - rooms[1] };
        Ok((first.context("nothing was drained")?, growth))
    }

    async fn publish(&mut self, round: u32) -> Result<()> {
        let database = self.site.database(TEMPLATE).await?;
        let client = database.connect.client().await?;
        let publishers = Publishers::connect(&database).await?;
        let mut worker = Worker::start_and_settle(self.site, &database).await?;
        // Every second round backwards, so that no kind always comes behind the same one.
        let mut kinds = Kind::ALL.to_vec();
        if !round.is_multiple_of(2) {
            kinds.reverse();
        }
        for kind in &kinds {
            publishers.measure(self.site, *kind, WARM_UP).await?;
        }
        for kind in kinds {
            self.progress.say(|| format!("publish: {kind:?}"));
            recorded(&client, TENANT, &mut worker).await?;
            client.batch_execute("CHECKPOINT").await?;
            let published = publishers.measure(self.site, kind, self.sizes.publish).await?;
            self.figures.publish(kind).push(published);
        }
        worker.stop().await?;
        client.batch_execute("CHECKPOINT").await?;
        let alone = publishers.measure(self.site, Kind::Publish, self.sizes.publish).await?;
        self.figures.publish_alone.push(alone);
        self.end(database).await
    }

    async fn latency(&mut self) -> Result<()> {
        let database = self.with_endpoints(1).await?;
        let mut worker = Worker::start_and_settle(self.site, &database).await?;
        let span = self.sizes.latency;
        let measured =
            latency::measure(&mut self.sink, &mut worker, &database, span, &self.progress).await?;
        self.figures.latency.push(measured);
        worker.stop().await?;
        self.end(database).await
    }

    /// Drains after a worker has delivered many events before, with or without an old snapshot held open all the time.
    async fn after_history(&mut self, pinned: bool) -> Result<Drained> {
        let name = if pinned { "pinned: an old snapshot" } else { "pinned: without" };
        self.progress.say(|| format!("{name}: history"));
        let database = self.with_endpoints(1).await?;
        let mut client = database.connect.client().await?;
        let holder = database.connect.client().await?;
        if pinned {
            let hold = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM postrider.webhook_endpoints";
            holder.batch_execute(hold).await?;
        }
        self.sink.reset(false).await?;
        let mut worker = Worker::start_and_settle(self.site, &database).await?;
        events::publish(&mut client, TENANT, self.sizes.history).await?;
        arrive(&mut self.sink, &mut worker, self.sizes.history, name, &self.progress).await?;
        recorded(&client, TENANT, &mut worker).await?;
        worker.stop().await?;
        events::publish(&mut client, TENANT, self.sizes.events).await?;
        let plan = Plan { name, tenant: TENANT, deliveries: self.sizes.events, after: After::Stop };
        let drained = drain(self.site, &mut self.sink, &database, &plan, &self.progress).await?;
        drop(holder);
        self.end(database).await?;
        Ok(drained)
    }

    async fn backlog(&mut self, backlog: Backlog) -> Result<Drained> {
        let name = format!("backlog {}", backlog.what());
        self.progress.say(|| format!("{name}: publishing"));
        let database = self.site.database(backlog.template()).await?;
        events::publish(&mut database.connect.client().await?, TENANT, self.sizes.events).await?;
        let plan = Plan {
            name: &name,
            tenant: TENANT,
            deliveries: self.sizes.events,
            after: After::Linger(LINGER),
        };
        let drained = drain(self.site, &mut self.sink, &database, &plan, &self.progress).await?;
        self.end(database).await?;
        Ok(drained)
    }

    async fn idle(&mut self) -> Result<()> {
        let database = self.with_endpoints(1).await?;
        self.sink.reset(false).await?;
        let mut worker = Worker::start_and_settle(self.site, &database).await?;
        events::publish(&mut database.connect.client().await?, TENANT, 1).await?;
        arrive(&mut self.sink, &mut worker, 1, "idle", &self.progress).await?;
        let (settle, span) = (self.sizes.settle, self.sizes.idle);
        self.figures.idle =
            Some(idle::measure(self.site, &mut worker, settle, span, &self.progress).await?);
        worker.stop().await?;
        self.end(database).await
    }

    async fn with_endpoints(&self, count: u32) -> Result<Database> {
        let database = self.site.database(TEMPLATE).await?;
        self.site.add_endpoints(&database, TENANT, count, &self.sink.url("/hook")).await?;
        Ok(database)
    }

    async fn end(&self, database: Database) -> Result<()> {
        self.site.discard(database).await?;
        self.progress.step();
        Ok(())
    }
}
