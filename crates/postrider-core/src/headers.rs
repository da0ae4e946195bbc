//! An endpoint's own request headers, checked once when they are given.
//!
//! Read from the API, the command line or the unsealed row; the destination adds them to each request. Their values are
//! treated like secrets throughout: marked sensitive, absent from `Debug` and from every error.

use std::fmt;

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::input::{InputError, shown};

/// How many headers an endpoint may have.
pub const MAX_HEADERS: usize = 32;
/// The longest header name.
pub const MAX_NAME_BYTES: usize = 256;
/// The longest header value.
pub const MAX_VALUE_BYTES: usize = 4096;

/// Names that the sender sets itself, that frame the message, or that belong to one connection.
const RESERVED: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
/// Whole families of such names.
const RESERVED_PREFIXES: [&str; 2] = ["webhook-", "proxy-"];

/// Request headers that a tenant adds to every request to an endpoint.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CustomHeaders {
    // At most MAX_HEADERS, names distinct and not reserved, values visible ASCII and marked sensitive.
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl CustomHeaders {
    /// Checks names and values in their order.
    ///
    /// Codes: `header.count`, `header.name`, `header.reserved`, `header.duplicate`, `header.length`, `header.value`.
    pub fn parse<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> Result<Self, InputError> {
        Self::collect(
            pairs.len(),
            pairs.iter().map(|(name, value)| Ok((name.as_ref(), value.as_ref()))),
        )
    }

    /// Checks a JSON object of texts. Codes as [`CustomHeaders::parse`], and `type` for a value that is no text.
    pub fn parse_json(object: &Map<String, Value>) -> Result<Self, InputError> {
        Self::collect(
            object.len(),
            object.iter().map(|(name, value)| match value {
                Value::String(value) => Ok((name.as_str(), value.as_str())),
                _ => Err(refused(name, "type", "must be a string")),
            }),
        )
    }

    fn collect<'a>(
        count: usize,
        pairs: impl Iterator<Item = Result<(&'a str, &'a str), InputError>>,
    ) -> Result<Self, InputError> {
        if count > MAX_HEADERS {
            let detail = format!("has {count} headers; at most {MAX_HEADERS} are allowed");
            return Err(InputError::new("headers", "header.count", detail));
        }
        let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(count);
        for (index, pair) in pairs.enumerate() {
            let numbered = |refusal: InputError| match refusal.field.as_str() {
                "headers" => InputError { field: format!("headers[{index}]"), ..refusal },
                _ => refusal,
            };
            let (name, value) = pair.map_err(numbered)?;
            let checked = checked_name(name).map_err(numbered)?;
            if headers.iter().any(|(earlier, _)| *earlier == checked) {
                return Err(refused(
                    name,
                    "header.duplicate",
                    "is given twice; names are compared without case",
                ));
            }
            headers.push((checked, checked_value(name, value)?));
        }
        Ok(Self { headers })
    }

    /// Names and values, ready for a request.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter().map(|(name, value)| (name, value))
    }

    /// The names, which may be shown; the values may not.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// The JSON object that [`CustomHeaders::parse_json`] reads, to be sealed. Wiped when dropped.
    pub fn expose_json(&self) -> Zeroizing<String> {
        let object: Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| {
                let value = value.to_str().expect("values were checked to be visible ASCII");
                (name.as_str().to_owned(), Value::from(value))
            })
            .collect();
        Zeroizing::new(Value::Object(object).to_string())
    }
}

/// Shows the names only.
impl fmt::Debug for CustomHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// The name of a header that an endpoint asked for, under the same rules. Codes: `header.name`, `header.reserved`,
/// `header.length`.
pub(crate) fn own_name(name: &str) -> Result<HeaderName, InputError> {
    checked_name(name)
}

fn checked_name(name: &str) -> Result<HeaderName, InputError> {
    if name.len() > MAX_NAME_BYTES {
        let detail = format!("the name has more than {MAX_NAME_BYTES} bytes");
        return Err(refused(name, "header.length", detail));
    }
    let Ok(checked) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err(refused(
            name,
            "header.name",
            "is not a header name; use letters, digits and hyphens",
        ));
    };
    let reserved = RESERVED.contains(&checked.as_str())
        || RESERVED_PREFIXES.iter().any(|prefix| checked.as_str().starts_with(prefix));
    if reserved {
        return Err(refused(
            name,
            "header.reserved",
            "is set by the sender and cannot be replaced",
        ));
    }
    Ok(checked)
}

