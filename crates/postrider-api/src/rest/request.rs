//! What every request is given before anything else: an id, which its answer, the log and the audit log name.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderValue, StatusCode, Version};
use uuid::Uuid;

use super::problem::Problem;

tokio::task_local! {
    static ID: RequestId;
}

/// `req_` and 32 hex digits.
#[derive(Debug, Clone)]
pub(super) struct RequestId(String);

impl RequestId {
    fn new() -> Self {
        Self(format!("req_{}", Uuid::now_v7().simple()))
    }

    /// Work that goes on under the same id elsewhere.
    pub(super) fn scoped<F: Future>(work: F) -> impl Future<Output = F::Output> {
        ID.scope(Self(Self::current()), work)
    }

    /// Of the request that is being answered.
    pub(super) fn current() -> String {
        ID.try_with(|id| id.0.clone()).unwrap_or_default()
    }
}

pub(super) async fn identify(request: Request, next: Next) -> Response {
    let id = RequestId::new();
    let header = HeaderValue::from_str(&id.0).expect("hex digits");
    let mut response = ID
        .scope(id, async {
            if request.version() == Version::HTTP_11 && !request.headers().contains_key(HOST) {
                let detail = "HTTP/1.1 asks for a Host header";
                return Problem::new(StatusCode::BAD_REQUEST, "host", detail).into_response();
            }
            // Of a request with a length and chunks the parser shows us the chunks alone; so none may come in chunks.
            if request.headers().contains_key(TRANSFER_ENCODING) {
                let detail = "send the body with a content-length, not in chunks";
                return Problem::new(StatusCode::BAD_REQUEST, "framing", detail).into_response();
            }
            let response = next.run(request).await;
            let ours = response.headers().get(CONTENT_TYPE).is_some_and(|kind| {
                [&b"application/json"[..], b"application/problem+json"].contains(&kind.as_bytes())
            });
            // What the router refuses by itself, such as a path that is no text.
            match response.status() {
                status if ours || status.is_success() => response,
                status => {
                    Problem::new(status, "request", "the request cannot be read").into_response()
                }
            }
        })
        .await;
    response.headers_mut().insert("x-request-id", header);
    response
}
