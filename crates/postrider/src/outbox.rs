//! The producer with its settings: what is checked, what a conflict means, and where failures are recorded.
//! Each publish goes: local switch, validation, one statement, verdict.

use std::env;
use std::sync::LazyLock;

use deadpool_postgres::Pool;
use postrider_event::{Event, Limits};

use crate::batch::Sender;
use crate::checks::{Catalog, Checks};
use crate::failures::Failures;
use crate::publish::{self, Through, WakeUp};
use crate::transaction::{PgTransaction, Statements};
use crate::{BestEffort, PublishError, Published, batch, best_effort};

/// The environment variable that turns publishing off for one process: `off`, `false` or `0`.
pub const PUBLISH_SWITCH: &str = "POSTRIDER_PUBLISH";

/// Publishes events with settings of its own. Cheap to clone; make one when the service starts.
///
/// Services content with the defaults use the functions [`publish_tx`](crate::publish_tx) and its kin instead.
///
/// ```
/// use postrider::Outbox;
///
/// # fn example(pool: deadpool_postgres::Pool) {
/// let outbox = Outbox::new()
///     .strict()               // a conflict is an error
///     .record_failures(pool); // failed best-effort publishes leave a row
/// # let _ = outbox;
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Outbox {
    limits: Limits,
    on_conflict: OnConflict,
    pub(crate) statements: Statements,
    switch: Switch,
    failures: Failures,
    pub(crate) checks: Checks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnConflict {
    Report,
    Refuse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Switch {
    On,
    Off,
}

impl Switch {
    fn from_env(value: Option<&str>) -> Self {
        let off = value.is_some_and(|value| {
            ["off", "false", "0"].iter().any(|word| value.eq_ignore_ascii_case(word))
        });
        if off { Self::Off } else { Self::On }
    }
}

impl Outbox {
    /// The defaults: payloads up to 256 KiB, conflicts reported and not refused, failures counted and logged. Reads the
    /// environment variable `POSTRIDER_PUBLISH`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            limits: Limits::default(),
            on_conflict: OnConflict::Report,
            statements: Statements::Cached,
            switch: Switch::from_env(env::var(PUBLISH_SWITCH).ok().as_deref()),
            failures: Failures::default(),
            checks: Checks::default(),
        }
    }

    /// The one that the free functions use; made at the first call.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Outbox> = LazyLock::new(Outbox::new);
        &SHARED
    }

    /// Checks events against other limits. The installation's setting has the last word.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Makes a conflict an error, so that `?` rolls the caller's transaction back. Best effort still reports it.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.on_conflict = OnConflict::Refuse;
        self
    }

    /// Records failed best-effort publishes through this pool, in `webhook_publish_failures`.
    ///
    /// The row is written while the caller's transaction is open. So give it a small pool of its own: with the pool that
    /// the caller's connection came from, a service whose connections are all taken records nothing. It waits at most
    /// 250 ms for a connection, and at most a second for the row.
    #[must_use]
    pub fn record_failures(mut self, pool: Pool) -> Self {
        self.failures.pool = Some(pool);
        self
    }

    /// Never keeps a prepared statement on the connection, for transaction poolers that do not track them (PgBouncer
    /// before 1.21). deadpool's transactions otherwise keep one, which saves the server parsing the call each time.
    #[must_use]
    pub fn unnamed_statements(mut self) -> Self {
        self.statements = Statements::Unnamed;
        self
    }

    /// Checks every payload against the JSON Schema that the installation's catalog has for its type.
    ///
    /// Each publish asks for the schema in the caller's transaction, which costs a round trip; what was compiled is kept, by
    /// this value and its clones, until the schema changes. Where the catalog says `enforce`, an event that does not fit is
    /// [`PublishError::Invalid`]: its field names the place as a JSON pointer, such as `data/user/id`, its code is
    /// `payload.schema`, nothing is published, and the transaction can go on. Where it says `report`, the event is published
    /// and a warning logged, with type, id and pointer and never the value.
    ///
    /// Needs an installation of schema version 16 or later; an older one answers with an error that aborts the transaction.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn check_schemas(mut self) -> Self {
        self.checks = Checks::on();
        self
    }

    /// Turns publishing through this value off: each call answers `Disabled` without any SQL.
    #[must_use]
    pub fn switched_off(mut self) -> Self {
        self.switch = Switch::Off;
        self
    }

    /// How many best-effort publishes through this value and its clones have failed.
    #[must_use]
    pub fn failed_best_efforts(&self) -> u64 {
        self.failures.count()
    }

    /// Publishes one event, see [`publish_tx`](crate::publish_tx).
    ///
    /// # Errors
    /// As there; and [`PublishError::Conflict`] in strict mode.
    pub async fn publish_tx<T: PgTransaction>(
        &self,
        tx: &T,
        event: &Event,
    ) -> Result<Published, PublishError> {
        let publishing = async {
            self.checks.one(&mut Through { tx, statements: self.statements }, event).await?;
            publish::one(tx, event, WakeUp::Notify, self.statements).await
        };
        self.strictly(event, publishing).await
    }

    /// Publishes many events with one call, see [`publish_many_tx`](crate::publish_many_tx).
    ///
    /// # Errors
    /// As there; and [`PublishError::Conflict`] in strict mode, for the first one.
    pub async fn publish_many_tx<T: PgTransaction>(
        &self,
        tx: &T,
        events: &[Event],
    ) -> Result<Vec<Published>, PublishError> {
        self.all(events, Through { tx, statements: self.statements }).await
    }

    /// Publishes one event without ever harming the caller's transaction, see
    /// [`publish_best_effort_tx`](crate::publish_best_effort_tx).
    pub async fn publish_best_effort_tx<T: PgTransaction>(
        &self,
        tx: &mut T,
        event: &Event,
    ) -> BestEffort {
        self.by_best_effort(event, best_effort::publish(tx, event, &self.checks)).await
    }

    /// Publishes one event by `publishing`, which is not begun unless the event may be published.
    pub(crate) async fn strictly(
        &self,
        event: &Event,
        publishing: impl Future<Output = Result<Published, PublishError>>,
    ) -> Result<Published, PublishError> {
        if self.switch == Switch::Off {
            return Ok(Published::Disabled);
        }
        event.validate(&self.limits)?;
        self.judge(event, publishing.await?)
    }

    /// Publishes many events by `sender`, once all of them may be published.
    pub(crate) async fn all<S: Sender + Catalog>(
        &self,
        events: &[Event],
        mut sender: S,
    ) -> Result<Vec<Published>, PublishError> {
        if self.switch == Switch::Off {
            return Ok(vec![Published::Disabled; events.len()]);
        }
        for (index, event) in events.iter().enumerate() {
            event.validate(&self.limits).map_err(|fault| fault.in_batch(index))?;
        }
        self.checks.many(&mut sender, events).await?;
        let published = batch::publish_all(sender, events).await?;
        for (event, answer) in events.iter().zip(&published) {
            let _ = self.judge(event, *answer)?;
        }
        Ok(published)
    }

    /// Publishes one event by `publishing`, which undoes what it did when it fails, and records why.
    pub(crate) async fn by_best_effort(
        &self,
        event: &Event,
        publishing: impl Future<Output = Result<Published, PublishError>>,
    ) -> BestEffort {
        if self.switch == Switch::Off {
            return BestEffort::Done(Published::Disabled);
        }
        let published = match event.validate(&self.limits) {
            Ok(()) => publishing.await,
            Err(fault) => Err(fault.into()),
        };
        match published {
            Ok(published) => BestEffort::Done(published),
            Err(failure) => {
                self.failures.record(event, &failure).await;
                BestEffort::Failed(failure)
            }
        }
    }

    fn judge(&self, event: &Event, published: Published) -> Result<Published, PublishError> {
        match (self.on_conflict, published) {
            (OnConflict::Refuse, Published::Conflict) => Err(PublishError::Conflict {
                tenant: event.tenant().to_owned(),
                id: event.id().to_owned(),
            }),
            _ => Ok(published),
        }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_no_closes_the_local_switch() {
        let cases = [
            (None, Switch::On),
            (Some(""), Switch::On),
            (Some("on"), Switch::On),
            (Some("offline"), Switch::On),
            (Some("off"), Switch::Off),
            (Some("OFF"), Switch::Off),
            (Some("false"), Switch::Off),
            (Some("0"), Switch::Off),
        ];
        for (value, expected) in cases {
            assert_eq!(Switch::from_env(value), expected, "{value:?}");
        }
    }
}
