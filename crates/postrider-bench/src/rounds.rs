//! The rounds: every measurement once in each, so that what changes on the machine meanwhile touches all alike.

use anyhow::Result;

use crate::args::{Run, Section, Sizes};
use crate::drain::{Drained, drain};
use crate::events::{self, TENANT};
use crate::limit;
use crate::machine;
use crate::progress::Progress;
use crate::report::{Machine, Report, Row, Target, Unit};
use crate::samples::Samples;
use crate::sink::Sink;
use crate::site::{Site, TEMPLATE};

/// Deliveries of one event in the second drain.
const FAN_OUT: u32 = 5;

/// Measures everything that was asked for.
pub(crate) async fn measure(run: &Run) -> Result<Report> {
    let load_before = machine::load();
    let site = Site::open(run).await?;
    let facts = machine::facts(&site, run, load_before).await?;
    let measured = Rounds::new(&site, run).await?.all(facts).await;
    let closed = site.close().await;
    let report = measured?;
    closed?;
    Ok(report)
}

struct Rounds<'a> {
    site: &'a Site,
    run: &'a Run,
    sizes: Sizes,
    sink: Sink,
    progress: Progress,
    figures: Figures,
}

/// What was measured so far.
#[derive(Default)]
struct Figures {
    limit: Samples,
    drain_1: Vec<Drained>,
    drain_5: Vec<Drained>,
}

impl<'a> Rounds<'a> {
    async fn new(site: &'a Site, run: &'a Run) -> Result<Self> {
        let sizes = run.sizes();
        let phases = u64::from(sizes.rounds) * 4;
        Ok(Self {
            site,
            run,
            sizes,
            sink: Sink::start().await?,
            progress: Progress::new(phases),
            figures: Figures::default(),
        })
    }

    async fn all(mut self, mut machine: Machine) -> Result<Report> {
        let limits = self.run.wants(Section::Limit) || self.run.wants(Section::Drain);
        let in_flight = match limits {
            true => {
                Some(limit::calibrate(&mut self.sink, self.sizes.requests, &self.progress).await?)
            }
            false => None,
        };
        machine.limit_in_flight = in_flight;
        for _ in 0..self.sizes.rounds {
            let mut bare = Samples::default();
            if let Some(in_flight) = in_flight {
                bare.push(self.limit(in_flight).await?);
            }
            if self.run.wants(Section::Drain) {
                let drained = self.drain(1).await?;
                self.figures.drain_1.push(drained);
                let drained = self.drain(FAN_OUT).await?;
                self.figures.drain_5.push(drained);
            }
            if let Some(in_flight) = in_flight {
                bare.push(self.limit(in_flight).await?);
                // Before and after what is compared with it.
                self.figures.limit.push(bare.median());
            }
        }
        let limit = self.figures.limit.median();
        let void = (limits && limit < limit::FLOOR).then(|| {
            format!("the bare loop reached {limit:.0}/s, less than {:.0}/s", limit::FLOOR)
        });
        Ok(Report { machine, void, rows: self.figures.rows() })
    }

    async fn limit(&mut self, in_flight: usize) -> Result<f64> {
        self.progress.say(|| "limit".to_owned());
        let rate = limit::measure(&mut self.sink, in_flight, self.sizes.requests).await?;
        self.progress.step();
        Ok(rate)
    }

    async fn drain(&mut self, fan_out: u32) -> Result<Drained> {
        let name = format!("drain, fan-out {fan_out}");
        self.progress.say(|| format!("{name}: publishing"));
        let database = self.site.database(TEMPLATE).await?;
        self.site.add_endpoints(&database, TENANT, fan_out, &self.sink.url("/hook")).await?;
        events::publish(&mut database.connect.client().await?, TENANT, self.sizes.events).await?;
        let owed = self.sizes.events * u64::from(fan_out);
        let drained =
            drain(self.site, &mut self.sink, &database, TENANT, owed, &name, &self.progress)
                .await?;
        self.site.discard(database).await?;
        self.progress.step();
        Ok(drained)
    }
}

impl Figures {
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        if !self.limit.is_empty() {
            rows.push(
                Row::new("limit", "limit: bare POST loop", Unit::PerSecond, self.limit.clone())
                    .target(Target::AtLeast(limit::FLOOR)),
            );
        }
        for (names, fan_out, drained, least) in [
            (
                ["drain.1", "drain.1.whole", "drain.1.worker_cpu", "drain.1.server_cpu"],
                1,
                &self.drain_1,
                0.5,
            ),
            (
                ["drain.5", "drain.5.whole", "drain.5.worker_cpu", "drain.5.server_cpu"],
                FAN_OUT,
                &self.drain_5,
                0.6,
            ),
        ] {
            if drained.is_empty() {
                continue;
            }
            let of = |figure: fn(&Drained) -> f64| drained.iter().map(figure).collect::<Samples>();
            let [rate, whole, worker_cpu, server_cpu] = names;
            let what = format!("drain, fan-out {fan_out}");
            rows.push(
                Row::new(
                    rate,
                    format!("{what}: first to last arrival"),
                    Unit::PerSecond,
                    of(|d| d.rate),
                )
                .beside("limit", &self.limit)
                .target(Target::AtLeast(least)),
            );
            rows.push(
                Row::new(
                    whole,
                    format!("{what}: start to all recorded"),
                    Unit::PerSecond,
                    of(|d| d.whole),
                )
                .beside("limit", &self.limit),
            );
            rows.push(Row::new(
                worker_cpu,
                format!("{what}: worker's CPU for one"),
                Unit::Microseconds,
                of(|d| d.worker_cpu),
            ));
            rows.push(Row::new(
                server_cpu,
                format!("{what}: PostgreSQL's CPU for one"),
                Unit::Microseconds,
                of(|d| d.server_cpu),
            ));
        }
        rows
    }
}
