//! Events by what they are: type, user, attributes, label, state, time, in either order.
//! Finds where they are by the index that leaves the fewest, then reads the events themselves as whoever asks: what row security hides from
//! them is not on the page, whatever was found.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;

use crate::admin::events::{EventSummary, summary};
use crate::statement::{
    ADMIN_EVENTS_BY_KEYS, ADMIN_EVENTS_BY_TENANT, ADMIN_EVENTS_BY_TENANT_OLDEST_FIRST,
    ADMIN_EVENTS_BY_TIME, ADMIN_EVENTS_BY_TIME_OLDEST_FIRST, ADMIN_EVENTS_BY_TYPE,
    ADMIN_EVENTS_BY_TYPE_OLDEST_FIRST, ADMIN_EVENTS_BY_USER, ADMIN_EVENTS_BY_USER_OLDEST_FIRST,
    ADMIN_EVENTS_SEQ_AT, ADMIN_EVENTS_TENANTS,
};
use crate::{Db, Session, Statement, StoreError};

/// By how much the order of events' numbers and that of their times may differ.
const SLACK: SignedDuration = SignedDuration::from_secs(10);
/// The index's groups of events are counted in 31 bits.
const NO_END: i64 = (1 << 43) - 1;
/// Where no tenant is named, up to so many are asked one by one; with more of them all events are looked through.
const FEW_TENANTS: i64 = 16;

/// Which way a list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    #[default]
    NewestFirst,
    OldestFirst,
}

/// Which events to list.
#[derive(Debug, Clone)]
pub struct EventQuery<'a> {
    pub tenant: Option<&'a str>,
    /// An exact type, or a prefix as `email.*`.
    pub event_type: Option<&'a str>,
    /// Whose they are: the attribute `user_id`, else `distinct_id` in the data.
    pub distinct_id: Option<&'a str>,
    /// Attributes and what they are, as text.
    pub attributes: &'a BTreeMap<String, String>,
    pub label: Option<&'a str>,
    /// `pending`, `failed` or `fanned_out`.
    pub state: Option<&'a str>,
    /// Not older than this.
    pub since: Timestamp,
    /// Older than this.
    pub until: Option<Timestamp>,
    pub order: Order,
    /// Only those behind the event of this seq, in the order of the list: where the page before ended.
    pub after: Option<i64>,
    pub limit: i64,
    /// How many are looked at before the page ends as it is.
    pub look: i64,
}

/// One page of events.
#[derive(Debug, Clone)]
pub struct EventPage {
    pub rows: Vec<EventSummary>,
    /// Behind which event the next page begins; `None`: there is nothing more.
    pub next: Option<i64>,
    /// Whether the page ended because enough was looked at: more may match behind it.
    pub cut: bool,
}

/// Where an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    seq: i64,
    created_at: Timestamp,
}

/// What looking came to.
#[derive(Debug, Default)]
struct Found {
    places: Vec<Place>,
    /// The last event that was looked at, if there may be more behind it.
    stopped: Option<i64>,
}

/// One page of events. `finder` looks for them and sees all; `db` reads those of the page.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(finder: &Db, db: &Db, query: &EventQuery<'_>) -> Result<EventPage, StoreError> {
    let mut session = finder.session().await?;
    let ends = ends(&mut session, query).await?;
    let mut found = Vec::new();
    for tenant in tenants(&mut session, query).await? {
        found.push(look(&mut session, query, tenant.as_deref(), ends).await?);
    }
    drop(session);
    let (places, next, cut) = merged(found, query.order, query.limit);
    Ok(EventPage { rows: read(db, &places).await?, next, cut })
}

/// Between which seqs to look, both excluded.
async fn ends(session: &mut Session, query: &EventQuery<'_>) -> Result<(i64, i64), StoreError> {
    let since = query.since.checked_sub(SLACK).unwrap_or(Timestamp::MIN);
    let mut low = 0;
    if since > Timestamp::UNIX_EPOCH {
        low = seq_at(session, since).await?.map_or(0, |seq| seq - 1);
    }
    let mut high = NO_END;
    if let Some(until) = query.until {
        let until = until.checked_add(SLACK).unwrap_or(Timestamp::MAX);
        high = seq_at(session, until).await?.unwrap_or(NO_END);
    }
    match (query.order, query.after) {
        (Order::NewestFirst, Some(after)) => high = high.min(after),
        (Order::OldestFirst, Some(after)) => low = low.max(after),
        (_, None) => {}
    }
    Ok((low.clamp(0, NO_END), high.clamp(0, NO_END)))
}

/// About which seq was the first at that time; `None`: nothing was published on that day, or it is gone.
pub(crate) async fn seq_at(
    session: &mut Session,
    time: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let rows = session.query(&ADMIN_EVENTS_SEQ_AT, &[&time]).await?;
    Ok(rows.first().and_then(|row| row.get(0)))
}

/// Whose events to look through; `None`: everybody's together.
async fn tenants(
    session: &mut Session,
    query: &EventQuery<'_>,
) -> Result<Vec<Option<String>>, StoreError> {
    if let Some(tenant) = query.tenant {
        return Ok(vec![Some(tenant.to_owned())]);
    }
    if query.distinct_id.is_some() || exact(query).is_some() {
        let rows = session.query(&ADMIN_EVENTS_TENANTS, &[&(FEW_TENANTS + 1)]).await?;
        if i64::try_from(rows.len()).is_ok_and(|count| count <= FEW_TENANTS) {
            return Ok(rows.iter().map(|row| Some(row.get(0))).collect());
        }
    }
    Ok(vec![None])
}

