//! Payloads against the catalog: asks for the schema of a type in the caller's transaction, compiles each version once, and says what
//! becomes of an event that does not fit.

use std::collections::{BTreeSet, HashMap};

use postrider_event::schema::{CODE, Check, Fault, Known, SchemaCache, invalid};
use postrider_event::{Event, InvalidEvent};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use tracing::warn;

use crate::PublishError;
use crate::transaction::{Param, PgTransaction, Statements};

const SCHEMA: &str = include_str!("../sql/event_type/schema.sql");

/// Compiled schemas. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schemas(SchemaCache);

/// What a type's payloads are checked against, and what becomes of those that do not fit.
type Rules = HashMap<String, (Check, Known)>;

impl Schemas {
    /// # Errors
    /// [`PublishError::Invalid`] when the event does not fit and is not to be published.
    pub(crate) async fn one<T: PgTransaction>(
        &self,
        tx: &T,
        event: &Event,
        statements: Statements,
    ) -> Result<(), PublishError> {
        let rules = self.rules(tx, &[event.event_type().as_str()], statements).await?;
        judge(&rules, event).map_err(PublishError::Invalid)
    }

    /// # Errors
    /// As [`Schemas::one`], for the first event that does not fit.
    pub(crate) async fn many<T: PgTransaction>(
        &self,
        tx: &T,
        events: &[Event],
        statements: Statements,
    ) -> Result<(), PublishError> {
        let types: BTreeSet<&str> = events.iter().map(|e| e.event_type().as_str()).collect();
        let types: Vec<&str> = types.into_iter().collect();
        let rules = self.rules(tx, &types, statements).await?;
        for (index, event) in events.iter().enumerate() {
            judge(&rules, event).map_err(|fault| fault.in_batch(index))?;
        }
        Ok(())
    }

    async fn rules<T: PgTransaction>(
        &self,
        tx: &T,
        types: &[&str],
        statements: Statements,
    ) -> Result<Rules, PublishError> {
        let known: Vec<Option<Known>> = types.iter().map(|name| self.0.get(name)).collect();
        let versions: Vec<Option<i64>> =
            known.iter().map(|known| known.as_ref().map(|known| known.version)).collect();
        let params: [Param<'_>; 2] = [(&types, Type::TEXT_ARRAY), (&versions, Type::INT8_ARRAY)];
        let failed = |source| PublishError::Database {
            what: "an event: looking for the schema of its type".to_owned(),
            source,
        };
        let rows = tx.run(SCHEMA, &params, statements).await.map_err(failed)?;
        let mut known: HashMap<&str, Known> =
            types.iter().zip(known).filter_map(|(name, known)| Some((*name, known?))).collect();
        rows.iter().map(|row| self.rule(row, &mut known).map_err(failed)).collect()
    }

    fn rule(
        &self,
        row: &Row,
        known: &mut HashMap<&str, Known>,
    ) -> Result<(String, (Check, Known)), tokio_postgres::Error> {
        let name: String = row.try_get(0)?;
        // A word of a newer installation is taken for the one that harms nobody.
        let check = Check::parse(row.try_get(2)?).unwrap_or(Check::Report);
        let known = match (row.try_get::<_, Option<&str>>(3)?, known.remove(name.as_str())) {
            (None, Some(known)) => known,
            (text, _) => self.0.keep(&name, row.try_get(1)?, text.unwrap_or_default()),
        };
        Ok((name, (check, known)))
    }
}

fn judge(rules: &Rules, event: &Event) -> Result<(), InvalidEvent> {
    let Some((check, known)) = rules.get(event.event_type().as_str()) else { return Ok(()) };
    let faults = match &known.schema {
        Ok(schema) => schema.faults(event.data()),
        Err(error) => vec![Fault {
            pointer: String::new(),
            detail: format!("cannot be checked: the schema of its type {error}"),
        }],
    };
    let Some(fault) = invalid(&faults) else { return Ok(()) };
    if *check == Check::Enforce {
        return Err(fault);
    }
    warn!(
        event.type = event.event_type().as_str(),
        event.id = event.id(),
        pointer = fault.field,
        faults = faults.len(),
        "event {} was published though it does not fit its schema at {} ({CODE})",
        event.id(),
        fault.field
    );
    Ok(())
}
