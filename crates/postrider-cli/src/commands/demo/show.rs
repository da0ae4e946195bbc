//! What the demo tells, step by step, and whether it went as promised.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use postrider_examples::intake::{Ending, Intaken, Outcome, intake};
use postrider_examples::samples;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::stage::Stage;
use crate::commands::Ended;
use crate::exit::{Exit, Failure, with_causes};
use crate::output::{Output, safe};
use crate::sink::{Arrival, Signature};

/// How long to listen for what must not come.
const SILENCE: Duration = Duration::from_millis(500);

/// A message whose transaction is rolled back. No other one is like it, so its arrival could not be overlooked.
const ROLLED_BACK: &[u8] = b"From: Nobody <nobody@example.com>\r\nTo: demo@example.com\r\nSubject: This was never received\r\n\
    Message-ID: <rolled-back@demo.example>\r\n\r\nIts transaction is rolled back.\r\n";

/// The teller.
pub(crate) struct Show {
    out: Output,
    begun: Instant,
    step: u32,
    /// Events that were committed: each has to arrive once.
    promised: HashSet<String>,
    /// Events that were not: none may arrive.
    forbidden: HashSet<String>,
    /// Subjects by event, for the telling.
    subjects: HashMap<String, String>,
    accepted: HashSet<String>,
    failed: usize,
    duplicates: usize,
    log: Vec<Value>,
}

impl Show {
    pub(crate) fn new(out: Output) -> Self {
        Self {
            out,
            begun: Instant::now(),
            step: 0,
            promised: HashSet::new(),
            forbidden: HashSet::new(),
            subjects: HashMap::new(),
            accepted: HashSet::new(),
            failed: 0,
            duplicates: 0,
            log: Vec::new(),
        }
    }

    /// What was set up.
    pub(crate) fn setting(&mut self, stage: &Stage) {
        let migrated = match stage.migrated.len() {
            0 => "up to date before".to_owned(),
            n => format!("{n} migrations"),
        };
        self.tell(
            "migrated",
            &format!("{migrated}; database ready in {} ms", stage.migrated_in.as_millis()),
        );
        let endpoint = format!(
            "{} -> {}  tenant {}, types email.*",
            stage.endpoint, stage.sink_url, stage.tenant
        );
        self.tell("endpoint added", &endpoint);
    }

    /// A transaction that stores and publishes, and then is rolled back.
    pub(crate) async fn rolled_back(&mut self, stage: &mut Stage) -> Result<(), Failure> {
        let taken = take(stage, ROLLED_BACK, Ending::RollBack).await?;
        self.tell(
            "rolled back",
            &format!("BEGIN; store a mail; publish email.received; ROLLBACK  {}", taken.event_id),
        );
        self.forbidden.insert(taken.event_id);
        Ok(())
    }

    /// Twenty mails, each stored and published in one transaction; one of them comes twice.
    pub(crate) async fn mails(&mut self, stage: &mut Stage) -> Result<(), Failure> {
        for (name, raw) in samples() {
            let taken = take(stage, raw, Ending::Commit).await?;
            let subject = safe(taken.mail.subject.as_deref().unwrap_or("(no subject)"), 40);
            match taken.outcome {
                Outcome::Published => {
                    self.tell("committed", &format!("{name:<28} {}  {subject}", taken.event_id));
                    self.subjects.insert(taken.event_id.clone(), subject);
                    self.promised.insert(taken.event_id);
                }
                Outcome::Duplicate => {
                    self.duplicates += 1;
                    self.tell(
                        "came twice",
                        &format!(
                            "{name:<28} {}  the same message, the same event: nothing new",
                            taken.event_id
                        ),
                    );
                }
                other => {
                    return Err(Failure::new(
                        Exit::Negative,
                        format!("the mail {name} ended as {}", other.as_str()),
                    ));
                }
            }
            while let Some(arrival) = stage.sink.try_arrival() {
                self.arrived(&arrival)?;
            }
        }
        Ok(())
    }

    /// Tells of each arrival until all have come, then listens for what must not come.
    pub(crate) async fn arrivals(&mut self, stage: &mut Stage, limit: Duration) -> Ended {
        let deadline = Instant::now() + limit;
        while self.accepted.len() < self.promised.len() {
            let arrival = tokio::select! {
                arrival = stage.sink.arrival() => arrival,
                failure = stage.daemon.lost() => return Err(failure),
                () = tokio::time::sleep_until(deadline) => {
                    return Err(Failure::new(Exit::TryLater, format!("only {} of {} events arrived", self.accepted.len(), self.promised.len()))
                        .why(format!("within {limit:?}")));
                }
            };
            self.arrived(&arrival)?;
        }
        let quiet = Instant::now() + SILENCE;
        while let Ok(arrival) = tokio::time::timeout_at(quiet, stage.sink.arrival()).await {
            self.arrived(&arrival)?;
        }
        self.conclude()
    }

