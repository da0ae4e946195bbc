//! Partitions: what there is, and each change to it. The transactional half of a change is a function of the schema, so the
//! tables and their registry change together; DETACH … CONCURRENTLY stands alone and may be found half done later.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::maintenance::Maintenance;
use crate::retention::Owed;
use crate::statement::{
    HORIZON_REMOVED, PARTITIONS_ATTACH, PARTITIONS_DETACH, PARTITIONS_DROP, PARTITIONS_EMPTY,
    PARTITIONS_FILL, PARTITIONS_INDEX, PARTITIONS_LIST, PARTITIONS_REGISTER, PARTITIONS_REPLACE,
    PARTITIONS_ROWS, PARTITIONS_UNREGISTER,
};
use crate::{Statement, StoreError};

/// A partitioned table that the janitor keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Parent {
    /// Bodies, by the time of publishing.
    Events,
    /// Closed deliveries, by the time in their id.
    Closed,
    /// Attempts, by their start.
    Attempts,
}

impl Parent {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Events, Self::Closed, Self::Attempts];

    /// The table's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "webhook_events",
            Self::Closed => "webhook_deliveries_closed",
            Self::Attempts => "webhook_attempts",
        }
    }
}

/// How much time a partition spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A day; the first one reaches back to the beginning of time.
    Day,
    /// A month, or what was left of one.
    Month,
    /// All the rest of time.
    Tail,
}

/// How a partition stands to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Attached,
    /// An interrupted `DETACH … CONCURRENTLY`.
    Detaching,
    /// A table of its own that the registry still knows.
    Detached,
    /// The registry knows it, but there is no such table.
    Missing,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    pub parent: Parent,
    pub name: String,
    pub kind: Kind,
    /// `None`: since the beginning of time.
    pub lo: Option<Timestamp>,
    /// `None`: to the end of time.
    pub hi: Option<Timestamp>,
    pub state: State,
    /// Whether the registry knows it.
    pub registered: bool,
}

/// All partitions, in order of parent and time, and the time at which that was so.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The database's time, or the one that a test pinned.
    pub now: Timestamp,
    pub partitions: Vec<Partition>,
}

impl Listing {
    /// The partitions of one table, in order of time.
    pub fn of(&self, parent: Parent) -> impl Iterator<Item = &Partition> {
        self.partitions.iter().filter(move |partition| partition.parent == parent)
    }
}

/// What there is. `now` is for tests.
///
/// # Errors
/// When the database cannot be asked, or a table has partitions that are none of ours.
pub async fn list(
    maintenance: &mut Maintenance,
    now: Option<Timestamp>,
) -> Result<Listing, StoreError> {
    let rows = maintenance.query(&PARTITIONS_LIST, &[&now]).await?;
    let strange = || StoreError::other(PARTITIONS_LIST.name, "a partition that is none of ours");
    let now = rows.first().ok_or_else(strange)?.get(0);
    let partitions =
        rows.iter().map(|row| partition(row).ok_or_else(strange)).collect::<Result<_, _>>()?;
    Ok(Listing { now, partitions })
}

fn partition(row: &Row) -> Option<Partition> {
    let parent: &str = row.get(1);
    Some(Partition {
        parent: Parent::ALL.into_iter().find(|known| known.as_str() == parent)?,
        name: row.get(2),
        kind: match row.get(3) {
            "day" => Kind::Day,
            "month" => Kind::Month,
            "tail" => Kind::Tail,
            _ => return None,
        },
        lo: row.get(4),
        hi: row.get(5),
        state: match row.get(6) {
            "attached" => State::Attached,
            "detaching" => State::Detaching,
            "detached" => State::Detached,
            "missing" => State::Missing,
            _ => return None,
        },
        registered: row.get(7),
    })
}

/// Takes a partition off its parent, or finishes doing so. Nobody who reads or writes is held up.
///
/// # Errors
/// When somebody's open transaction is in the way for several seconds: the rest is done next time.
pub async fn detach(
    maintenance: &mut Maintenance,
    partition: &Partition,
) -> Result<(), StoreError> {
    maintenance.command(&PARTITIONS_DETACH, &[&partition.name]).await.map(drop)
}

/// Notes that the bodies of a partition go, for who reads events by their position; before they cannot be seen any more.
///
/// # Errors
/// When the database refuses.
pub async fn note_removed(
    maintenance: &mut Maintenance,
    partition: &Partition,
) -> Result<(), StoreError> {
    maintenance.query(&HORIZON_REMOVED, &[&partition.name]).await.map(drop)
}

