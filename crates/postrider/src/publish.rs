//! The two statements that publish. Reads an event, runs `postrider.publish_v1` once for each, reads its answer.
//! Who is published, in which order, and what the answer means to the caller is decided elsewhere.

use postrider_event::Event;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::batch::Sender;
use crate::checks::Catalog;
#[cfg(feature = "schema")]
use crate::checks::{Declared, LOOKING};
use crate::params::{Interval, JsonText, array_literal};
use crate::transaction::{Param, PgTransaction, Statements};
use crate::{PublishError, Published};

const PUBLISH: &str = include_str!("../sql/event/publish.sql");
const PUBLISH_MANY: &str = include_str!("../sql/event/publish_many.sql");

#[cfg(feature = "schema")]
const SCHEMA: &str = include_str!("../sql/event_type/schema.sql");

/// Sends the events of a batch, and asks the catalog.
pub(crate) struct Through<'a, T> {
    pub(crate) tx: &'a T,
    pub(crate) statements: Statements,
}

impl<T: PgTransaction> Sender for Through<'_, T> {
    async fn send(&mut self, events: &[&Event]) -> Result<Vec<Published>, PublishError> {
        many(self.tx, events, self.statements).await
    }
}

impl<T: PgTransaction> Catalog for Through<'_, T> {
    #[cfg(feature = "schema")]
    async fn declared(
        &mut self,
        types: &[&str],
        known: &[Option<i64>],
    ) -> Result<Vec<Declared>, PublishError> {
        let params: [Param<'_>; 2] = [(&types, Type::TEXT_ARRAY), (&known, Type::INT8_ARRAY)];
        let failed = |source| PublishError::database(LOOKING.to_owned(), source);
        let rows = self.tx.run(SCHEMA, &params, self.statements).await.map_err(failed)?;
        let declared = |row: &Row| {
            Ok(Declared {
                event_type: row.try_get(0)?,
                version: row.try_get(1)?,
                check: row.try_get(2)?,
                schema: row.try_get(3)?,
            })
        };
        rows.iter().map(|row| declared(row).map_err(failed)).collect()
    }
}

/// Whether a publish may wake a sleeping worker by NOTIFY. Best effort never does: a full notification queue would
/// fail the caller's COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WakeUp {
    Notify,
    Never,
}

/// Publishes one event in one round trip.
pub(crate) async fn one<T: PgTransaction>(
    tx: &T,
    event: &Event,
    wake_up: WakeUp,
    statements: Statements,
) -> Result<Published, PublishError> {
    let attributes = event.attributes_json();
    let attributes = attributes.as_deref().map(JsonText);
    let labels = (!event.labels().is_empty()).then(|| event.labels());
    let expires_after = event.expires_after().map(Interval);
    let params: [Param<'_>; 10] = [
        (&event.tenant(), Type::TEXT),
        (&event.id(), Type::TEXT),
        (&event.event_type().as_str(), Type::TEXT),
        (&JsonText(event.data()), Type::JSON),
        (&attributes, Type::JSONB),
        (&labels, Type::TEXT_ARRAY),
        (&event.ordering_key(), Type::TEXT),
        (&expires_after, Type::INTERVAL),
        (&event.traceparent(), Type::TEXT),
        (&(wake_up == WakeUp::Notify), Type::BOOL),
    ];
    let what = || name(event);
    let rows = tx
        .run(PUBLISH, &params, statements)
        .await
        .map_err(|source| PublishError::database(what(), source))?;
    match &rows[..] {
        [row] => answer(row, what),
        _ => Err(PublishError::UnknownAnswer {
            what: what(),
            answer: format!("{} rows", rows.len()),
        }),
    }
}

/// An event as errors name it.
pub(crate) fn name(event: &Event) -> String {
    format!("event {} of tenant {}", event.id(), event.tenant())
}

/// Publishes events in the order given, with one statement; answers come in the same order.
async fn many<T: PgTransaction>(
    tx: &T,
    events: &[&Event],
    statements: Statements,
) -> Result<Vec<Published>, PublishError> {
    let texts = |field: fn(&Event) -> &str| -> Vec<&str> {
        events.iter().map(|event| field(event)).collect()
    };
    let options = |field: fn(&Event) -> Option<&str>| -> Vec<Option<&str>> {
        events.iter().map(|event| field(event)).collect()
    };
    let data: Vec<JsonText<'_>> = events.iter().map(|event| JsonText(event.data())).collect();
    let attributes: Vec<Option<String>> =
        events.iter().map(|event| event.attributes_json()).collect();
    let attributes: Vec<Option<JsonText<'_>>> =
        attributes.iter().map(|json| json.as_deref().map(JsonText)).collect();
    let labels: Vec<Option<String>> = events
        .iter()
        .map(|event| {
            (!event.labels().is_empty()).then(|| array_literal(event.labels().iter().map(Some)))
        })
        .collect();
    let expires_after: Vec<Option<Interval>> =
        events.iter().map(|event| event.expires_after().map(Interval)).collect();
    let params: [Param<'_>; 9] = [
        (&texts(Event::tenant), Type::TEXT_ARRAY),
        (&texts(Event::id), Type::TEXT_ARRAY),
        (&texts(|event| event.event_type().as_str()), Type::TEXT_ARRAY),
        (&data, Type::JSON_ARRAY),
        (&attributes, Type::JSONB_ARRAY),
        (&labels, Type::TEXT_ARRAY),
        (&options(Event::ordering_key), Type::TEXT_ARRAY),
        (&expires_after, Type::INTERVAL_ARRAY),
        (&options(Event::traceparent), Type::TEXT_ARRAY),
    ];
    let what = || format!("a batch of {} events", events.len());
    let rows = tx
        .run(PUBLISH_MANY, &params, statements)
        .await
        .map_err(|source| PublishError::database(what(), source))?;
    if rows.len() != events.len() {
        return Err(PublishError::UnknownAnswer {
            what: what(),
            answer: format!("{} rows", rows.len()),
        });
    }
    rows.iter().map(|row| answer(row, what)).collect()
}

fn answer(row: &Row, what: impl Fn() -> String) -> Result<Published, PublishError> {
    let answer: &str = row.try_get(0).map_err(|source| PublishError::database(what(), source))?;
    read(answer, what)
}

/// What the database's answer means.
pub(crate) fn read(answer: &str, what: impl Fn() -> String) -> Result<Published, PublishError> {
    Published::parse(answer)
        .ok_or_else(|| PublishError::UnknownAnswer { what: what(), answer: answer.to_owned() })
}
