//! How many events there were, by type, day, attribute or a value in their data, and how many users or other values they had.
//! Reads every event of the time in question, and gives up where that takes too long.

use jiff::Timestamp;

use crate::statement::{ADMIN_EVENTS_STATS, ADMIN_EVENTS_STATS_OF_TENANT};
use crate::{Db, StoreError};

/// Most groups of an answer.
pub const MOST_GROUPS: usize = 1_000;
/// How long counting may take.
const LIMIT: &str = "SET LOCAL statement_timeout = '10s'";
/// `query_canceled`: it took longer.
const CANCELLED: &str = "57014";

/// A value of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Type,
    /// The day (UTC) of publishing.
    Day,
    /// Whose it is: the attribute `user_id`, else `distinct_id` in the data.
    DistinctId,
    Attribute(String),
    /// A path in the data.
    Data(Vec<String>),
}

impl Field {
    /// By what events can be grouped: `type`, `day`, `template`, `attribute.NAME` or `data.PATH`.
    #[must_use]
    pub fn to_group_by(text: &str) -> Option<Self> {
        match text {
            "type" => Some(Self::Type),
            "day" => Some(Self::Day),
            "template" => Some(Self::Attribute("template_key".to_owned())),
            "distinct_id" => None,
            other => Self::to_tell_apart(other),
        }
    }

    /// What can be told apart in a group: `distinct_id`, `attribute.NAME` or `data.PATH`.
    #[must_use]
    pub fn to_tell_apart(text: &str) -> Option<Self> {
        if text == "distinct_id" {
            return Some(Self::DistinctId);
        }
        let (of, name) = text.split_once('.')?;
        let path: Vec<String> = name.split('.').map(str::to_owned).collect();
        match of {
            "attribute" if !name.is_empty() => Some(Self::Attribute(name.to_owned())),
            "data" if path.iter().all(|part| !part.is_empty()) => Some(Self::Data(path)),
            _ => None,
        }
    }

    /// As the statement names it, with the attribute's name and the path.
    fn parts(&self) -> (&'static str, Option<&str>, Option<&[String]>) {
        match self {
            Self::Type => ("type", None, None),
            Self::Day => ("day", None, None),
            Self::DistinctId => ("distinct_id", None, None),
            Self::Attribute(name) => ("attribute", Some(name), None),
            Self::Data(path) => ("data", None, Some(path)),
        }
    }
}

/// What to count.
#[derive(Debug, Clone)]
pub struct StatsQuery<'a> {
    pub tenant: Option<&'a str>,
    /// An exact type, or a prefix as `email.*`.
    pub event_type: Option<&'a str>,
    /// Not older than this.
    pub since: Timestamp,
    /// Older than this.
    pub until: Timestamp,
    /// `Type`, `Day`, `Attribute` or `Data`.
    pub group_by: Field,
    /// `DistinctId`, `Attribute` or `Data`: of how many values of it there were events.
    pub unique: Option<Field>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `None`: of events that have no such value.
    pub key: Option<String>,
    pub events: i64,
    pub unique: Option<i64>,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// Days in their order, others by their size; `cut`: the smallest were left out.
    Groups { groups: Vec<Group>, cut: bool },
    /// There is more in that time than can be counted.
    TooMuch,
}

/// Counts events.
///
/// # Errors
/// When the database cannot be asked.
pub async fn stats(db: &Db, query: &StatsQuery<'_>) -> Result<Counted, StoreError> {
    let prefix = query.event_type.and_then(|pattern| pattern.strip_suffix('*'));
    let exact = query.event_type.filter(|_| prefix.is_none());
    let (by, by_attribute, by_path) = query.group_by.parts();
    let (of, of_attribute, of_path) = match &query.unique {
        Some(field) => {
            let (word, attribute, path) = field.parts();
            (Some(word), attribute, path)
        }
        None => (None, None, None),
    };
    let most = i64::try_from(MOST_GROUPS).unwrap_or(i64::MAX) + 1;
    let statement = match query.tenant {
        Some(_) => &ADMIN_EVENTS_STATS_OF_TENANT,
        None => &ADMIN_EVENTS_STATS,
    };
    let mut session = db.session().await?;
    session.begin().await?;
    session.limit(LIMIT).await?;
    let counted = session
        .run(
            statement,
            &[
                &query.tenant,
                &exact,
                &prefix,
                &query.since,
                &query.until,
                &by,
                &by_attribute,
                &by_path,
                &of,
                &of_attribute,
                &of_path,
                &most,
            ],
        )
        .await;
    let rows = match counted {
        Err(error) if error.sqlstate() == Some(CANCELLED) => {
            session.rollback().await?;
            return Ok(Counted::TooMuch);
        }
        counted => counted?,
    };
    session.commit().await?;
    let cut = rows.len() > MOST_GROUPS;
    let group = |row: &tokio_postgres::Row| Group {
        key: row.get(0),
        events: row.get(1),
        unique: of.map(|_| row.get(2)),
    };
    Ok(Counted::Groups { groups: rows.iter().take(MOST_GROUPS).map(group).collect(), cut })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_group_by_is_read() {
        let data = |parts: &[&str]| Field::Data(parts.iter().map(ToString::to_string).collect());
        for (text, expected) in [
            ("type", Some(Field::Type)),
            ("day", Some(Field::Day)),
            ("template", Some(Field::Attribute("template_key".into()))),
            ("attribute.plan.x", Some(Field::Attribute("plan.x".into()))),
            ("data.a.b", Some(data(&["a", "b"]))),
            ("distinct_id", None),
            ("data", None),
            ("data.", None),
            ("data.a..b", None),
            ("attribute.", None),
            ("", None),
        ] {
            assert_eq!(Field::to_group_by(text), expected, "{text}");
        }
        assert_eq!(Field::to_tell_apart("distinct_id"), Some(Field::DistinctId));
        assert_eq!(Field::to_tell_apart("type"), None);
    }
}
