//! What is sealed in the database, by master key; and sealing all of it again with the newest one, page by page.
//! Reads and writes the sealed columns of `webhook_endpoints` and `webhook_endpoint_secrets`, never in the clear.

use std::time::Duration;

use postrider_core::ids::EndpointId;
use postrider_core::seal::{KeyRing, SealError};
use uuid::Uuid;

use super::endpoints::bound;
use crate::db::Params;
use crate::statement::{
    SEALED_COUNT, SEALED_ENDPOINTS, SEALED_PUT_ENDPOINT, SEALED_PUT_SECRET, SEALED_SECRETS,
};
use crate::{Db, StoreError};

/// How many rows are read at once, and how long is waited before the next, so that workers come in between.
const PAGE: i64 = 200;
const PAUSE: Duration = Duration::from_millis(20);

/// How many values of one sort are sealed with one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// `secret`, `headers`, `auth` or `tls`.
    pub what: String,
    /// The key's id in hex, as `KeyRing::key_ids` lists them.
    pub key_id: String,
    pub count: i64,
}

/// What a rotation has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Sealed values that were looked at.
    pub seen: u64,
    /// Of these, sealed again; in a dry run: to be sealed again.
    pub resealed: u64,
    /// Changed or removed by somebody else meanwhile: a further rotation would find them.
    pub passed_over: u64,
    /// Cannot be opened: their key is missing, or they are damaged.
    pub unopened: u64,
}

/// How many sealed values there are, by sort and key.
///
/// # Errors
/// When the database cannot be asked.
pub async fn count(db: &Db) -> Result<Vec<Sealed>, StoreError> {
    let rows = db.session().await?.query(&SEALED_COUNT, &[]).await?;
    let sealed = |row: &tokio_postgres::Row| Sealed {
        what: row.get(0),
        key_id: row.get(1),
        count: row.get(2),
    };
    Ok(rows.iter().map(sealed).collect())
}

/// Seals again what is not sealed with the first key of the ring, and says after each page how far it is. Each row is written
/// by itself and only if nobody changed it, so it may be ended and repeated at any time.
///
/// # Errors
/// When the database cannot be asked; what was written before stays so.
pub async fn rotate(
    db: &Db,
    keys: &KeyRing,
    dry_run: bool,
    mut report: impl FnMut(Progress),
) -> Result<Progress, StoreError> {
    let mut progress = Progress::default();
    let mut after = Uuid::nil();
    while let Some(last) = secrets(db, keys, dry_run, after, &mut progress).await? {
        after = last;
        report(progress);
        tokio::time::sleep(PAUSE).await;
    }
    after = Uuid::nil();
    while let Some(last) = endpoints(db, keys, dry_run, after, &mut progress).await? {
        after = last;
        report(progress);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(progress)
}

/// One page of secrets; the id of its last, none where there is no page.
async fn secrets(
    db: &Db,
    keys: &KeyRing,
    dry_run: bool,
    after: Uuid,
    progress: &mut Progress,
) -> Result<Option<Uuid>, StoreError> {
    let mut session = db.session().await?;
    let rows = session.query(&SEALED_SECRETS, &[&after, &PAGE]).await?;
    for row in &rows {
        let (id, endpoint): (Uuid, EndpointId) = (row.get(0), EndpointId(row.get(1)));
        let before: &[u8] = row.get(2);
        let Some(now) = resealed(keys, before, &bound(b"secret:", endpoint), progress) else {
            continue;
        };
        let written =
            dry_run || !session.query(&SEALED_PUT_SECRET, &[&id, &before, &now]).await?.is_empty();
        progress.written(written, 1);
    }
    Ok(rows.last().map(|row| row.get(0)))
}

/// One page of endpoints; the id of its last, none where there is no page.
async fn endpoints(
    db: &Db,
    keys: &KeyRing,
    dry_run: bool,
    after: Uuid,
    progress: &mut Progress,
) -> Result<Option<Uuid>, StoreError> {
    let mut session = db.session().await?;
    let rows = session.query(&SEALED_ENDPOINTS, &[&after, &PAGE]).await?;
    for row in &rows {
        let id = EndpointId(row.get(0));
        let before: [Option<&[u8]>; 3] = [row.get(1), row.get(2), row.get(3)];
        let places = [b"headers:".as_slice(), b"auth:", b"tls:"];
        let mut now = before.map(|value| value.map(<[u8]>::to_vec));
        let mut changed = 0;
        for ((value, place), now) in before.iter().zip(places).zip(&mut now) {
            let Some(value) = value else { continue };
            if let Some(again) = resealed(keys, value, &bound(place, id), progress) {
                *now = Some(again);
                changed += 1;
            }
        }
        if changed == 0 {
            continue;
        }
        let values: Params<'_> =
            &[&id.0, &before[0], &before[1], &before[2], &now[0], &now[1], &now[2]];
        let written = dry_run || !session.query(&SEALED_PUT_ENDPOINT, values).await?.is_empty();
        progress.written(written, changed);
    }
    Ok(rows.last().map(|row| row.get(0)))
}

/// The value under the newest key; none where it has that already, or cannot be opened.
fn resealed(keys: &KeyRing, sealed: &[u8], aad: &[u8], progress: &mut Progress) -> Option<Vec<u8>> {
    progress.seen += 1;
    if !keys.is_stale(sealed) {
        return None;
    }
    match keys.open(sealed, aad) {
        Ok(opened) => Some(keys.seal(&opened, aad, rand::random())),
        Err(SealError::UnknownKey { .. } | SealError::Corrupt) => {
            progress.unopened += 1;
            None
        }
    }
}

impl Progress {
    fn written(&mut self, written: bool, values: u64) {
        if written {
            self.resealed += values;
        } else {
            self.passed_over += values;
        }
    }
}
