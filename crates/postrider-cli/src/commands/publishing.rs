//! Publishing from the command line: by the library that services use, each event in a transaction of its own, payloads held to the catalog.

use postrider::{
    CommitError, DriverError, Event, InvalidEvent, Outbox, PublishError, Published, checked_commit,
};
use postrider_store::{Client, StoreError};

use crate::context::Database;
use crate::exit::{Exit, Failure, with_causes};

/// One connection to publish on.
pub(super) struct Publisher {
    client: Client,
    outbox: Outbox,
}

impl Publisher {
    /// # Errors
    /// When the database cannot be reached.
    pub(super) async fn connect(database: &Database) -> Result<Self, Failure> {
        let client = database.connect.client().await?;
        Ok(Self { client, outbox: Outbox::new().check_schemas() })
    }

    /// Publishes one event.
    ///
    /// # Errors
    /// When it is not valid, or the database refused it; nothing was published then.
    pub(super) async fn publish(&mut self, event: &Event) -> Result<Published, Failure> {
        let begin = self.client.transaction().await;
        let begin = begin.map_err(|error| refused(StoreError::driver("beginning", error)))?;
        let published = self.outbox.publish_tx(&begin, event).await.map_err(publish_failure)?;
        checked_commit(begin).await.map_err(commit_failure)?;
        Ok(published)
    }
}

/// A rule that the event breaks.
pub(super) fn invalid(error: InvalidEvent) -> Failure {
    Failure::new(Exit::Usage, error.to_string())
}

fn publish_failure(error: PublishError) -> Failure {
    match error {
        PublishError::Invalid(error) => invalid(error),
        PublishError::Database { sqlstate: Some(state), source, .. } if state.code() == "22023" => {
            // The database's own check of an event: as much the caller's mistake as those made before any SQL.
            let message = source.message().unwrap_or_default();
            Failure::new(Exit::Usage, message.trim_start_matches("postrider: ").to_owned())
        }
        PublishError::Database { source: DriverError::TokioPostgres(source), .. } => {
            refused(StoreError::driver("publishing", source))
        }
        other => Failure::new(Exit::Failed, "nothing was published").why(with_causes(&other)),
    }
}

fn commit_failure(error: CommitError) -> Failure {
    Failure::new(Exit::Failed, "the transaction did not commit; nothing was published")
        .why(with_causes(&error))
}

fn refused(error: StoreError) -> Failure {
    Failure::from(error).doing("nothing was published")
}
