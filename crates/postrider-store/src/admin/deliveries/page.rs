//! Pages of deliveries that are quick however rarely something occurs: of one endpoint by an index, of others by a bounded walk that says where
//! it stopped. Finds where they are, then reads them as whoever asks: what row security hides from them is not on the page.

use jiff::Timestamp;
use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_core::status::DeliveryStatus;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Delivery, DeliveryQuery, PENDING, delivery};
use crate::admin::PAGE_LOOK;
use crate::admin::events::query::seq_at;
use crate::deliveries::milliseconds;
use crate::statement::{
    ADMIN_DELIVERIES_BY_KEYS, ADMIN_DELIVERIES_CLOSED_OF_ENDPOINT,
    ADMIN_DELIVERIES_OPEN_OF_ENDPOINT, ADMIN_DELIVERIES_WALK, ADMIN_DELIVERIES_WALK_OPEN,
};
use crate::{Db, Session, StoreError};

/// Up to so many open deliveries of an endpoint are sorted; one that has more has many of the newest.
const FEW_OPEN: usize = 2_000;
/// The index's groups of events are counted in 31 bits.
const NO_END: i64 = (1 << 43) - 1;

/// Where a delivery stands in the list: by the group of 4,096 events that its own was among, then by its id, which begins with the event's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    event_seq: i64,
    id: DeliveryId,
}

impl Place {
    fn rank(self) -> (i64, Uuid) {
        (self.event_seq >> 12, self.id.0)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.event_seq, self.id)
    }
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (event_seq, id) = text.split_once('.').ok_or(())?;
        let event_seq = event_seq.parse().map_err(|_| ())?;
        if !(0..=NO_END).contains(&event_seq) {
            return Err(());
        }
        Ok(Self { event_seq, id: id.parse().map_err(|_| ())? })
    }
}

/// One page of deliveries.
#[derive(Debug, Clone)]
pub struct DeliveryPage {
    pub rows: Vec<Delivery>,
    /// Behind which one the next page begins; `None`: there is nothing more.
    pub next: Option<Place>,
    /// Whether the page ended because enough was looked at: more may match behind it.
    pub cut: bool,
}

/// What looking came to.
struct Found {
    places: Vec<Place>,
    /// The last one looked at, if there may be more behind it.
    stopped: Option<Place>,
}

/// One page of deliveries, those of the newest events first, behind `after`; what the query says of `before` is not looked at. `finder` looks
/// for them and sees all; `db` reads those of the page.
///
/// # Errors
/// When the database cannot be asked.
pub async fn page(
    finder: &Db,
    db: &Db,
    query: &DeliveryQuery<'_>,
    after: Option<Place>,
) -> Result<DeliveryPage, StoreError> {
    let mut session = finder.session().await?;
    let found = match query.endpoint {
        Some(endpoint) => match of_endpoint(&mut session, query, endpoint, after).await? {
            Some(found) => found,
            None => walk(&mut session, query, after).await?,
        },
        None => walk(&mut session, query, after).await?,
    };
    drop(session);
    let full = i64::try_from(found.places.len()).is_ok_and(|count| count >= query.limit);
    let next = if full { found.places.last().copied() } else { found.stopped };
    let ids: Vec<Uuid> = found.places.iter().map(|place| place.id.0).collect();
    let mut rows = Vec::new();
    if !ids.is_empty() {
        rows = db.session().await?.query(&ADMIN_DELIVERIES_BY_KEYS, &[&ids]).await?;
    }
    Ok(DeliveryPage {
        rows: rows.iter().map(delivery).collect(),
        next,
        cut: !full && next.is_some(),
    })
}

/// By the indexes of endpoints; `None`: it has too many open ones for that.
async fn of_endpoint(
    session: &mut Session,
    query: &DeliveryQuery<'_>,
    endpoint: EndpointId,
    after: Option<Place>,
) -> Result<Option<Found>, StoreError> {
    let low = DeliveryId::floor(milliseconds(query.since)).0;
    let mut places = Vec::new();
    if query.status.is_none_or(|status| status == PENDING) {
        let most = i64::try_from(FEW_OPEN).unwrap_or(i64::MAX) + 1;
        let rows = session
            .query(&ADMIN_DELIVERIES_OPEN_OF_ENDPOINT, &[&endpoint.0, &most, &query.tenant])
            .await?;
        if rows.len() > FEW_OPEN {
            return Ok(None);
        }
        let is_behind = |place: &Place| after.is_none_or(|after| place.rank() < after.rank());
        places.extend(rows.iter().map(place).filter(|p| p.id.0 >= low).filter(is_behind));
    }
    let statuses: Vec<&str> = match query.status {
        Some(PENDING) => Vec::new(),
        Some(status) => vec![status],
        None => ended().collect(),
    };
    if !statuses.is_empty() {
        let mut low_seq = 0;
        if query.since > Timestamp::UNIX_EPOCH {
            // A group more: the order of events' numbers and that of their times may differ a little.
            low_seq = seq_at(session, query.since).await?.map_or(0, |seq| (seq - 4_096).max(0));
        }
        let (seq, id) = after.map_or((NO_END, Uuid::max()), |after| (after.event_seq, after.id.0));
        let rows = session
            .query(
                &ADMIN_DELIVERIES_CLOSED_OF_ENDPOINT,
                &[&endpoint.0, &statuses, &low, &low_seq, &seq, &id, &query.limit, &query.tenant],
            )
            .await?;
        places.extend(rows.iter().map(place));
    }
    places.sort_by_key(|place| std::cmp::Reverse(place.rank()));
    places.dedup_by_key(|place| place.id);
    places.truncate(usize::try_from(query.limit).unwrap_or(0));
    Ok(Some(Found { places, stopped: None }))
}

fn ended() -> impl Iterator<Item = &'static str> {
    DeliveryStatus::ALL.iter().map(|status| status.as_str()).filter(|status| *status != PENDING)
}

/// Through all deliveries, as far as a page looks.
async fn walk(
    session: &mut Session,
    query: &DeliveryQuery<'_>,
    after: Option<Place>,
) -> Result<Found, StoreError> {
    let low = DeliveryId::floor(milliseconds(query.since)).0;
    let before = after.map_or(Uuid::max(), |after| after.id.0);
    let (endpoint, limit) = (query.endpoint.map(|id| id.0), query.limit);
    let rows = if query.status == Some(PENDING) {
        session
            .query(
                &ADMIN_DELIVERIES_WALK_OPEN,
                &[&endpoint, &low, &before, &PAGE_LOOK, &limit, &query.tenant],
            )
            .await?
    } else {
        session
            .query(
                &ADMIN_DELIVERIES_WALK,
                &[&endpoint, &query.status, &low, &before, &PAGE_LOOK, &limit, &query.tenant],
            )
            .await?
    };
    let mut found = Found { places: Vec::new(), stopped: None };
    for row in &rows {
        if row.get(2) {
            found.places.push(place(row));
        }
        if row.get(3) {
            found.stopped = Some(place(row));
        }
    }
    Ok(found)
}

fn place(row: &Row) -> Place {
    Place { id: DeliveryId(row.get(0)), event_seq: row.get(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let id: DeliveryId = "whd_0123456789abcdef0123456789abcdef".parse().unwrap();
        let place = Place { event_seq: 77, id };
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in ["", "7", "7.", "-1.whd_0123456789abcdef0123456789abcdef", "x.whd_0"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
