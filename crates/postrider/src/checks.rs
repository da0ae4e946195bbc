//! What is asked of a payload beyond the rules of every event: nothing, or, with the feature `schema`, that it fits the catalog.

use postrider_event::Event;

use crate::PublishError;

/// Whoever can ask the catalog, in the caller's transaction.
pub(crate) trait Catalog: Send {
    /// What the catalog says of these types.
    #[cfg(feature = "schema")]
    fn declared(
        &mut self,
        types: &[&str],
        known: &[Option<i64>],
    ) -> impl Future<Output = Result<Vec<Declared>, PublishError>> + Send;
}

/// What the catalog says of a type.
#[cfg(feature = "schema")]
pub(crate) struct Declared {
    pub(crate) event_type: String,
    pub(crate) version: i64,
    pub(crate) check: String,
    /// Only where the version is not the one that is known.
    pub(crate) schema: Option<String>,
}

/// What is being done, as errors say it.
#[cfg(feature = "schema")]
pub(crate) const LOOKING: &str = "an event: looking for the schema of its type";

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
    pub(crate) async fn one<C: Catalog>(
        &self,
        catalog: &mut C,
        event: &Event,
    ) -> Result<(), PublishError> {
        match &self.schemas {
            Some(schemas) => schemas.one(catalog, event).await,
            None => Ok(()),
        }
    }

    /// Looks at all events before the first is published.
    pub(crate) async fn many<C: Catalog>(
        &self,
        catalog: &mut C,
        events: &[Event],
    ) -> Result<(), PublishError> {
        match &self.schemas {
            Some(schemas) => schemas.many(catalog, events).await,
            None => Ok(()),
        }
    }
}

#[cfg(not(feature = "schema"))]
impl Checks {
    pub(crate) fn are_on(&self) -> bool {
        false
    }

    pub(crate) async fn one<C: Catalog>(&self, _: &mut C, _: &Event) -> Result<(), PublishError> {
        Ok(())
    }

    pub(crate) async fn many<C: Catalog>(
        &self,
        _: &mut C,
        _: &[Event],
    ) -> Result<(), PublishError> {
        Ok(())
    }
}
