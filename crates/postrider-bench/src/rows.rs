//! The rows of the report, with the targets of the design, made of the figures of all rounds.

use crate::drain::Drained;
use crate::figures::{FAN_OUT, Figures};
use crate::latency::Latencies;
use crate::limit;
use crate::publish::{CLIENTS, Kind, Published};
use crate::report::{Row, Target, Unit};
use crate::samples::Samples;
use crate::storage::Growth;

const MIB: f64 = 1024.0 * 1024.0;

impl Figures {
    /// All rows that there are figures for.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        if !self.limit.is_empty() {
            let row =
                Row::new("limit", "limit: bare POST loop", Unit::PerSecond, self.limit.clone());
            rows.push(row.target(Target::AtLeast(limit::FLOOR)));
        }
        let names = ["drain.1", "drain.1.whole", "drain.1.worker_cpu", "drain.1.server_cpu"];
        self.drained(&mut rows, names, 1, &self.drain_1, 0.5);
        let names = ["drain.5", "drain.5.whole", "drain.5.worker_cpu", "drain.5.server_cpu"];
        self.drained(&mut rows, names, FAN_OUT, &self.drain_5, 0.6);
        self.stored(&mut rows);
        self.published(&mut rows);
        self.late(&mut rows);
        self.beside_others(&mut rows);
        self.idled(&mut rows);
        rows
    }

    fn drained(
        &self,
        rows: &mut Vec<Row>,
        names: [&'static str; 4],
        fan_out: u32,
        drained: &[(Drained, Growth)],
        least: f64,
    ) {
        if drained.is_empty() {
            return;
        }
        let of = |figure: fn(&Drained) -> f64| {
            drained.iter().map(|(drained, _)| figure(drained)).collect()
        };
        let row = |name, what: &str, unit, figures: Samples| {
            Row::new(name, format!("drain, fan-out {fan_out}: {what}"), unit, figures)
        };
        let rate = row(names[0], "first to last arrival", Unit::PerSecond, of(|d| d.rate));
        rows.push(rate.beside("limit", &self.limit).target(Target::AtLeast(least)));
        let whole = row(names[1], "start to all recorded", Unit::PerSecond, of(|d| d.whole));
        rows.push(whole.beside("limit", &self.limit));
        rows.push(row(names[2], "worker's CPU for each", Unit::Microseconds, of(|d| d.worker_cpu)));
        rows.push(row(
            names[3],
            "PostgreSQL's CPU for each",
            Unit::Microseconds,
            of(|d| d.server_cpu),
        ));
    }

    fn stored(&self, rows: &mut Vec<Row>) {
        if self.drain_1.is_empty() {
            return;
        }
        let events = self.events as f64;
        let event = |figure: fn(&Growth) -> f64| -> Samples {
            self.drain_1.iter().map(|(_, growth)| figure(growth) / events).collect()
        };
        let further = |figure: fn(&Growth) -> f64| -> Samples {
            let pairs = self.drain_1.iter().zip(&self.drain_5);
            pairs
                .map(|((_, one), (_, five))| {
                    (figure(five) - figure(one)) / (events * f64::from(FAN_OUT - 1))
                })
                .collect()
        };
        let row = |name, what: &str, figures| Row::new(name, what, Unit::Bytes, figures);
        let (event_again, event_first) = (event(|g| g.again), event(|g| g.first));
        rows.push(
            row("bytes.event", "room for an event and its delivery", event_again)
                .target(Target::AtMost(1200.0)),
        );
        rows.push(row("bytes.event.first", "… in a new database, with its queues", event_first));
        let (further_again, further_first) = (further(|g| g.again), further(|g| g.first));
        rows.push(
            row("bytes.delivery", "room for each further delivery", further_again)
                .target(Target::AtMost(350.0)),
        );
        rows.push(row(
            "bytes.delivery.first",
            "… in a new database, with its queues",
            further_first,
        ));
    }

    fn published(&self, rows: &mut Vec<Row>) {
        if self.publish_alone.is_empty() {
            return;
        }
        let of = |published: &[Published], figure: fn(&Published) -> f64| -> Samples {
            published.iter().map(figure).collect()
        };
        let rates = |kind: Kind| of(&self.publish[kind as usize], |published| published.rate);
        let row = |name, what: &str, kind, beside: &str, other| {
            let what = format!("publish, {CLIENTS} clients: {what}");
            Row::new(name, what, Unit::PerSecond, rates(kind)).beside(beside, &rates(other))
        };
        let (plain, notify) = (Target::AtLeast(0.75), Target::AtLeast(2.5));
        let what = "publish_v1, autocommit";
        rows.push(row("publish.insert", what, Kind::Publish, "INSERT", Kind::Insert).target(plain));
        rows.push(
            row("publish.notify", what, Kind::Publish, "INSERT + notify", Kind::InsertNotify)
                .target(notify),
        );
        let what = "publish_tx in a transaction";
        rows.push(
            row(
                "publish_tx.insert",
                what,
                Kind::PublishTx,
                "BEGIN, INSERT, COMMIT",
                Kind::InsertTx,
            )
            .target(plain),
        );
        let beside = "BEGIN, INSERT + notify, COMMIT";
        rows.push(
            row("publish_tx.notify", what, Kind::PublishTx, beside, Kind::InsertNotifyTx)
                .target(notify),
        );
        let alone = of(&self.publish_alone, |published| published.rate);
        let row =
            Row::new("publish.alone", "… publish_v1 while no worker runs", Unit::PerSecond, alone);
        rows.push(row.beside("INSERT", &rates(Kind::Insert)));
        let alone = of(&self.publish_alone, |published| published.server_cpu);
        let row = Row::new(
            "publish.server_cpu",
            "… PostgreSQL's CPU for each, then",
            Unit::Microseconds,
            alone,
        );
        rows.push(row.beside(
            "INSERT",
            &of(&self.publish[Kind::Insert as usize], |published| published.server_cpu),
        ));
    }

    fn late(&self, rows: &mut Vec<Row>) {
        if self.latency.is_empty() {
            return;
        }
        let of = |figure: fn(&Latencies) -> f64| -> Samples {
            self.latency.iter().map(figure).collect()
        };
        let row = |name, what: &str, figures| Row::new(name, what, Unit::Milliseconds, figures);
        rows.push(
            row("latency.p50", "latency, 50/s: COMMIT sent to arrival, p50", of(|l| l.sent.p50))
                .target(Target::AtMost(2.0)),
        );
        rows.push(row("latency.p99", "… p99", of(|l| l.sent.p99)).target(Target::AtMost(5.0)));
        rows.push(row("latency.max", "… maximum", of(|l| l.sent.max)));
        rows.push(row(
            "latency.answered.p50",
            "latency, 50/s: COMMIT answered to arrival, p50",
            of(|l| l.answered.p50),
        ));
        rows.push(row("latency.answered.p99", "… p99", of(|l| l.answered.p99)));
        rows.push(row("latency.answered.max", "… maximum", of(|l| l.answered.max)));
    }

    fn beside_others(&self, rows: &mut Vec<Row>) {
        if !self.history_pinned.is_empty() {
            let row = Row::new(
                "pinned",
                "drain while an old snapshot is held",
                Unit::PerSecond,
                self.history_pinned.clone(),
            );
            rows.push(row.beside("without it", &self.history_free).target(Target::AtLeast(0.8)));
        }
        let names = [
            ("backlog.future", "backlog.future.memory"),
            ("backlog.hanging", "backlog.hanging.memory"),
        ];
        let whats = ["due later on 100 endpoints", "due now behind one that hangs"];
        for ((drained, (name, memory)), what) in self.backlog.iter().zip(names).zip(whats) {
            if drained.is_empty() {
                continue;
            }
            let rate = drained.iter().map(|drained| drained.rate).collect();
            let row =
                Row::new(name, format!("drain beside a backlog {what}"), Unit::PerSecond, rate);
            rows.push(
                row.beside("empty database", &self.backlog_empty).target(Target::AtLeast(0.8)),
            );
            let peak = drained.iter().map(|drained| drained.peak_memory as f64 / MIB).collect();
            rows.push(
                Row::new(memory, "… worker's peak memory", Unit::Mebibytes, peak)
                    .target(Target::AtMost(200.0)),
            );
        }
    }

    fn idled(&self, rows: &mut Vec<Row>) {
        let Some(idle) = self.idle else { return };
        let row = |name, what: &str, figure| {
            Row::new(name, what, Unit::PercentOfACore, [figure].into_iter().collect())
        };
        rows.push(
            row("idle", "idle: worker and PostgreSQL", idle.worker + idle.server)
                .target(Target::AtMost(1.0)),
        );
        rows.push(row("idle.worker", "… worker", idle.worker));
        rows.push(row("idle.server", "… PostgreSQL", idle.server));
    }
}
