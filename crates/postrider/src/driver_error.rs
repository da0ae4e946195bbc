//! The error of the library whose transaction it was, and what PostgreSQL said through it.

use tokio_postgres::error::SqlState;

/// The driver's error, as the driver gave it. Which variants there are depends on the features of this crate.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
pub enum DriverError {
    /// Of tokio-postgres, and so of deadpool-postgres.
    TokioPostgres(#[from] tokio_postgres::Error),
    /// Of sqlx.
    #[cfg(feature = "sqlx")]
    Sqlx(#[from] ::sqlx::Error),
    /// Of diesel-async.
    #[cfg(feature = "diesel-async")]
    Diesel(#[from] diesel::result::Error),
    /// Of SeaORM.
    #[cfg(feature = "sea-orm")]
    SeaOrm(#[from] ::sea_orm::DbErr),
}

impl DriverError {
    /// The error of tokio-postgres, if it is one.
    #[must_use]
    pub fn tokio_postgres(&self) -> Option<&tokio_postgres::Error> {
        match self {
            Self::TokioPostgres(error) => Some(error),
            #[cfg(any(feature = "sqlx", feature = "diesel-async", feature = "sea-orm"))]
            _ => None,
        }
    }

    /// The SQLSTATE, if the database gave one and the library tells it.
    #[must_use]
    pub fn sqlstate(&self) -> Option<SqlState> {
        match self {
            Self::TokioPostgres(error) => error.code().cloned(),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(error) => crate::sqlx::sqlstate(error),
            #[cfg(feature = "diesel-async")]
            Self::Diesel(error) => crate::diesel_async::sqlstate(error),
            #[cfg(feature = "sea-orm")]
            Self::SeaOrm(error) => crate::sea_orm::driver(error).and_then(crate::sea_orm::sqlstate),
        }
    }

    /// What PostgreSQL said, if it was PostgreSQL that refused.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::TokioPostgres(error) => error.as_db_error().map(|error| error.message()),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(error) => error.as_database_error().map(|error| error.message()),
            #[cfg(feature = "diesel-async")]
            Self::Diesel(diesel::result::Error::DatabaseError(_, error)) => Some(error.message()),
            #[cfg(feature = "diesel-async")]
            Self::Diesel(_) => None,
            #[cfg(feature = "sea-orm")]
            Self::SeaOrm(error) => {
                let error = crate::sea_orm::driver(error)?.as_database_error()?;
                Some(error.message())
            }
        }
    }
}
