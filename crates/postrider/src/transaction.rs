//! The transactions that can be published in: those of tokio-postgres and of deadpool-postgres.
//! A plain connection is none of them on purpose: an event belongs to a transaction.

use std::future::Future;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};

/// A transaction to publish in: [`tokio_postgres::Transaction`] or [`deadpool_postgres::Transaction`], at any depth of
/// savepoints. It cannot be implemented elsewhere.
pub trait PgTransaction: sealed::Sealed + Send + Sync {}

impl PgTransaction for tokio_postgres::Transaction<'_> {}
impl PgTransaction for deadpool_postgres::Transaction<'_> {}

/// A parameter with the type that the statement expects, so that no round trip is spent on asking.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// Whether a statement may be prepared under a name and kept, where the transaction has a place to keep it.
///
/// A kept one saves the server parsing and planning the call: about 20 of 160 µs of its CPU for each publish, and a
/// tenth of the time on one connection (2026-11-21, 2 cores, PostgreSQL 15, both in turn).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statements {
    Cached,
    Unnamed,
}

pub(crate) mod sealed {
    use super::{Error, Future, Param, PgTransaction, Row, Statements};

    pub trait Sealed: Sized {
        type Savepoint<'a>: PgTransaction
        where
            Self: 'a;

        /// The driver's own transaction.
        fn driver(&self) -> &tokio_postgres::Transaction<'_>;

        /// Runs a statement in one round trip (two, the first time on a connection, where it is cached).
        fn run(
            &self,
            sql: &str,
            params: &[Param<'_>],
            statements: Statements,
        ) -> impl Future<Output = Result<Vec<Row>, Error>> + Send;

        fn open_savepoint(
            &mut self,
        ) -> impl Future<Output = Result<Self::Savepoint<'_>, Error>> + Send;

        fn finish(self) -> impl Future<Output = Result<(), Error>> + Send;

        fn undo(self) -> impl Future<Output = Result<(), Error>> + Send;
    }
}

const SAVEPOINT: &str = "postrider_publish";

impl sealed::Sealed for tokio_postgres::Transaction<'_> {
    type Savepoint<'a>
        = tokio_postgres::Transaction<'a>
    where
        Self: 'a;

    fn driver(&self) -> &tokio_postgres::Transaction<'_> {
        self
    }

    // There is no place to keep a statement on a plain connection, so it is parsed each time.
    async fn run(&self, sql: &str, params: &[Param<'_>], _: Statements) -> Result<Vec<Row>, Error> {
        self.query_typed(sql, params).await
    }

    async fn open_savepoint(&mut self) -> Result<Self::Savepoint<'_>, Error> {
        self.savepoint(SAVEPOINT).await
    }

    async fn finish(self) -> Result<(), Error> {
        self.commit().await
    }

    async fn undo(self) -> Result<(), Error> {
        self.rollback().await
    }
}

impl sealed::Sealed for deadpool_postgres::Transaction<'_> {
    type Savepoint<'a>
        = deadpool_postgres::Transaction<'a>
    where
        Self: 'a;

    fn driver(&self) -> &tokio_postgres::Transaction<'_> {
        self
    }

    async fn run(
        &self,
        sql: &str,
        params: &[Param<'_>],
        statements: Statements,
    ) -> Result<Vec<Row>, Error> {
        if statements == Statements::Unnamed {
            return self.query_typed(sql, params).await;
        }
        let types: Vec<Type> = params.iter().map(|(_, of_type)| of_type.clone()).collect();
        let values: Vec<&(dyn ToSql + Sync)> = params.iter().map(|(value, _)| *value).collect();
        let statement = self.prepare_typed_cached(sql, &types).await?;
        self.query(&statement, &values).await
    }

    async fn open_savepoint(&mut self) -> Result<Self::Savepoint<'_>, Error> {
        self.savepoint(SAVEPOINT).await
    }

    async fn finish(self) -> Result<(), Error> {
        self.commit().await
    }

    async fn undo(self) -> Result<(), Error> {
        self.rollback().await
    }
}