    /// Goes on telling until somebody interrupts.
    pub(crate) async fn stay(&mut self, stage: &mut Stage) {
        let publish = format!(
            "SELECT * FROM postrider.publish('email.sent', tenant => '{}', data => '{{\"to\":\"you\"}}')",
            stage.tenant
        );
        self.out.note(&format!("\nThe daemon stays up until Ctrl-C. Publish something and see it arrive:\n  psql \"{}\" -c \"{publish}\"", stage.url));
        loop {
            tokio::select! {
                arrival = stage.sink.arrival() => self.tell_arrival(&arrival),
                failure = stage.daemon.lost() => return self.out.failure(&failure),
            }
        }
    }

    /// How the demo ends when it is interrupted: well, if everything had arrived.
    pub(crate) fn interrupted(&self) -> Exit {
        let complete = !self.promised.is_empty() && self.accepted.len() == self.promised.len();
        if complete { Exit::Done } else { Exit::Interrupted }
    }

    fn arrived(&mut self, arrival: &Arrival) -> Result<(), Failure> {
        self.tell_arrival(arrival);
        let id = &arrival.event_id;
        if self.forbidden.contains(id) {
            return Err(Failure::new(
                Exit::Negative,
                format!("{id} arrived, and its transaction was rolled back"),
            ));
        }
        if !self.promised.contains(id) {
            return Err(Failure::new(
                Exit::Negative,
                format!("{id} arrived, and nobody published it"),
            ));
        }
        if let Signature::Refused(why) = &arrival.signature {
            return Err(Failure::new(Exit::Negative, format!("the signature of {id} was refused"))
                .why(why.clone()));
        }
        if !arrival.answer.is_some_and(|status| status.is_success()) {
            self.failed += 1;
        } else if !self.accepted.insert(id.clone()) {
            return Err(Failure::new(
                Exit::Negative,
                format!("{id} arrived twice, and was accepted the first time"),
            ));
        }
        Ok(())
    }

    fn tell_arrival(&mut self, arrival: &Arrival) {
        let status = arrival.answer.map_or(0, |status| status.as_u16());
        let verified = match &arrival.signature {
            Signature::Verified => "signature verified".to_owned(),
            Signature::Unchecked => "signature unchecked".to_owned(),
            Signature::Refused(why) => format!("signature refused: {why}"),
        };
        let note = match (status, arrival.attempt.as_str()) {
            (503, _) => "  503 on purpose; it is tried again in a second",
            (_, "1" | "") => "",
            _ => "  the retry",
        };
        let subject = self.subjects.get(&arrival.event_id).cloned().unwrap_or_default();
        let (id, attempt) = (safe(&arrival.event_id, 64), safe(&arrival.attempt, 5));
        self.log.push(json!({
            "event_id": arrival.event_id, "attempt": arrival.attempt, "answer": status, "verified": arrival.signature == Signature::Verified,
        }));
        self.tell_at(
            arrival.at,
            "POST",
            &format!("{id}  attempt {attempt}  {status}  {verified}  {subject}{note}"),
        );
        if self.log.len() == 1 && !self.out.json {
            for (name, value) in [
                ("webhook-id", &id),
                ("webhook-timestamp", &safe(&arrival.timestamp, 20)),
                ("webhook-signature", &safe(&arrival.signatures, 300)),
            ] {
                self.out.line(&format!("{:31}{name}: {value}", ""));
            }
        }
    }

    fn conclude(&self) -> Ended {
        let seconds = self.begun.elapsed().as_secs_f64();
        let document = json!({
            "ok": self.failed > 0 && self.duplicates > 0, "published": self.promised.len(), "arrived": self.accepted.len(), "retried": self.failed,
            "duplicates": self.duplicates, "rolled_back": self.forbidden.len(), "seconds": seconds, "arrivals": self.log,
        });
        self.out.data(&document, || {
            format!(
                "\n{} events committed, {} arrived with verified signatures, {} by a retry; 1 duplicate and 1 rollback sent nothing. {seconds:.1} s",
                self.promised.len(),
                self.accepted.len(),
                self.failed,
            )
        });
        if self.failed == 0 || self.duplicates == 0 {
            return Err(Failure::new(
                Exit::Negative,
                "the demo did not show a retry and a duplicate",
            ));
        }
        Ok(Exit::Done)
    }

    fn tell(&mut self, what: &str, text: &str) {
        self.tell_at(Instant::now(), what, text);
    }

    fn tell_at(&mut self, at: Instant, what: &str, text: &str) {
        self.step += 1;
        if !self.out.json {
            let seconds = at.duration_since(self.begun).as_secs_f64();
            self.out.line(&format!("{:>2}  +{seconds:.3} s  {what:<14}  {text}", self.step));
        }
    }
}

async fn take(stage: &mut Stage, raw: &[u8], ending: Ending) -> Result<Intaken, Failure> {
    let taken = intake(&mut stage.client, &stage.tenant, raw, ending).await;
    taken.map_err(|error| {
        Failure::new(Exit::Failed, "a mail was not taken in").why(with_causes(&error))
    })
}
