//! Pages by key. A cursor is the key of a page's last thing and a digest of the filters it belongs to: with others it is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::problem::Problem;
use super::shapes::Page;

/// Bytes of the digest that a cursor holds.
const BOUND: usize = 8;

/// What a list is asked for, apart from the page: the cursors of another list mean nothing here.
#[derive(Debug)]
pub(super) struct List {
    digest: [u8; BOUND],
}

impl List {
    /// The list of this name with these filters.
    pub(super) fn of(name: &str, filters: &Value) -> Self {
        let whole: [u8; 32] = Sha256::digest(format!("{name}\n{filters}")).into();
        let mut digest = [0; BOUND];
        digest.copy_from_slice(&whole[..BOUND]);
        Self { digest }
    }

    /// The key that a cursor stands for. Code: `cursor`.
    pub(super) fn key<T: std::str::FromStr>(
        &self,
        cursor: Option<&str>,
    ) -> Result<Option<T>, Problem> {
        let Some(cursor) = cursor else { return Ok(None) };
        let refused = |detail| Problem::field("?cursor", "cursor", detail);
        let syntax = || refused("is none of ours");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| syntax())?;
        let (digest, key) = bytes.split_at_checked(BOUND).ok_or_else(syntax)?;
        if digest != self.digest {
            return Err(refused("belongs to a list with other filters"));
        }
        let key = std::str::from_utf8(key).ok().and_then(|key| key.parse().ok());
        key.map(Some).ok_or_else(syntax)
    }

    /// A page: what is on it, and where the next one begins if this one is full.
    pub(super) fn page<V, T: ToString>(
        &self,
        data: Vec<V>,
        last: Option<T>,
        limit: i64,
    ) -> Page<V> {
        let full = i64::try_from(data.len()).is_ok_and(|count| count >= limit);
        let next = last
            .filter(|_| full)
            .map(|key| URL_SAFE_NO_PAD.encode([&self.digest, key.to_string().as_bytes()].concat()));
        Page { data, has_more: next.is_some(), next_cursor: next, cut: false }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cursor_is_read_by_the_list_it_came_from_and_no_other() {
        let list = List::of("events", &json!({ "type": "a" }));
        let page = list.page(vec![json!(1), json!(2)], Some(17), 2);
        assert!(page.has_more);
        let cursor = page.next_cursor.as_deref();
        assert_eq!(list.key::<i64>(cursor).unwrap(), Some(17));
        for other in [
            List::of("events", &json!({ "type": "b" })),
            List::of("audit", &json!({ "type": "a" })),
        ] {
            assert!(other.key::<i64>(cursor).is_err());
        }
        for wrong in ["", "AAAA", "!", "AAAAAAAAAAAAAAAA"] {
            assert!(list.key::<i64>(Some(wrong)).is_err(), "{wrong:?}");
        }
        assert_eq!(list.page(vec![json!(1)], Some(17), 2).next_cursor, None);
    }
}