fn checked_value(name: &str, value: &str) -> Result<HeaderValue, InputError> {
    if value.len() > MAX_VALUE_BYTES {
        let detail = format!("the value has more than {MAX_VALUE_BYTES} bytes");
        return Err(refused(name, "header.length", detail));
    }
    let visible = |byte: u8| byte == b' ' || byte == b'\t' || byte.is_ascii_graphic();
    let trimmed = value.trim_matches([' ', '\t']) == value;
    let checked =
        HeaderValue::from_str(value).ok().filter(|_| trimmed && value.bytes().all(visible));
    let Some(mut checked) = checked else {
        let detail = "the value must be visible ASCII without line breaks or outer blanks";
        return Err(refused(name, "header.value", detail));
    };
    checked.set_sensitive(true);
    Ok(checked)
}

/// Names the header, unless that is no name: where somebody forgot the colon it is a name and a secret value.
fn refused(name: &str, code: &'static str, detail: impl Into<String>) -> InputError {
    let is_name = name.len() <= MAX_NAME_BYTES && HeaderName::from_bytes(name.as_bytes()).is_ok();
    let field = if is_name { format!("headers.{}", shown(name)) } else { "headers".to_owned() };
    InputError::new(field, code, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(name: &str, value: &str) -> &'static str {
        CustomHeaders::parse(&[(name, value)]).map_or_else(|error| error.code, |_| "ok")
    }

    #[test]
    fn names_and_values_get_their_codes() {
        for (name, value, expected) in [
            ("X-Team", "blue", "ok"),
            ("authorization", "Bearer x y", "ok"),
            ("x-tab", "a\tb", "ok"),
            ("x-empty", "", "ok"),
            ("", "x", "header.name"),
            ("x y", "x", "header.name"),
            ("x\n", "x", "header.name"),
            ("x-a", " lead", "header.value"),
            ("x-a", "trail\t", "header.value"),
            ("x-a", "a\u{7f}b", "header.value"),
            ("x-a", "\u{feff}", "header.value"),
            ("WEBHOOK-anything", "x", "header.reserved"),
            ("Proxy-Authorization", "x", "header.reserved"),
            ("TE", "x", "header.reserved"),
            ("Traceparent", "x", "header.reserved"),
        ] {
            assert_eq!(code(name, value), expected, "{name:?}: {value:?}");
        }
        assert_eq!(code(&"n".repeat(257), "x"), "header.length");
        assert_eq!(code("x-a", &"v".repeat(4096)), "ok");
    }

    #[test]
    fn a_name_counts_once_whatever_its_case() {
        let error = CustomHeaders::parse(&[("X-A", "1"), ("x-a", "2")]).unwrap_err();
        assert_eq!((error.field.as_str(), error.code), ("headers.x-a", "header.duplicate"));
    }

    #[test]
    fn values_appear_in_no_error_and_no_debug_text() {
        let headers = CustomHeaders::parse(&[("authorization", "Bearer canary")]).unwrap();
        assert_eq!(format!("{headers:?}"), "[\"authorization\"]");
        for (_, value) in headers.iter() {
            assert!(!format!("{value:?}").contains("canary"));
        }
        let error = CustomHeaders::parse(&[("authorization", "canary\n")]).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    #[test]
    fn what_is_no_name_is_numbered_and_not_repeated() {
        let long = format!("canary{}", "x".repeat(MAX_NAME_BYTES));
        for (name, code) in [("X-Key canary", "header.name"), (&long, "header.length")] {
            let error = CustomHeaders::parse(&[("X-A", "1"), (name, "def")]).unwrap_err();
            assert_eq!((error.field.as_str(), error.code), ("headers[1]", code));
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        let object = serde_json::json!({ "X-Key canary": 1 });
        let error = CustomHeaders::parse_json(object.as_object().unwrap()).unwrap_err();
        assert_eq!((error.field.as_str(), error.code), ("headers[0]", "type"));
        assert!(!own_name("X-Key canary").unwrap_err().to_string().contains("canary"));
    }

    #[test]
    fn what_is_sealed_reads_back() {
        let headers = CustomHeaders::parse(&[("X-B", "2\t\"q\""), ("X-A", "1")]).unwrap();
        let json = headers.expose_json();
        let object: Map<String, Value> = serde_json::from_str(&json).unwrap();
        let mut names: Vec<_> = headers.names().collect();
        let again = CustomHeaders::parse_json(&object).unwrap();
        let mut names_again: Vec<_> = again.names().collect();
        names.sort_unstable();
        names_again.sort_unstable();
        assert_eq!(names, names_again);
        assert_eq!(object["x-b"], "2\t\"q\"");
    }
}