fn exact<'a>(query: &EventQuery<'a>) -> Option<&'a str> {
    query.event_type.filter(|pattern| !pattern.ends_with('*'))
}

async fn look(
    session: &mut Session,
    query: &EventQuery<'_>,
    tenant: Option<&str>,
    (low, high): (i64, i64),
) -> Result<Found, StoreError> {
    let exact = exact(query);
    let prefix = query.event_type.and_then(|pattern| pattern.strip_suffix('*'));
    let attributes = (!query.attributes.is_empty())
        .then(|| query.attributes.iter().map(|(name, text)| (name.clone(), text.clone().into())))
        .map(|pairs| serde_json::Value::Object(pairs.collect()));
    // The end of time in the database's own calendar is further off.
    let until = query.until.unwrap_or(Timestamp::MAX);
    let rows = session
        .query(
            statement(query, tenant),
            &[
                &tenant,
                &exact,
                &prefix,
                &query.distinct_id,
                &attributes,
                &query.label,
                &query.state,
                &query.since,
                &until,
                &low,
                &high,
                &query.look,
                &query.limit,
            ],
        )
        .await?;
    let mut found = Found::default();
    for row in &rows {
        let place = Place { seq: row.get(0), created_at: row.get(1) };
        if row.get(2) {
            found.places.push(place);
        }
        if row.get(3) {
            found.stopped = Some(place.seq);
        }
    }
    Ok(found)
}

/// The statement whose index leaves the fewest to look at.
fn statement(query: &EventQuery<'_>, tenant: Option<&str>) -> &'static Statement {
    let newest = query.order == Order::NewestFirst;
    match (tenant, query.distinct_id, exact(query)) {
        (None, ..) if newest => &ADMIN_EVENTS_BY_TIME,
        (None, ..) => &ADMIN_EVENTS_BY_TIME_OLDEST_FIRST,
        (_, Some(_), _) if newest => &ADMIN_EVENTS_BY_USER,
        (_, Some(_), _) => &ADMIN_EVENTS_BY_USER_OLDEST_FIRST,
        (.., Some(_)) if newest => &ADMIN_EVENTS_BY_TYPE,
        (.., Some(_)) => &ADMIN_EVENTS_BY_TYPE_OLDEST_FIRST,
        _ if newest => &ADMIN_EVENTS_BY_TENANT,
        _ => &ADMIN_EVENTS_BY_TENANT_OLDEST_FIRST,
    }
}

/// What was found for each tenant in one order, as far as all of them were looked through; where to go on, and whether it ended early.
fn merged(found: Vec<Found>, order: Order, limit: i64) -> (Vec<Place>, Option<i64>, bool) {
    // So that the earlier in the list is the smaller.
    let rank = |seq: i64| if order == Order::NewestFirst { -seq } else { seq };
    let stopped = found.iter().filter_map(|one| one.stopped).min_by_key(|seq| rank(*seq));
    let mut places: Vec<Place> = found.into_iter().flat_map(|one| one.places).collect();
    places.sort_by_key(|place| rank(place.seq));
    if let Some(stopped) = stopped {
        places.retain(|place| rank(place.seq) <= rank(stopped));
    }
    places.truncate(usize::try_from(limit).unwrap_or(0));
    let full = i64::try_from(places.len()).is_ok_and(|count| count >= limit);
    match places.last() {
        Some(last) if full => (places.clone(), Some(last.seq), false),
        _ => (places, stopped, stopped.is_some()),
    }
}

async fn read(db: &Db, places: &[Place]) -> Result<Vec<EventSummary>, StoreError> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let seqs: Vec<i64> = places.iter().map(|place| place.seq).collect();
    let times: Vec<Timestamp> = places.iter().map(|place| place.created_at).collect();
    let rows: Vec<Row> = db.session().await?.query(&ADMIN_EVENTS_BY_KEYS, &[&seqs, &times]).await?;
    Ok(rows.iter().map(summary).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(seqs: &[i64], stopped: Option<i64>) -> Found {
        let place = |seq: &i64| Place { seq: *seq, created_at: Timestamp::UNIX_EPOCH };
        Found { places: seqs.iter().map(place).collect(), stopped }
    }

    #[test]
    fn nothing_is_shown_from_behind_where_somebody_was_not_looked_at() {
        let seqs = |places: &[Place]| places.iter().map(|place| place.seq).collect::<Vec<_>>();
        let both = || vec![found(&[90, 40, 7], Some(5)), found(&[80, 60], Some(50))];
        let (places, next, cut) = merged(both(), Order::NewestFirst, 10);
        assert_eq!((seqs(&places), next, cut), (vec![90, 80, 60], Some(50), true));
        let (places, next, cut) = merged(both(), Order::NewestFirst, 2);
        assert_eq!((seqs(&places), next, cut), (vec![90, 80], Some(80), false));
        let oldest = vec![found(&[1, 9], None), found(&[2, 3], Some(4))];
        let (places, next, cut) = merged(oldest, Order::OldestFirst, 10);
        assert_eq!((seqs(&places), next, cut), (vec![1, 2, 3], Some(4), true));
        let (places, next, cut) = merged(vec![found(&[3, 1], None)], Order::NewestFirst, 10);
        assert_eq!((seqs(&places), next, cut), (vec![3, 1], None, false));
    }
}
