//! Payloads against the catalog: asks for the schema of a type in the caller's transaction, compiles each version once, and says what
//! becomes of an event that does not fit.

use std::collections::{BTreeSet, HashMap};

use postrider_event::schema::{CODE, Check, Fault, Known, SchemaCache, invalid};
use postrider_event::{Event, InvalidEvent};
use tracing::warn;

use crate::PublishError;
use crate::checks::{Catalog, Declared};

/// Compiled schemas. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schemas(SchemaCache);

/// What a type's payloads are checked against, and what becomes of those that do not fit.
type Rules = HashMap<String, (Check, Known)>;

impl Schemas {
    /// # Errors
    /// [`PublishError::Invalid`] when the event does not fit and is not to be published.
    pub(crate) async fn one<C: Catalog>(
        &self,
        catalog: &mut C,
        event: &Event,
    ) -> Result<(), PublishError> {
        let rules = self.rules(catalog, &[event.event_type().as_str()]).await?;
        judge(&rules, event).map_err(PublishError::Invalid)
    }

    /// # Errors
    /// As [`Schemas::one`], for the first event that does not fit.
    pub(crate) async fn many<C: Catalog>(
        &self,
        catalog: &mut C,
        events: &[Event],
    ) -> Result<(), PublishError> {
        let types: BTreeSet<&str> = events.iter().map(|e| e.event_type().as_str()).collect();
        let types: Vec<&str> = types.into_iter().collect();
        let rules = self.rules(catalog, &types).await?;
        for (index, event) in events.iter().enumerate() {
            judge(&rules, event).map_err(|fault| fault.in_batch(index))?;
        }
        Ok(())
    }

    async fn rules<C: Catalog>(
        &self,
        catalog: &mut C,
        types: &[&str],
    ) -> Result<Rules, PublishError> {
        let known: Vec<Option<Known>> = types.iter().map(|name| self.0.get(name)).collect();
        let versions: Vec<Option<i64>> =
            known.iter().map(|known| known.as_ref().map(|known| known.version)).collect();
        let declared = catalog.declared(types, &versions).await?;
        let mut known: HashMap<&str, Known> =
            types.iter().zip(known).filter_map(|(name, known)| Some((*name, known?))).collect();
        Ok(declared.into_iter().map(|declared| self.rule(declared, &mut known)).collect())
    }

    fn rule(
        &self,
        declared: Declared,
        known: &mut HashMap<&str, Known>,
    ) -> (String, (Check, Known)) {
        let name = declared.event_type;
        // A word of a newer installation is taken for the one that harms nobody.
        let check = Check::parse(&declared.check).unwrap_or(Check::Report);
        let known = match (declared.schema, known.remove(name.as_str())) {
            (None, Some(known)) => known,
            (text, _) => self.0.keep(&name, declared.version, text.as_deref().unwrap_or_default()),
        };
        (name, (check, known))
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
