//! The parameters of a request's query: each is named once, and one that means nothing here is refused.

use axum::extract::FromRequestParts;
use http::request::Parts;
use jiff::Timestamp;
use postrider_core::input::check_tenant;

use super::problem::Problem;

/// How many things a page has, if nothing is said, and at most.
const PAGE: i64 = 50;
const MOST: i64 = 100;

/// What is left of the parameters. Take what is known, then [`Params::end`].
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut params: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if params.iter().any(|(other, _)| *other == name) {
                return Err(refused(&name, "query.twice", "is there more than once"));
            }
            if name.contains('\0') || value.contains('\0') {
                return Err(refused("query", "query.nul", "holds a NUL byte"));
            }
            params.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(params))
    }

    /// A text, if it is there.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(place).1)
    }

    /// A value that can be read from text. Codes: `limit`, `time`, `query.syntax`.
    pub(super) fn parsed<T: std::str::FromStr>(
        &mut self,
        name: &str,
        what: &str,
    ) -> Result<Option<T>, Problem> {
        let read = |text: String| {
            text.parse().map_err(|_| refused(name, code(name), &format!("must be {what}")))
        };
        self.text(name).map(read).transpose()
    }

    /// The tenant that is asked about. Code: `tenant.syntax`.
    pub(super) fn tenant(&mut self) -> Result<Option<String>, Problem> {
        let tenant = self.text("tenant_id");
        if let Some(tenant) = &tenant {
            check_tenant(tenant)
                .map_err(|error| refused("tenant_id", error.code, &error.detail))?;
        }
        Ok(tenant)
    }

    /// A time.
    pub(super) fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let time = self.parsed(name, "a time such as 2026-11-21T13:00:00Z")?;
        // Nothing is older, and PostgreSQL's times begin later than ours.
        Ok(time.map(|time: Timestamp| time.max(Timestamp::UNIX_EPOCH)))
    }

    /// How many are asked for.
    pub(super) fn limit(&mut self) -> Result<i64, Problem> {
        self.limit_or(PAGE)
    }

    /// How many are asked for; so many if nothing is said.
    pub(super) fn limit_or(&mut self, usual: i64) -> Result<i64, Problem> {
        let what = format!("1 to {MOST}");
        let limit = self.parsed("limit", &what)?.unwrap_or(usual);
        if (1..=MOST).contains(&limit) {
            return Ok(limit);
        }
        Err(refused("limit", "limit", &format!("must be {what}")))
    }

    /// # Errors
    /// When something is left: a misspelt filter would answer with everything.
    pub(super) fn end(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(refused(name, "query.unknown", "is no parameter of this path")),
        }
    }
}

/// The code of a parameter that cannot be read.
fn code(name: &str) -> &'static str {
    match name {
        "limit" => "limit",
        "since" | "until" => "time",
        _ => "query.syntax",
    }
}

fn refused(name: &str, code: &'static str, detail: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    Problem::field(format!("?{name}"), code, detail)
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_refused() {
        let mut params = Params::parse("limit=7&type=email.*&x=1").unwrap();
        assert_eq!(params.limit().unwrap(), 7);
        assert_eq!(params.text("type").as_deref(), Some("email.*"));
        assert_eq!(params.text("since"), None);
        assert!(params.end().is_err());
    }

    #[test]
    fn bounds_and_doubles_are_seen() {
        for query in ["limit=0", "limit=101", "limit=x", "limit=9223372036854775808"] {
            assert!(Params::parse(query).unwrap().limit().is_err(), "{query}");
        }
        assert!(Params::parse("a=1&a=2").is_err());
        assert!(Params::parse("a=%00").is_err());
        assert!(Params::parse("since=yesterday").unwrap().time("since").is_err());
        assert_eq!(Params::parse("").unwrap().limit().unwrap(), PAGE);
    }
}
