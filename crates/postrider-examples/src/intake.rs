//! One transaction for each message: its row in `mail_messages`, and the event `email.received`. Both or neither.
//! Takes raw bytes. The row is the service's own business; the event is what Postrider sends to subscribers.

use postrider::{
    CommitError, Event, InvalidEvent, PublishError, Published, checked_commit, email, publish_tx,
};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

use crate::mail::{Mail, NotMail};

/// The service's own table. The lock lets two programs that start together make it once.
const CREATE_TABLE: &str = "
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('mail_messages'));
CREATE TABLE IF NOT EXISTS mail_messages (
    tenant_id        text NOT NULL,
    message_id       text NOT NULL,
    conversation_id  text NOT NULL,
    sender           text,
    recipients       text[] NOT NULL,
    subject          text,
    sent_at          timestamptz,
    text_bytes       bigint NOT NULL,
    attachment_names text[] NOT NULL,
    raw_sha256       text NOT NULL,
    raw              bytea NOT NULL,
    received_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, message_id)
);
COMMIT";

/// A message that is there already stays as it is: the first one counts.
const INSERT_MESSAGE: &str = "
INSERT INTO mail_messages (tenant_id, message_id, conversation_id, sender, recipients, subject, sent_at, text_bytes,
                           attachment_names, raw_sha256, raw)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (tenant_id, message_id) DO NOTHING";

/// How the transaction of a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Commit,
    /// With ROLLBACK, on purpose: to see that nothing is stored and nothing is sent.
    RollBack,
}

/// A message after its transaction.
#[derive(Debug)]
pub struct Intaken {
    /// The message as it was read.
    pub mail: Mail,
    /// The event's id, derived from the message id.
    pub event_id: String,
    /// What became of the transaction.
    pub outcome: Outcome,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stored, and its event published.
    Published,
    /// Known before: one row and one event, as there were.
    Duplicate,
    /// Another message has this id. The first is kept, this one is not published.
    Conflict,
    /// Stored, but publishing is switched off, so there is no event.
    Disabled,
    /// Neither stored nor published, because it was to be rolled back.
    RolledBack,
}

impl Outcome {
    /// The word for it in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Disabled => "disabled",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// Why a message was not taken in. Its transaction left nothing behind.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The bytes are something else.
    #[error(transparent)]
    NotMail(#[from] NotMail),
    /// The event broke a rule of publishing.
    #[error("build the event")]
    Event(#[from] InvalidEvent),
    /// The database refused while `doing`, or could not be reached.
    #[error("{doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The driver's error.
        source: tokio_postgres::Error,
    },
    /// Publishing failed.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The transaction did not commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl IntakeError {
    /// Whether the database has no Postrider schema, or none that this user may see.
    #[must_use]
    pub fn is_schema_missing(&self) -> bool {
        let Self::Publish(error) = self else { return false };
        let missing = [SqlState::UNDEFINED_FUNCTION, SqlState::INVALID_SCHEMA_NAME];
        error.sqlstate().is_some_and(|state| missing.contains(state))
    }
}

/// Makes the table `mail_messages` if it is not there.
pub async fn create_table(client: &Client) -> Result<(), IntakeError> {
    let made = client.batch_execute(CREATE_TABLE).await;
    made.map_err(|source| IntakeError::Database { doing: "create the table mail_messages", source })
}

/// Takes in one raw message: reads it, stores it and publishes `email.received` in one transaction.
///
/// Calling it again with the same message changes nothing: the event's id comes from the message id.
pub async fn intake(
    client: &mut Client,
    tenant: &str,
    raw: &[u8],
    ending: Ending,
) -> Result<Intaken, IntakeError> {
    let mail = Mail::parse(raw)?;
    let event = received(tenant, &mail)?;
    let begun = client.transaction().await;
    let tx = begun.map_err(|source| IntakeError::Database { doing: "begin", source })?;

    store(&tx, tenant, &mail, raw).await?;
    let published = publish_tx(&tx, &event).await?;

    let outcome = if ending == Ending::RollBack {
        let undone = tx.rollback().await;
        undone.map_err(|source| IntakeError::Database { doing: "roll back", source })?;
        Outcome::RolledBack
    } else {
        checked_commit(tx).await?;
        match published {
            Published::Inserted => Outcome::Published,
            Published::Duplicate => Outcome::Duplicate,
            Published::Conflict => Outcome::Conflict,
            Published::Disabled => Outcome::Disabled,
        }
    };
    Ok(Intaken { event_id: event.id().to_owned(), mail, outcome })
}

/// The event of a message: keyed by the message, with the mailbox and the thread for filters to look at.
fn received(tenant: &str, mail: &Mail) -> Result<Event, InvalidEvent> {
    email::received(tenant, &mail.message_id)
        .attribute("message_id", mail.message_id.as_str())
        .attribute("conversation_id", mail.conversation_id.as_str())
        .attribute_opt("agent_id", mail.mailbox())
        .labels(mail.labels.iter().copied())
        .data(&mail.summary())
}

async fn store(
    tx: &Transaction<'_>,
    tenant: &str,
    mail: &Mail,
    raw: &[u8],
) -> Result<(), IntakeError> {
    let names: Vec<_> = mail.attachments.iter().filter_map(|a| a.name.as_deref()).collect();
    let text_bytes = mail.text.len() as i64;
    let stored = tx
        .execute(
            INSERT_MESSAGE,
            &[
                &tenant,
                &mail.message_id,
                &mail.conversation_id,
                &mail.from,
                &mail.to,
                &mail.subject,
                &mail.sent_at(),
                &text_bytes,
                &names,
                &mail.raw_sha256,
                &raw,
            ],
        )
        .await;
    stored.map_err(|source| IntakeError::Database { doing: "store the message", source })?;
    Ok(())
}
