//! Publishing through a library that is not tokio-postgres: every value travels as text and is read by PostgreSQL, so that
//! the same two statements serve all of them. What is checked and what an answer means is decided where it is for everybody:
//! in `outbox.rs`, `batch.rs` and `publish.rs`.

use postrider_event::Event;

use crate::batch::Sender;
use crate::best_effort::{CALLERS_LOCK_TIMEOUT, SHORT_LOCK_TIMEOUT, failed};
use crate::checks::Catalog;
#[cfg(feature = "schema")]
use crate::checks::{Declared, LOOKING};
use crate::driver_error::DriverError;
use crate::params::array_literal;
use crate::publish::{WakeUp, name, read};
use crate::transaction::Statements;
use crate::{Outbox, PublishError, Published};

const PUBLISH: &str = include_str!("../sql/event/publish_text.sql");
const PUBLISH_MANY: &str = include_str!("../sql/event/publish_many_text.sql");

/// A connection that may be in a transaction.
pub(crate) trait TextConnection: Send {
    /// Whether a transaction was begun through the library.
    fn is_in_transaction(&mut self) -> bool;

    /// Runs a statement and gives the first column of each row.
    fn ask(
        &mut self,
        sql: &'static str,
        values: Vec<Option<String>>,
        statements: Statements,
    ) -> impl Future<Output = Result<Vec<String>, DriverError>> + Send;

    /// Runs statements that have neither parameters nor an answer.
    fn execute(
        &mut self,
        sql: &'static str,
    ) -> impl Future<Output = Result<(), DriverError>> + Send;
}

/// Publishes one event with one statement.
pub(crate) async fn one<C: TextConnection>(
    connection: &mut C,
    event: &Event,
    wake_up: WakeUp,
    outbox: &Outbox,
) -> Result<Published, PublishError> {
    let (what, statements) = (|| name(event), outbox.statements);
    if !connection.is_in_transaction() {
        return Err(PublishError::NoTransaction { what: what() });
    }
    outbox.checks.one(&mut ThroughText { connection, statements }, event).await?;
    let text = |text: &str| Some(text.to_owned());
    let values = vec![
        text(event.tenant()),
        text(event.id()),
        text(event.event_type().as_str()),
        text(event.data()),
        event.attributes_json(),
        labels(event),
        event.ordering_key().and_then(text),
        interval(event),
        event.traceparent().and_then(text),
        text(if wake_up == WakeUp::Notify { "true" } else { "false" }),
    ];
    let answers = connection
        .ask(PUBLISH, values, statements)
        .await
        .map_err(|source| PublishError::database(what(), source))?;
    match &answers[..] {
        [answer] => read(answer, what),
        _ => Err(wrong_count(what(), &answers)),
    }
}

/// Publishes one event without NOTIFY and without waiting for a lock for more than 50 ms. The caller has a savepoint around
/// it, which undoes the settings too when it fails.
pub(crate) async fn one_in_savepoint<C: TextConnection>(
    connection: &mut C,
    event: &Event,
    outbox: &Outbox,
) -> Result<Published, PublishError> {
    let failed = |source| failed(event, source);
    connection.execute(SHORT_LOCK_TIMEOUT).await.map_err(failed)?;
    let published = one(connection, event, WakeUp::Never, outbox).await?;
    connection.execute(CALLERS_LOCK_TIMEOUT).await.map_err(failed)?;
    Ok(published)
}

#[cfg(feature = "schema")]
const SCHEMA: &str = include_str!("../sql/event_type/schema_text.sql");

/// Sends the events of a batch, and asks the catalog.
pub(crate) struct ThroughText<'a, C> {
    pub(crate) connection: &'a mut C,
    pub(crate) statements: Statements,
}

impl<C: TextConnection> Sender for ThroughText<'_, C> {
    async fn send(&mut self, events: &[&Event]) -> Result<Vec<Published>, PublishError> {
        many(self.connection, events, self.statements).await
    }
}

impl<C: TextConnection> Catalog for ThroughText<'_, C> {
    #[cfg(feature = "schema")]
    async fn declared(
        &mut self,
        types: &[&str],
        known: &[Option<i64>],
    ) -> Result<Vec<Declared>, PublishError> {
        let what = || LOOKING.to_owned();
        if !self.connection.is_in_transaction() {
            return Err(PublishError::NoTransaction { what: what() });
        }
        let known = known.iter().map(|version| version.map(|version| version.to_string()));
        let values = vec![Some(array_literal(types.iter().map(Some))), Some(array_literal(known))];
        let answers = self.connection.ask(SCHEMA, values, self.statements).await;
        let answers = answers.map_err(|source| PublishError::database(what(), source))?;
        let declared = |answer: String| match serde_json::from_str(&answer) {
            Ok((event_type, version, check, schema)) => {
                Ok(Declared { event_type, version, check, schema })
            }
            Err(_) => Err(PublishError::UnknownAnswer { what: what(), answer }),
        };
        answers.into_iter().map(declared).collect()
    }
}

