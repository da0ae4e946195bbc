//! Publishes events inside your own PostgreSQL transaction. The event exists if and only if the transaction commits;
//! then Postrider sends it to every endpoint that asked for it, until each has accepted it.
//!
//! ```no_run
//! use postrider::{EMAIL_RECEIVED, Event, Published, checked_commit, publish_tx};
//! use serde::Serialize;
//!
//! #[derive(Serialize)]
//! struct Received<'a> { message_id: &'a str, subject: &'a str }
//!
//! async fn store(client: &mut tokio_postgres::Client, tenant: &str, message_id: &str, subject: &str)
//!     -> Result<(), Box<dyn std::error::Error>> {
//!     let tx = client.transaction().await?;
//!     tx.execute("INSERT INTO messages (id, subject) VALUES ($1, $2)", &[&message_id, &subject]).await?;
//!
//!     let event = Event::new(EMAIL_RECEIVED, tenant)
//!         .id_from([message_id])            // the same message is the same event, however often this runs
//!         .attribute("agent_id", "a7")      // what filters may look at
//!         .labels(["vip"])
//!         .data(&Received { message_id, subject })?;
//!     match publish_tx(&tx, &event).await? {
//!         Published::Inserted | Published::Duplicate => {}
//!         Published::Conflict => return Err("this message was published with another subject".into()),
//!         Published::Disabled => {}         // the kill switch is closed; the message is stored all the same
//!     }
//!     checked_commit(tx).await?;
//!     Ok(())
//! }
//! ```
//!
//! # Strict or best effort
//!
//! Publish with [`publish_tx`] *before* an irreversible side effect: when it fails, so does your transaction, and nothing
//! has happened. Publish with [`publish_best_effort_tx`] *after* one (the e-mail is sent, the money has moved): then your
//! row must be kept whatever becomes of the event.
//!
//! # Ids
//!
//! An id derived from a natural key ([`EventBuilder::id_from`]) makes publishing idempotent: a second publish of the same
//! content is [`Published::Duplicate`], one of other content [`Published::Conflict`]. Both are decided by the database,
//! also between transactions that run at the same time.
//!
//! # What a caller can meet
//!
//! * A publish waits while another transaction holds the same id uncommitted. Set `lock_timeout` to bound this wait.
//! * Two transactions that publish the same ids one by one in opposite order deadlock (40P01). [`publish_many_tx`] sorts.
//! * In REPEATABLE READ and SERIALIZABLE, an id committed since the snapshot raises 40001.
//!
//! All three are of one kind, another publisher of the same id, and [`PublishError::is_retryable`] says yes: run the
//! whole transaction again. An error of the database has aborted the transaction; do not go on in it. Cancelling a publish
//! (dropping its future) leaves a transaction of unknown state; roll it back.
//!
//! # Kill switches
//!
//! `postrider switch off` closes publishing for the installation, a tenant or a type, and `POSTRIDER_PUBLISH=off` for one
//! process, without any SQL. Publishing then answers [`Published::Disabled`].
//!
//! # Other libraries
//!
//! The functions of this page publish in transactions of tokio-postgres and deadpool-postgres. With the feature `sqlx`,
//! `diesel-async` or `sea-orm` a module of that name has the same three for transactions of that library, with the same
//! checks, outcomes and errors, and [`Outbox`] a method of that name for its settings. [`checked_commit`] and [`published`]
//! are for the first two alone: with the others, carry every error up and let it roll the transaction back.
//!
//! # Rights
//!
//! The role `postrider_publisher` (EXECUTE on the publishing functions) is all that this library needs.
//!
//! # Settings
//!
//! The functions use the defaults. An [`Outbox`] publishes with larger payloads, strict conflicts, a pool for the record
//! of failures, or without prepared statements; and, with the feature `schema`, holds payloads to the JSON Schemas of the
//! installation's catalog (`Outbox::check_schemas`).

mod batch;
mod best_effort;
mod checks;
mod commit;
#[cfg(feature = "diesel-async")]
pub mod diesel_async;
mod driver_error;
mod error;
mod failures;
mod lookup;
mod outbox;
mod outcome;
mod params;
mod publish;
#[cfg(feature = "schema")]
mod schemas;
#[cfg(feature = "sea-orm")]
pub mod sea_orm;
#[cfg(feature = "sqlx")]
pub mod sqlx;
#[cfg(any(feature = "sqlx", feature = "diesel-async", feature = "sea-orm"))]
mod text;
mod transaction;

pub use commit::{CommitError, checked_commit};
pub use driver_error::DriverError;
pub use error::PublishError;
pub use lookup::{PublishedEvent, published};
pub use outbox::{Outbox, PUBLISH_SWITCH};
pub use outcome::{BestEffort, Published};
#[doc(inline)]
pub use postrider_event::*;
pub use transaction::PgTransaction;

/// Publishes one event in the caller's transaction, in one round trip.
///
/// # Errors
/// [`PublishError::Invalid`] before any SQL, so the transaction can go on; [`PublishError::Database`] when the database
/// refused, after which PostgreSQL accepts nothing but ROLLBACK. Never pass over the second: the driver's `commit()`
/// would answer `Ok` and keep nothing. [`checked_commit`] notices.
pub async fn publish_tx<T: PgTransaction>(
    tx: &T,
    event: &Event,
) -> Result<Published, PublishError> {
    Outbox::shared().publish_tx(tx, event).await
}

/// Publishes many events in the caller's transaction, with one statement. Answers come in the order of `events`.
///
/// Events are sorted by tenant and id on the way, so two transactions that publish the same ids cannot deadlock. Of
/// several with the same tenant and id the first is published; the others are `Duplicate` or, with other content,
/// `Conflict`. All of them are checked before the first is sent.
///
/// # Errors
/// As [`publish_tx`]; the field of an invalid event begins with its place, such as `events[3]`.
pub async fn publish_many_tx<T: PgTransaction>(
    tx: &T,
    events: &[Event],
) -> Result<Vec<Published>, PublishError> {
    Outbox::shared().publish_many_tx(tx, events).await
}

/// Publishes one event without ever harming the caller's transaction: use it after an irreversible side effect.
///
/// It runs in a savepoint, waits at most 50 ms for a lock, and never notifies, so a full notification queue cannot fail
/// the caller's COMMIT. When it fails, it is undone, logged and counted, and the transaction goes on; an
/// [`Outbox`] with a pool records it in `webhook_publish_failures` too. It takes the transaction exclusively, so that
/// nothing of the caller's can run inside the savepoint and be undone with it.
///
/// What it cannot promise: a transaction that was aborted before stays aborted, and a time-out of the caller's own that
/// cancels the future is the caller's.
pub async fn publish_best_effort_tx<T: PgTransaction>(tx: &mut T, event: &Event) -> BestEffort {
    Outbox::shared().publish_best_effort_tx(tx, event).await
}
