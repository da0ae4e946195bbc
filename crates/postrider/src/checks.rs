//! What is asked of a payload beyond the rules of every event: nothing, or, with the feature `schema`, that it fits the catalog.

use postrider_event::Event;

use crate::PublishError;
use crate::transaction::{PgTransaction, Statements};

/// What is asked of payloads. By default nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checks {
    #[cfg(feature = "schema")]
    schemas: Option<crate::schemas::Schemas>,
}

#[cfg(feature = "schema")]
impl Checks {
    /// Payloads fit the schemas of the catalog.
    pub(crate) fn on() -> Self {
        Self { schemas: Some(crate::schemas::Schemas::default()) }
    }

    pub(crate) fn are_on(&self) -> bool {
        self.schemas.is_some()
    }

    /// Looks at one event before it is published.
    pub(crate) async fn one<T: PgTransaction>(
        &self,
        tx: &T,
        event: &Event,
        statements: Statements,
    ) -> Result<(), PublishError> {
        match &self.schemas {
            Some(schemas) => schemas.one(tx, event, statements).await,
            None => Ok(()),
        }
    }

    /// Looks at all events before the first is published.
    pub(crate) async fn many<T: PgTransaction>(
        &self,
        tx: &T,
        events: &[Event],
        statements: Statements,
    ) -> Result<(), PublishError> {
        match &self.schemas {
            Some(schemas) => schemas.many(tx, events, statements).await,
            None => Ok(()),
        }
    }
}

#[cfg(not(feature = "schema"))]
impl Checks {
    pub(crate) fn are_on(&self) -> bool {
        false
    }

    pub(crate) async fn one<T: PgTransaction>(
        &self,
        _: &T,
        _: &Event,
        _: Statements,
    ) -> Result<(), PublishError> {
        Ok(())
    }

    pub(crate) async fn many<T: PgTransaction>(
        &self,
        _: &T,
        _: &[Event],
        _: Statements,
    ) -> Result<(), PublishError> {
        Ok(())
    }
}