async fn many<C: TextConnection>(
    connection: &mut C,
    events: &[&Event],
    statements: Statements,
) -> Result<Vec<Published>, PublishError> {
    let what = || format!("a batch of {} events", events.len());
    if !connection.is_in_transaction() {
        return Err(PublishError::NoTransaction { what: what() });
    }
    let texts = |field: fn(&Event) -> &str| list(events, |event| Some(field(event)));
    let values = vec![
        texts(Event::tenant),
        texts(Event::id),
        texts(|event| event.event_type().as_str()),
        texts(Event::data),
        list(events, Event::attributes_json),
        list(events, labels),
        list(events, Event::ordering_key),
        list(events, interval),
        list(events, Event::traceparent),
    ];
    let answers = connection
        .ask(PUBLISH_MANY, values, statements)
        .await
        .map_err(|source| PublishError::database(what(), source))?;
    if answers.len() != events.len() {
        return Err(wrong_count(what(), &answers));
    }
    answers.iter().map(|answer| read(answer, what)).collect()
}

fn list<'a, V: AsRef<str>>(
    events: &[&'a Event],
    value: impl Fn(&'a Event) -> Option<V>,
) -> Option<String> {
    Some(array_literal(events.iter().map(|event| value(event))))
}

fn labels(event: &Event) -> Option<String> {
    (!event.labels().is_empty()).then(|| array_literal(event.labels().iter().map(Some)))
}

fn interval(event: &Event) -> Option<String> {
    event.expires_after().map(|time| format!("{} microseconds", time.as_micros()))
}

fn wrong_count(what: String, answers: &[String]) -> PublishError {
    PublishError::UnknownAnswer { what, answer: format!("{} rows", answers.len()) }
}

/// The functions of a library's module and the same on an [`Outbox`](crate::Outbox) with settings. `$tx` is how the library
/// hands its transaction on, a [`TextConnection`]; `$best_effort` publishes in a savepoint of the library.
macro_rules! doors {
    ($library:ident, $tx:ty, $best_effort:path) => {
        /// Publishes one event in the caller's transaction, as [`publish_tx`](crate::publish_tx) does.
        ///
        /// # Errors
        /// As there, and [`PublishError::NoTransaction`](crate::PublishError::NoTransaction).
        pub async fn publish_tx(
            tx: $tx,
            event: &::postrider_event::Event,
        ) -> Result<crate::Published, crate::PublishError> {
            crate::Outbox::shared().$library().publish_tx(tx, event).await
        }

        /// Publishes many events in the caller's transaction, as [`publish_many_tx`](crate::publish_many_tx) does.
        ///
        /// # Errors
        /// As there, and [`PublishError::NoTransaction`](crate::PublishError::NoTransaction).
        pub async fn publish_many_tx(
            tx: $tx,
            events: &[::postrider_event::Event],
        ) -> Result<Vec<crate::Published>, crate::PublishError> {
            crate::Outbox::shared().$library().publish_many_tx(tx, events).await
        }

        /// Publishes one event without ever harming the caller's transaction, as
        /// [`publish_best_effort_tx`](crate::publish_best_effort_tx) does, in five round trips.
        ///
        /// Do not drop its future before it ends: other than tokio-postgres, the library would be left in the savepoint, or
        /// give the error of this statement to the next one.
        pub async fn publish_best_effort_tx(
            tx: $tx,
            event: &::postrider_event::Event,
        ) -> crate::BestEffort {
            crate::Outbox::shared().$library().publish_best_effort_tx(tx, event).await
        }

        /// An [`Outbox`](crate::Outbox) for transactions of this library.
        #[derive(Debug, Clone, Copy)]
        pub struct Publisher<'a>(&'a crate::Outbox);

        impl crate::Outbox {
            /// The same settings for transactions of this library.
            #[must_use]
            pub fn $library(&self) -> Publisher<'_> {
                Publisher(self)
            }
        }

        impl Publisher<'_> {
            /// Publishes one event.
            ///
            /// # Errors
            /// As [`publish_tx`], and [`PublishError::Conflict`](crate::PublishError::Conflict) in strict mode.
            pub async fn publish_tx(
                &self,
                tx: $tx,
                event: &::postrider_event::Event,
            ) -> Result<crate::Published, crate::PublishError> {
                let mut tx = tx;
                let wake_up = crate::publish::WakeUp::Notify;
                let publishing = crate::text::one(&mut tx, event, wake_up, self.0);
                self.0.strictly(event, publishing).await
            }

            /// Publishes many events.
            ///
            /// # Errors
            /// As [`publish_many_tx`], and [`PublishError::Conflict`](crate::PublishError::Conflict) in strict mode.
            pub async fn publish_many_tx(
                &self,
                tx: $tx,
                events: &[::postrider_event::Event],
            ) -> Result<Vec<crate::Published>, crate::PublishError> {
                let mut tx = tx;
                let (connection, statements) = (&mut tx, self.0.statements);
                self.0.all(events, crate::text::ThroughText { connection, statements }).await
            }

            /// Publishes one event by best effort.
            pub async fn publish_best_effort_tx(
                &self,
                tx: $tx,
                event: &::postrider_event::Event,
            ) -> crate::BestEffort {
                self.0.by_best_effort(event, $best_effort(tx, event, self.0)).await
            }
        }
    };
}

pub(crate) use doors;
