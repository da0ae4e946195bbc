//! What went wrong, as RFC 9457 writes it: `application/problem+json` with a stable `code`, and the fields to blame.

use axum::response::{IntoResponse, Json, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use postrider_core::input::InputError;
use postrider_store::{ErrorKind, StoreError};
use schemars::JsonSchema;
use serde::Serialize;
use tracing::error;

use super::request::RequestId;

/// An answer that is a problem.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// Part of the API: never changes its meaning.
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<u16>,
}

/// A problem as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct ProblemDocument {
    #[schemars(with = "String")]
    r#type: &'static str,
    #[schemars(with = "String")]
    title: &'static str,
    status: u16,
    /// Stable: what a program goes by.
    #[schemars(with = "String")]
    code: &'static str,
    /// For people.
    detail: String,
    /// Also in the header x-request-id and in the log of the daemon.
    request_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    errors: Vec<FieldError>,
}

/// A field that cannot be accepted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct FieldError {
    /// A JSON pointer into the body, or ?name of a parameter.
    pub(super) pointer: String,
    #[schemars(with = "String")]
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// What is not there, or is another tenant's.
    pub(super) fn not_found(what: &'static str, detail: impl Into<String>) -> Self {
        let code = match what {
            "event" => "event.not_found",
            "endpoint" => "endpoint.not_found",
            "delivery" => "delivery.not_found",
            "api key" => "api_key.not_found",
            "job" => "job.not_found",
            "event type" => "event_type.not_found",
            _ => "not_found",
        };
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// Who asks is not known.
    pub(super) fn unauthorized(detail: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// Who asks may not.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(super) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    pub(super) fn method(method: &Method) -> Self {
        let detail = format!("{method} means nothing here");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
    }

    /// A field of the body, or a parameter, that cannot be accepted.
    pub(super) fn field(pointer: impl Into<String>, code: &'static str, detail: &str) -> Self {
        let error = FieldError { pointer: pointer.into(), code, detail: detail.to_owned() };
        Self::fields(StatusCode::UNPROCESSABLE_ENTITY, vec![error])
    }

    /// The same of several; the first one's code is the problem's.
    pub(super) fn fields(status: StatusCode, errors: Vec<FieldError>) -> Self {
        let code = errors.first().map_or("input", |error| error.code);
        let words: Vec<String> = errors
            .iter()
            .map(|error| match error.pointer.as_str() {
                "" => format!("the body: {}", error.detail),
                pointer => format!("{pointer}: {}", error.detail),
            })
            .collect();
        Self { errors, ..Self::new(status, code, words.join("; ")) }
    }

    /// The first field to blame.
    #[cfg(test)]
    pub(super) fn first(&self) -> Option<&FieldError> {
        self.errors.first()
    }

    /// The same with another status, if it has that one.
    pub(super) fn with_status(self, from: StatusCode, to: StatusCode) -> Self {
        if self.status == from { Self { status: to, ..self } } else { self }
    }

    /// Whether it may be answered another time.
    pub(super) fn is_passing(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// The same is to be asked again after so many seconds.
    pub(super) fn again_after(self, seconds: u16) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl From<InputError> for Problem {
    fn from(error: InputError) -> Self {
        Self::field(pointer(&error.field), error.code, &error.detail)
    }
}

impl From<postrider_event::InvalidEvent> for Problem {
    fn from(invalid: postrider_event::InvalidEvent) -> Self {
        Self::field(pointer(&invalid.field), invalid.code, &invalid.detail)
    }
}

/// The JSON pointer of a field as our messages name it: `headers.x-team`, `retry_schedule[2]`.
fn pointer(field: &str) -> String {
    let parts = field.split(['.', '[']).map(|part| part.trim_end_matches(']'));
    parts.filter(|part| !part.is_empty()).fold(String::new(), |mut pointer, part| {
        pointer.push('/');
        pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
        pointer
    })
}

impl From<StoreError> for Problem {
    fn from(failure: StoreError) -> Self {
        let unavailable =
            |code, detail| Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).again_after(1);
        let request = RequestId::current();
        match failure.kind() {
            ErrorKind::Unavailable | ErrorKind::Resources => {
                error!(request, error = %failure, "a request could not be answered: {failure}");
                unavailable("database.unavailable", "the database cannot be reached")
            }
            ErrorKind::ReadOnly => {
                unavailable("database.read_only", "the database takes no changes")
            }
            ErrorKind::Retryable => {
                unavailable("database.busy", "the database is busy with the same rows")
            }
            ErrorKind::Denied => {
                error!(request, error = %failure, "a request could not be answered: {failure}");
                let detail = "the database denies it; run deploy/roles.sql as a superuser, and see the log of the daemon";
                unavailable("database.denied", detail)
            }
            ErrorKind::Content | ErrorKind::Other => {
                error!(request, error = %failure, "a request could not be answered: {failure}");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "the log of the daemon says why, under this request_id",
                )
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let document = ProblemDocument {
            r#type: "about:blank",
            title,
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
            request_id: RequestId::current(),
            errors: self.errors,
        };
        let mut response = (self.status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_ours_has_its_pointer() {
        for (field, expected) in [
            ("url", "/url"),
            ("headers.x-team", "/headers/x-team"),
            ("retry_schedule[2]", "/retry_schedule/2"),
            ("attributes.a/b~c", "/attributes/a~1b~0c"),
            ("", ""),
        ] {
            assert_eq!(pointer(field), expected);
        }
    }
}
