//! Answers that were given to requests with an `Idempotency-Key`, to be given again. Reads and writes `idempotency_keys`.

use jiff::Timestamp;

use crate::statement::{
    ADMIN_IDEMPOTENCY_ANSWER, ADMIN_IDEMPOTENCY_CLAIM, ADMIN_IDEMPOTENCY_FORGET,
    ADMIN_IDEMPOTENCY_LOOK,
};
use crate::{Db, StoreError};

/// SHA-256 of who asked, what for, and the key; or of a request's body.
pub type Digest = [u8; 32];

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    /// Sealed: it may hold what is shown once.
    pub body: Vec<u8>,
}

/// What a request with a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The first: it is to be carried out, and its answer kept or the key freed.
    First(Claim),
    /// The same came before, and this was the answer.
    Again(Answer),
    /// The same is under way.
    UnderWay,
    /// The key was used for another request.
    Other,
}

/// The right to answer for a key: whoever claimed it later took it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim(Timestamp);

/// Claims a key for a request.
///
/// # Errors
/// When the database cannot be asked.
pub async fn claim(db: &Db, key: &Digest, request: &Digest) -> Result<Claimed, StoreError> {
    let mut session = db.session().await?;
    let (key, request) = (key.as_slice(), request.as_slice());
    let claimed = session.query(&ADMIN_IDEMPOTENCY_CLAIM, &[&key, &request]).await?;
    if let Some(row) = claimed.first() {
        return Ok(Claimed::First(Claim(row.get(0))));
    }
    let rows = session.query(&ADMIN_IDEMPOTENCY_LOOK, &[&key]).await?;
    // Freed in between: the caller tries again.
    let Some(row) = rows.first() else { return Ok(Claimed::UnderWay) };
    if row.get::<_, &[u8]>(0) != request {
        return Ok(Claimed::Other);
    }
    let status = row.get::<_, Option<i16>>(1).and_then(|status| u16::try_from(status).ok());
    Ok(status.map_or(Claimed::UnderWay, |status| {
        Claimed::Again(Answer {
            status,
            content_type: row.get::<_, Option<String>>(2).unwrap_or_default(),
            body: row.get::<_, Option<Vec<u8>>>(3).unwrap_or_default(),
        })
    }))
}

/// Keeps the answer.
///
/// # Errors
/// When the database cannot be asked.
pub async fn answer(
    db: &Db,
    key: &Digest,
    claim: &Claim,
    answer: &Answer,
) -> Result<(), StoreError> {
    let status = i16::try_from(answer.status).unwrap_or(i16::MAX);
    let mut session = db.session().await?;
    session
        .command(
            &ADMIN_IDEMPOTENCY_ANSWER,
            &[&key.as_slice(), &status, &answer.content_type, &answer.body, &claim.0],
        )
        .await
        .map(drop)
}

/// Frees a key whose request changed nothing.
///
/// # Errors
/// When the database cannot be asked.
pub async fn forget(db: &Db, key: &Digest, claim: &Claim) -> Result<(), StoreError> {
    let mut session = db.session().await?;
    session.command(&ADMIN_IDEMPOTENCY_FORGET, &[&key.as_slice(), &claim.0]).await.map(drop)
}
