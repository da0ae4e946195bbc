//! Publishing in a transaction of [SeaORM](::sea_orm) on PostgreSQL. Needs the feature `sea-orm`.
//!
//! ```no_run
//! # use sea_orm::{ConnectionTrait, TransactionTrait};
//! # async fn example(db: sea_orm::DatabaseConnection, event: postrider::Event) -> Result<(), Box<dyn std::error::Error>> {
//! let tx = db.begin().await?;
//! tx.execute_unprepared("INSERT INTO messages (id) VALUES ('m1')").await?;
//! let _ = postrider::sea_orm::publish_tx(&tx, &event).await?;
//! tx.commit().await?;
//! # Ok(())
//! # }
//! ```
//!
//! SeaORM shares its transactions, so the type cannot keep others out: run nothing else in the transaction while a
//! best-effort publish is under way, or it may be undone with it. Whether statements are kept is a setting of SeaORM's pool;
//! [`Outbox::unnamed_statements`](crate::Outbox::unnamed_statements) changes nothing here.

use ::sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, Statement,
    TransactionTrait, Value,
};
use postrider_event::Event;
use tokio_postgres::error::SqlState;

use crate::best_effort::failed;
use crate::driver_error::DriverError;
use crate::text::{TextConnection, one_in_savepoint};
use crate::transaction::Statements;
use crate::{Outbox, PublishError, Published};

crate::text::doors!(sea_orm, &DatabaseTransaction, best_effort);

impl TextConnection for &DatabaseTransaction {
    fn is_in_transaction(&mut self) -> bool {
        true // by its type
    }

    async fn ask(
        &mut self,
        sql: &'static str,
        values: Vec<Option<String>>,
        _: Statements,
    ) -> Result<Vec<String>, DriverError> {
        let values = values.into_iter().map(Value::from);
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        let rows = self.query_all_raw(statement).await?;
        let answers: Result<Vec<String>, DbErr> =
            rows.iter().map(|row| row.try_get_by_index(0)).collect();
        Ok(answers?)
    }

    async fn execute(&mut self, sql: &'static str) -> Result<(), DriverError> {
        self.execute_unprepared(sql).await?;
        Ok(())
    }
}

async fn best_effort(
    tx: &DatabaseTransaction,
    event: &Event,
    outbox: &Outbox,
) -> Result<Published, PublishError> {
    let savepoint = tx.begin().await.map_err(|source| failed(event, source))?;
    match one_in_savepoint(&mut &savepoint, event, outbox).await {
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

/// The error of sqlx below SeaORM's.
pub(crate) fn driver(error: &DbErr) -> Option<&::sea_orm::SqlxError> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

pub(crate) fn sqlstate(error: &::sea_orm::SqlxError) -> Option<SqlState> {
    error.as_database_error()?.code().map(|code| SqlState::from_code(&code))
}
