//! Publishing in a transaction of [sqlx]. Needs the feature `sqlx`.
//!
//! ```no_run
//! # async fn example(pool: sqlx::PgPool, event: postrider::Event) -> Result<(), Box<dyn std::error::Error>> {
//! let mut tx = pool.begin().await?;
//! sqlx::query("INSERT INTO messages (id) VALUES ($1)").bind("m1").execute(&mut *tx).await?;
//! let _ = postrider::sqlx::publish_tx(&mut tx, &event).await?;
//! tx.commit().await?;
//! # Ok(())
//! # }
//! ```
//!
//! `tx` is a `&mut PgConnection` that is in a transaction which sqlx began: a [`Transaction`](::sqlx::Transaction) is
//! handed on as `&mut tx`. A `BEGIN` that was sent as a query is not known to sqlx, and is refused.
//! [`Outbox::unnamed_statements`](crate::Outbox::unnamed_statements) works here too.

use ::sqlx::{Connection, PgConnection};
use postrider_event::Event;
use tokio_postgres::error::SqlState;

use crate::best_effort::failed;
use crate::driver_error::DriverError;
use crate::text::{TextConnection, one_in_savepoint};
use crate::transaction::Statements;
use crate::{Outbox, PublishError, Published};

crate::text::doors!(sqlx, &mut PgConnection, best_effort);

impl TextConnection for &mut PgConnection {
    fn is_in_transaction(&mut self) -> bool {
        Connection::is_in_transaction(&**self)
    }

    async fn ask(
        &mut self,
        sql: &'static str,
        values: Vec<Option<String>>,
        statements: Statements,
    ) -> Result<Vec<String>, DriverError> {
        let kept = statements == Statements::Cached;
        let mut query = ::sqlx::query_scalar(sql).persistent(kept);
        for value in values {
            query = query.bind(value);
        }
        Ok(query.fetch_all(&mut **self).await?)
    }

    async fn execute(&mut self, sql: &'static str) -> Result<(), DriverError> {
        ::sqlx::raw_sql(sql).execute(&mut **self).await?;
        Ok(())
    }
}

async fn best_effort(
    tx: &mut PgConnection,
    event: &Event,
    outbox: &Outbox,
) -> Result<Published, PublishError> {
    if !Connection::is_in_transaction(tx) {
        return Err(PublishError::NoTransaction { what: crate::publish::name(event) });
    }
    let mut savepoint = tx.begin().await.map_err(|source| failed(event, source))?;
    match one_in_savepoint(&mut &mut *savepoint, event, outbox).await {
        Ok(published) => {
            savepoint.commit().await.map_err(|source| failed(event, source))?;
            Ok(published)
        }
        Err(error) => {
            // If this fails too the connection is gone, and the first error says why.
            let _ = savepoint.rollback().await;
            Err(error)
        }
    }
}

pub(crate) fn sqlstate(error: &::sqlx::Error) -> Option<SqlState> {
    error.as_database_error()?.code().map(|code| SqlState::from_code(&code))
}