/// Attaches a detached partition again.
///
/// # Errors
/// When the database refuses.
pub async fn attach(
    maintenance: &mut Maintenance,
    partition: &Partition,
) -> Result<(), StoreError> {
    maintenance
        .query(&PARTITIONS_ATTACH, &[&partition.parent.as_str(), &partition.name])
        .await
        .map(drop)
}

/// Puts days in the place of a detached month, or months and a new tail in that of a detached tail. Returns how many were made;
/// 0: there were rows in it, and it is attached again.
///
/// # Errors
/// When the database refuses.
pub async fn replace(
    maintenance: &mut Maintenance,
    partition: &Partition,
    now: Timestamp,
) -> Result<u64, StoreError> {
    made(maintenance, &PARTITIONS_REPLACE, &[&partition.parent.as_str(), &partition.name, &now])
        .await
}

/// Closes a gap between two partitions; a missing bound is infinite. Returns how many were made.
///
/// # Errors
/// When the database refuses.
pub async fn fill(
    maintenance: &mut Maintenance,
    parent: Parent,
    lo: Option<Timestamp>,
    hi: Option<Timestamp>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    made(maintenance, &PARTITIONS_FILL, &[&parent.as_str(), &lo, &hi, &now]).await
}

async fn made(
    maintenance: &mut Maintenance,
    statement: &Statement,
    params: crate::db::Params<'_>,
) -> Result<u64, StoreError> {
    let rows = maintenance.query(statement, params).await?;
    Ok(rows.first().map_or(0, |row| u64::try_from(row.get::<_, i32>(0)).unwrap_or(0)))
}

/// Enters an attached partition into the registry.
///
/// # Errors
/// When the database refuses.
pub async fn register(
    maintenance: &mut Maintenance,
    partition: &Partition,
) -> Result<(), StoreError> {
    let kind = match partition.kind {
        Kind::Day => "day",
        Kind::Month => "month",
        Kind::Tail => "tail",
    };
    let params: crate::db::Params<'_> =
        &[&partition.parent.as_str(), &partition.name, &kind, &partition.lo, &partition.hi];
    maintenance.query(&PARTITIONS_REGISTER, params).await.map(drop)
}

/// Strikes a partition that is no more out of the registry.
///
/// # Errors
/// When the database refuses.
pub async fn unregister(
    maintenance: &mut Maintenance,
    partition: &Partition,
) -> Result<(), StoreError> {
    maintenance
        .query(&PARTITIONS_UNREGISTER, &[&partition.parent.as_str(), &partition.name])
        .await
        .map(drop)
}

/// The next step towards partitions that have every index of their parents: those that had rows when an index came are indexed here, one
/// at a time, while others write to them. `false`: there is nothing left to do.
///
/// # Errors
/// When the database refuses, or a transaction is in the way for a minute: what is half done is taken away next time.
pub async fn index(maintenance: &mut Maintenance) -> Result<bool, StoreError> {
    maintenance.build(&PARTITIONS_INDEX).await
}

/// Whether a partition has no row.
///
/// # Errors
/// When the database cannot be asked.
pub async fn is_empty(
    maintenance: &mut Maintenance,
    partition: &Partition,
) -> Result<bool, StoreError> {
    let rows = maintenance.query(&PARTITIONS_EMPTY, &[&partition.name]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// How many rows a partition has; an estimate beyond a gigabyte.
///
/// # Errors
/// When the database cannot be asked.
pub async fn rows(maintenance: &mut Maintenance, partition: &Partition) -> Result<u64, StoreError> {
    let rows = maintenance.query(&PARTITIONS_ROWS, &[&partition.name]).await?;
    Ok(rows.first().map_or(0, |row| u64::try_from(row.get::<_, i64>(0)).unwrap_or(0)))
}

/// Drops a detached partition for good, unless something in it turns out to be owed: then it is attached again, and that is
/// returned.
///
/// # Errors
/// When the database refuses.
pub async fn drop_detached(
    maintenance: &mut Maintenance,
    partition: &Partition,
) -> Result<Option<Owed>, StoreError> {
    let rows =
        maintenance.query(&PARTITIONS_DROP, &[&partition.parent.as_str(), &partition.name]).await?;
    Ok(rows.first().and_then(|row| row.get(0)).map(Owed::from_word))
}
