//! The body of a request: JSON, bounded in bytes and in the time it takes to come.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::problem::{FieldError, Problem};

/// The largest body of a request.
pub(super) const MOST_BYTES: usize = 2 << 20;
const LONGEST: Duration = Duration::from_secs(30);

/// A body, whole. One that is not empty says that it is JSON: what a page of somebody else's can send without asking says so never.
pub(super) struct Body(pub(super) Bytes);

impl<S: Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = read(body).await?;
        if !body.is_empty() && !is_json(&parts.headers) {
            let detail = "the content-type must be application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", detail));
        }
        Ok(Self(body))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// Reads a body to its end. Codes: `body.size`, `timeout`.
pub(super) async fn read(body: axum::body::Body) -> Result<Bytes, Problem> {
    let read = tokio::time::timeout(LONGEST, axum::body::to_bytes(body, MOST_BYTES)).await;
    match read {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let detail = format!("the body has more than {MOST_BYTES} bytes, or was cut off");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body.size", detail))
        }
        Err(_) => {
            let detail = format!("the body did not come within {LONGEST:?}");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail))
        }
    }
}

/// A body as JSON of a known shape. The pointer of an error names where it is.
/// Codes: `json` (400: no JSON, or a key twice), `unknown_field`, `required`, `time`, `type`.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // A list of values in the order of its fields would be read as a structure, too.
    if matches!(body.trim_ascii_start().first(), Some(b'[')) {
        return Err(Problem::field("", "type", "must be an object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader);
    let read = read.map_err(|error| {
        let path = error.path().to_string();
        refused(&path, &error.into_inner())
    })?;
    reader.end().map_err(|error| refused("", &error))?;
    Ok(read)
}

fn refused(path: &str, error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let known = |words: &str| text.starts_with(words);
    let data = error.classify() == Category::Data;
    let (status, code) = match () {
        () if !data || known("duplicate field") => (StatusCode::BAD_REQUEST, "json"),
        () if known("unknown field") => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_field"),
        () if known("missing field") => (StatusCode::UNPROCESSABLE_ENTITY, "required"),
        () if path.ends_with("since") || path.ends_with("until") => {
            (StatusCode::UNPROCESSABLE_ENTITY, "time")
        }
        () => (StatusCode::UNPROCESSABLE_ENTITY, "type"),
    };
    let mut pointer = pointer(path);
    if code == "required"
        && let Some(name) = text.split('`').nth(1)
    {
        pointer = format!("{pointer}/{name}");
    }
    Problem::fields(status, vec![FieldError { pointer, code, detail: text }])
}

/// The JSON pointer of a path such as `a.b[0]`. Before its first key a text has no path but `.` and `?`.
fn pointer(path: &str) -> String {
    match path {
        "" | "." | "?" => String::new(),
        path => format!("/{}", path.replace(['.', '['], "/").replace(']', "")),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read, not looked at")]
    struct Small {
        a: u8,
        b: Option<Vec<u8>>,
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_code_and_its_place() {
        for (body, code, pointer) in [
            (r#"{"a":"#, "json", "/a"),
            (r#"{"a":1,"a":2}"#, "json", ""),
            (r#"{"a":1} x"#, "json", ""),
            (r#"{"a":1,"c":2}"#, "unknown_field", "/c"),
            ("{}", "required", "/a"),
            (r#"{"a":"x"}"#, "type", "/a"),
            (r#"{"a":1,"b":[1,300]}"#, "type", "/b/1"),
            ("7", "type", ""),
            ("[1]", "type", ""),
        ] {
            let problem = parse::<Small>(body.as_bytes()).unwrap_err();
            let error = problem.first().expect("a field");
            assert_eq!((error.code, error.pointer.as_str()), (code, pointer), "{body}");
        }
        assert!(parse::<Small>(br#"{"a":1}"#).is_ok());
    }
}
