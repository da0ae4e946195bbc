//! In what order an endpoint is sent to, and what becomes of those behind a delivery that fails.

use crate::input::InputError;

/// The most attempts after which a delivery can be skipped: what the longest schedule allows.
pub const MOST_SKIP_AFTER: u16 = 31;

/// What an endpoint asks for. Order is that of `seq` among events that were not published at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ordering {
    /// Nothing.
    #[default]
    None,
    /// Events of the same ordering key one after the other; those without a key in no order.
    Key,
    /// All its events one after the other.
    Endpoint,
}

impl Ordering {
    /// The word for it, in the table and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Key => "key",
            Self::Endpoint => "endpoint",
        }
    }

    /// Reads the word. Code: `ordering.value`.
    ///
    /// # Errors
    /// When it is another word.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        [Self::None, Self::Key, Self::Endpoint].into_iter().find(|o| o.as_str() == text).ok_or_else(
            || InputError::new("ordering", "ordering.value", "must be none, key or endpoint"),
        )
    }

    /// The order key of a delivery of an event with this ordering key; `None` if it has no place in any order. An event's own
    /// key is never empty, so the empty one, of endpoints that order everything, is no event's.
    #[must_use]
    pub fn key(self, ordering_key: Option<&str>) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Key => ordering_key,
            Self::Endpoint => Some(""),
        }
    }
}

/// What a failing delivery does to those of its key behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// They wait until it has ended, be it that its schedule is spent.
    #[default]
    Block,
    /// It ends as `skipped` after so many attempts, 1 to [`MOST_SKIP_AFTER`].
    SkipAfter(u16),
}

impl OnFailure {
    /// Reads `block` or `skip:3`. Code: `on_failure.value`.
    ///
    /// # Errors
    /// When it is neither, or the number is out of range.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        let attempts = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.then(|| text.parse().ok()).flatten();
            number.filter(|number| (1..=MOST_SKIP_AFTER).contains(number))
        };
        let parsed = match text.strip_prefix("skip:") {
            Some(number) => attempts(number).map(Self::SkipAfter),
            None => (text == "block").then_some(Self::Block),
        };
        parsed.ok_or_else(|| {
            let detail = format!("must be block, or skip:N with N from 1 to {MOST_SKIP_AFTER}");
            InputError::new("on_failure", "on_failure.value", detail)
        })
    }

    /// As [`OnFailure::parse`] reads it.
    #[must_use]
    pub fn to_text(self) -> String {
        match self {
            Self::Block => "block".to_owned(),
            Self::SkipAfter(attempts) => format!("skip:{attempts}"),
        }
    }

    /// The number of attempts, if it skips.
    #[must_use]
    pub fn skip_after(self) -> Option<u16> {
        match self {
            Self::Block => None,
            Self::SkipAfter(attempts) => Some(attempts),
        }
    }

    /// What the table says.
    #[must_use]
    pub fn of_column(skip_after: Option<i16>) -> Self {
        skip_after.and_then(|n| u16::try_from(n).ok()).map_or(Self::Block, Self::SkipAfter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_key_is_the_events_or_the_endpoints_or_none() {
        assert_eq!(Ordering::None.key(Some("c1")), None);
        assert_eq!(Ordering::Key.key(Some("c1")), Some("c1"));
        assert_eq!(Ordering::Key.key(None), None);
        assert_eq!(Ordering::Endpoint.key(Some("c1")), Some(""));
        assert_eq!(Ordering::Endpoint.key(None), Some(""));
    }

    #[test]
    fn words_are_read_as_they_are_written_and_others_are_refused() {
        for ordering in [Ordering::None, Ordering::Key, Ordering::Endpoint] {
            assert_eq!(Ordering::parse(ordering.as_str()), Ok(ordering));
        }
        assert_eq!(Ordering::parse("keys").unwrap_err().code, "ordering.value");
        for policy in [OnFailure::Block, OnFailure::SkipAfter(1), OnFailure::SkipAfter(31)] {
            assert_eq!(OnFailure::parse(&policy.to_text()), Ok(policy));
        }
        for wrong in
            ["skip", "skip:", "skip:0", "skip:32", "skip:+3", "skip:-1", "Block", "", "skip:3 "]
        {
            let error = OnFailure::parse(wrong).unwrap_err();
            assert_eq!(
                (error.field.as_str(), error.code),
                ("on_failure", "on_failure.value"),
                "{wrong:?}"
            );
        }
    }
}
