//! A request as the resources describe it, and the answer to one.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;

/// What to ask.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Option<Result<Vec<u8>, Error>>,
}

impl Request {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None }
    }

    /// Parameters that are there.
    pub(crate) fn query<Q: Serialize>(mut self, query: &Q) -> Self {
        if let Ok(Value::Object(parameters)) = serde_json::to_value(query) {
            self.query = parameters
                .into_iter()
                .map(|(name, value)| match value {
                    Value::String(text) => (name, text),
                    other => (name, other.to_string()),
                })
                .collect();
        }
        self
    }

    pub(crate) fn body<B: Serialize>(mut self, body: &B) -> Self {
        let written = serde_json::to_vec(body);
        self.body = Some(written.map_err(|error| Error::Input(format!("the body: {error}"))));
        self
    }

    pub(crate) fn body_if<B: Serialize>(self, body: Option<&B>) -> Self {
        match body {
            Some(body) => self.body(body),
            None => self,
        }
    }

    /// The path with its query, where the next page begins at `cursor`.
    pub(crate) fn target(&self, cursor: Option<&str>) -> String {
        let pairs = self.query.iter().map(|(name, value)| (&**name, &**value));
        let pairs: Vec<(&str, &str)> =
            pairs.chain(cursor.map(|cursor| ("cursor", cursor))).collect();
        if pairs.is_empty() {
            return self.path.clone();
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("{}?{query}", self.path)
    }
}

/// A segment of a path: an id, with whatever does not belong there escaped.
pub(crate) fn part(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    if text.bytes().all(plain) && !matches!(text, "" | "." | "..") {
        return Cow::Borrowed(text);
    }
    let escaped = |byte: u8| match byte {
        byte if plain(byte) && byte != b'.' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    Cow::Owned(text.bytes().map(escaped).collect())
}

/// An answer that is no problem.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers, such as `etag`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as what it should be.
    ///
    /// # Errors
    /// [`Error::UnknownAnswer`] if it is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|source| Error::UnknownAnswer { status: self.status, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_in_its_place_in_the_path() {
        let cases = [("evt_1", "evt_1"), ("a/b?c", "a%2Fb%3Fc"), ("..", "%2E%2E"), ("é", "%C3%A9")];
        for (text, expected) in cases {
            assert_eq!(part(text), expected);
        }
    }
}
