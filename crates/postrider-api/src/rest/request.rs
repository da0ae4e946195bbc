//! What every request is given before anything else: an id, which its answer, the log and the audit log name.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use uuid::Uuid;

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

    /// Of the request that is being answered.
    pub(super) fn current() -> String {
        ID.try_with(|id| id.0.clone()).unwrap_or_default()
    }
}

pub(super) async fn identify(request: Request, next: Next) -> Response {
    let id = RequestId::new();
    let header = HeaderValue::from_str(&id.0).expect("hex digits");
    let mut response = ID.scope(id, next.run(request)).await;
    response.headers_mut().insert("x-request-id", header);
    response
}
