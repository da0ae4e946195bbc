//! The secrets of an endpoint as they come and go: rotated with an overlap, revoked, published where they have a public half.
//! Writes `webhook_endpoint_secrets` while it holds the endpoint's row, so that two rotations at once come one after the other.

use std::time::Duration;

use jiff::Timestamp;
use postrider_core::ids::EndpointId;
use postrider_core::seal::KeyRing;
use postrider_core::signing::{MAX_LIVE_SECRETS, SigningSecret};
use uuid::Uuid;

use super::endpoints::bound;
use crate::db::{Params, Session};
use crate::statement::{
    SECRETS_EXPIRE, SECRETS_FORGET, SECRETS_INSERT, SECRETS_KEEP, SECRETS_LACKING, SECRETS_LIVE,
    SECRETS_LOCK, SECRETS_PUBLIC_KEYS, SECRETS_REVOKE,
};
use crate::{Db, StoreError};

/// What becomes of the secrets that are live and have no end yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// They end after this time; zero: at once.
    For(Duration),
    /// They stay: the new secret signs beside them.
    Forever,
}

/// What requests would sooner or later be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Any signature: only opaque secrets would stay, and there is no profile for them to sign.
    Signature,
    /// The signatures of its profiles: only key pairs would stay, and those sign none.
    Profiles,
}

/// What came of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotated {
    Added {
        id: Uuid,
        created_at: Timestamp,
    },
    /// As many as may be are live already; nothing was changed.
    Full,
    /// Requests would lack something that they have; nothing was changed.
    Lacking(Lack),
    /// There is no such endpoint.
    Gone,
}

/// What came of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    Done {
        /// The secret whose end was taken away, because all that stayed had one.
        kept: Option<Uuid>,
    },
    /// It is the only live one; nothing was changed.
    Last,
    /// Requests would lack something that they have; nothing was changed.
    Lacking(Lack),
    /// The endpoint has no such secret.
    Gone,
}

/// A published key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// `whpk_…`
    pub text: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// Gives an endpoint a new secret, which signs from now on. Secrets that have an end already keep it, whatever the overlap.
///
/// # Errors
/// When the database cannot be asked.
pub async fn rotate(
    db: &Db,
    keys: &KeyRing,
    id: EndpointId,
    secret: &SigningSecret,
    overlap: Overlap,
) -> Result<Rotated, StoreError> {
    let mut session = db.session().await?;
    session.begin().await?;
    if session.run(&SECRETS_LOCK, &[&id.0]).await?.is_empty() {
        session.rollback().await?;
        return Ok(Rotated::Gone);
    }
    session.execute(&SECRETS_FORGET, &[&id.0]).await?;
    if let Overlap::For(time) = overlap {
        let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        session.execute(&SECRETS_EXPIRE, &[&id.0, &ms]).await?;
    }
    let live: i64 = session.run(&SECRETS_LIVE, &[&id.0]).await?.first().map_or(0, |row| row.get(0));
    if usize::try_from(live).unwrap_or(0) >= MAX_LIVE_SECRETS {
        session.rollback().await?;
        return Ok(Rotated::Full);
    }
    let (secret_id, created_at) = insert(&session, keys, id, secret).await?;
    if let Some(lack) = lack(&session, id).await? {
        session.rollback().await?;
        return Ok(Rotated::Lacking(lack));
    }
    session.commit().await?;
    Ok(Rotated::Added { id: secret_id, created_at })
}

/// Stores one secret inside the open transaction; its id, and when that was.
pub(super) async fn insert(
    session: &Session,
    keys: &KeyRing,
    id: EndpointId,
    secret: &SigningSecret,
) -> Result<(Uuid, Timestamp), StoreError> {
    let kind = secret.kind();
    let sealed = keys.seal(secret.expose().as_bytes(), &bound(b"secret:", id), rand::random());
    let values: Params<'_> =
        &[&id.0, &kind.algorithm(), &kind.encoding(), &sealed, &secret.public_key()];
    let rows = session.run(&SECRETS_INSERT, values).await?;
    let row = rows
        .first()
        .ok_or_else(|| StoreError::other(SECRETS_INSERT.name, "nothing was inserted"))?;
    Ok((row.get(0), row.get(1)))
}

/// Removes one secret at once. The last live one stays: without it nothing could be sent. So that there is one tomorrow too, the
/// newest of those that stay loses its end where all of them have one.
///
/// # Errors
/// When the database cannot be asked.
pub async fn revoke(db: &Db, id: EndpointId, secret: Uuid) -> Result<Revoked, StoreError> {
    let mut session = db.session().await?;
    session.begin().await?;
    session.run(&SECRETS_LOCK, &[&id.0]).await?;
    if session.run(&SECRETS_REVOKE, &[&id.0, &secret]).await?.is_empty() {
        session.rollback().await?;
        return Ok(Revoked::Gone);
    }
    let live: i64 = session.run(&SECRETS_LIVE, &[&id.0]).await?.first().map_or(0, |row| row.get(0));
    if live == 0 {
        session.rollback().await?;
        return Ok(Revoked::Last);
    }
    let kept = session.run(&SECRETS_KEEP, &[&id.0]).await?.first().map(|row| row.get(0));
    if let Some(lack) = lack(&session, id).await? {
        session.rollback().await?;
        return Ok(Revoked::Lacking(lack));
    }
    session.commit().await?;
    Ok(Revoked::Done { kept })
}

/// What requests would sooner or later be without, as the open transaction leaves the secrets.
async fn lack(session: &Session, id: EndpointId) -> Result<Option<Lack>, StoreError> {
    let rows = session.run(&SECRETS_LACKING, &[&id.0]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(match (row.get(0), row.get(1)) {
        (true, _) => Some(Lack::Signature),
        (false, true) => Some(Lack::Profiles),
        (false, false) => None,
    })
}

/// The live public keys of an endpoint, newest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn public_keys(db: &Db, id: EndpointId) -> Result<Vec<PublicKey>, StoreError> {
    let rows = db.session().await?.query(&SECRETS_PUBLIC_KEYS, &[&id.0]).await?;
    let key = |row: &tokio_postgres::Row| PublicKey {
        text: row.get(0),
        created_at: row.get(1),
        expires_at: row.get(2),
    };
    Ok(rows.iter().map(key).collect())
}
