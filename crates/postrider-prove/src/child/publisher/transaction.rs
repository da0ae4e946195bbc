//! One transaction of a publisher: a business row and an event, and an end as it is meant to be. Journals the intent before
//! the end is asked for, and what became of it.

use anyhow::{Context as _, bail};
use postrider::{CommitError, Event, PublishError, Published, checked_commit, publish_tx};
use postrider_testkit::{PublisherEntry, monotonic_ns, sha256_hex};
use tokio_postgres::{Client, Transaction};

use super::Publisher;

/// How a transaction is meant to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Commit,
    Rollback,
    /// The part that publishes is undone, the rest commits.
    Savepoint,
    /// The connection breaks.
    Vanish,
}

/// How a transaction did end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Committed,
    RolledBack,
    InDoubt,
}

impl Publisher {
    /// One transaction. How it ended, or `None` if the connection was lost before its end was asked for; and the client,
    /// if it can still be used.
    pub(super) async fn transaction(
        &mut self,
        mut client: Client,
        event: &Event,
        ending: Ending,
    ) -> anyhow::Result<(Option<Ended>, Option<Client>)> {
        self.transactions += 1;
        let txn = format!("{}-{}", self.options.name, self.transactions);
        let Ok(mut tx) = client.transaction().await else { return Ok((None, None)) };
        let ended = if ending == Ending::Savepoint {
            let Ok(savepoint) = tx.savepoint("part").await else { return Ok((None, None)) };
            let Some(xid) = write(&savepoint, &txn, event).await? else { return Ok((None, None)) };
            self.intend(&txn, xid, event);
            let undone = savepoint.rollback().await;
            let rest = tx.commit().await;
            self.rolled_back(&txn);
            (Ended::RolledBack, undone.is_ok() && rest.is_ok())
        } else {
            let Some(xid) = write(&tx, &txn, event).await? else { return Ok((None, None)) };
            self.intend(&txn, xid, event);
            self.end(tx, &txn, ending).await
        };
        Ok((Some(ended.0), ended.1.then_some(client)))
    }

    /// Ends a transaction as it is meant to; says how it did, and whether its connection is still good.
    async fn end(&mut self, tx: Transaction<'_>, txn: &str, ending: Ending) -> (Ended, bool) {
        if ending == Ending::Commit {
            return match checked_commit(tx).await {
                Ok(()) => {
                    let (txn, t) = (txn.to_owned(), monotonic_ns());
                    self.journal.write(&PublisherEntry::Ok { txn, t });
                    (Ended::Committed, true)
                }
                Err(CommitError::Unknown { .. }) => (Ended::InDoubt, false),
                // Rolled back without wanting it: this event is still to be published.
                Err(CommitError::Aborted | CommitError::Refused { .. }) => {
                    self.rolled_back(txn);
                    (Ended::InDoubt, false)
                }
            };
        }
        let good = if ending == Ending::Vanish {
            self.driver.shutdown().await;
            false
        } else {
            tx.rollback().await.is_ok()
        };
        self.rolled_back(txn);
        (Ended::RolledBack, good)
    }

    fn intend(&self, txn: &str, xid: u64, event: &Event) {
        self.journal.write_through(&PublisherEntry::Intent {
            txn: txn.to_owned(),
            xid,
            tenant: event.tenant().to_owned(),
            id: event.id().to_owned(),
            event_type: event.event_type().as_str().to_owned(),
            body_sha256: sha256_hex(event.data()),
            t: monotonic_ns(),
        });
    }

    fn rolled_back(&self, txn: &str) {
        self.journal.write(&PublisherEntry::Abort { txn: txn.to_owned(), t: monotonic_ns() });
    }
}

/// Writes the business row and publishes. Gives the transaction's number, or `None` if the connection was lost.
async fn write(tx: &Transaction<'_>, txn: &str, event: &Event) -> anyhow::Result<Option<u64>> {
    let sql = "INSERT INTO public.testkit_business (txn) VALUES ($1) RETURNING pg_current_xact_id()::text";
    let row = match tx.query_one(sql, &[&txn]).await {
        Ok(row) => row,
        Err(error) if is_lost(&error) => return Ok(None),
        Err(error) => return Err(error).context("write a business row"),
    };
    match publish_tx(tx, event).await {
        Ok(Published::Inserted | Published::Duplicate) => {}
        Ok(other) => bail!("publishing {} led to {other:?}", event.id()),
        Err(PublishError::Database { source, .. })
            if source.tokio_postgres().is_some_and(is_lost) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error).context("publish"),
    }
    Ok(Some(row.get::<_, String>(0).parse()?))
}

/// Whether the connection or the server is gone: no answer of the database at all, or its farewell (class 57).
fn is_lost(error: &tokio_postgres::Error) -> bool {
    error.code().is_none_or(|code| code.code().starts_with("57"))
}
