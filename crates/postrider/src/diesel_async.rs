//! Publishing in a transaction of [diesel-async](::diesel_async). Needs the feature `diesel-async`.
//!
//! ```no_run
//! # use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
//! # async fn example(connection: &mut AsyncPgConnection, event: postrider::Event) -> Result<(), Box<dyn std::error::Error>> {
//! connection
//!     .transaction(async |tx| {
//!         diesel::sql_query("INSERT INTO messages (id) VALUES ('m1')").execute(tx).await?;
//!         let _ = postrider::diesel_async::publish_tx(tx, &event).await?;
//!         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//!     })
//!     .await
//!     .map_err(|error| error as Box<dyn std::error::Error>)
//! # }
//! ```
//!
//! `tx` is the connection that diesel hands to the closure of `transaction`; one that is in no transaction is refused.
//!
//! Diesel does not tell the SQLSTATE. [`PublishError::sqlstate`] knows those for which diesel has a kind, such as 40001, and
//! deadlock and lock time-out by PostgreSQL's English message: with `lc_messages` in another language,
//! [`PublishError::is_retryable`] says no to these two.
//! [`Outbox::unnamed_statements`](crate::Outbox::unnamed_statements) changes nothing here: diesel keeps no statement of raw SQL.

use ::diesel_async::{
    AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection, TransactionManager,
};
use diesel::QueryableByName;
use diesel::pg::Pg;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{Nullable, Text};
use postrider_event::Event;
use tokio_postgres::error::SqlState;

use crate::best_effort::failed;
use crate::driver_error::DriverError;
use crate::text::{TextConnection, one_in_savepoint};
use crate::transaction::Statements;
use crate::{Outbox, PublishError, Published};

crate::text::doors!(diesel_async, &mut AsyncPgConnection, best_effort);

type Manager = <AsyncPgConnection as AsyncConnection>::TransactionManager;

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Text)]
    answer: String,
}

impl TextConnection for &mut AsyncPgConnection {
    fn is_in_transaction(&mut self) -> bool {
        let status = Manager::transaction_manager_status_mut(&mut **self);
        // In error diesel refuses everything itself, and says so better.
        !matches!(status.transaction_depth(), Ok(None))
    }

    async fn ask(
        &mut self,
        sql: &'static str,
        values: Vec<Option<String>>,
        _: Statements,
    ) -> Result<Vec<String>, DriverError> {
        let mut query = diesel::sql_query(sql).into_boxed::<Pg>();
        for value in values {
            query = query.bind::<Nullable<Text>, _>(value);
        }
        let rows: Vec<Answer> = query.load(&mut **self).await?;
        Ok(rows.into_iter().map(|row| row.answer).collect())
    }

    async fn execute(&mut self, sql: &'static str) -> Result<(), DriverError> {
        Ok(self.batch_execute(sql).await?)
    }
}

async fn best_effort(
    mut tx: &mut AsyncPgConnection,
    event: &Event,
    outbox: &Outbox,
) -> Result<Published, PublishError> {
    if !tx.is_in_transaction() {
        return Err(PublishError::NoTransaction { what: crate::publish::name(event) });
    }
    Manager::begin_transaction(tx).await.map_err(|source| failed(event, source))?;
    match one_in_savepoint(&mut tx, event, outbox).await {
        Ok(published) => {
            Manager::commit_transaction(tx).await.map_err(|source| failed(event, source))?;
            Ok(published)
        }
        Err(error) => {
            // If this fails too the connection is gone, and the first error says why.
            let _ = Manager::rollback_transaction(tx).await;
            Err(error)
        }
    }
}

pub(crate) fn sqlstate(error: &Error) -> Option<SqlState> {
    let Error::DatabaseError(kind, error) = error else { return None };
    let by_message = || match error.message() {
        "deadlock detected" => Some(SqlState::T_R_DEADLOCK_DETECTED),
        "canceling statement due to lock timeout" => Some(SqlState::LOCK_NOT_AVAILABLE),
        _ => None,
    };
    match kind {
        DatabaseErrorKind::UniqueViolation => Some(SqlState::UNIQUE_VIOLATION),
        DatabaseErrorKind::ForeignKeyViolation => Some(SqlState::FOREIGN_KEY_VIOLATION),
        DatabaseErrorKind::SerializationFailure => Some(SqlState::T_R_SERIALIZATION_FAILURE),
        DatabaseErrorKind::ReadOnlyTransaction => Some(SqlState::READ_ONLY_SQL_TRANSACTION),
        DatabaseErrorKind::NotNullViolation => Some(SqlState::NOT_NULL_VIOLATION),
        DatabaseErrorKind::CheckViolation => Some(SqlState::CHECK_VIOLATION),
        DatabaseErrorKind::Unknown => by_message(),
        _ => None,
    }
}
