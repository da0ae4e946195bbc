//! The body of a request: bounded in bytes and in the time it takes to come.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::StatusCode;

use super::problem::Problem;

/// The largest body of a request.
pub(super) const MOST_BYTES: usize = 2 << 20;
const LONGEST: Duration = Duration::from_secs(30);

/// A body, whole.
pub(super) struct Body(pub(super) Bytes);

impl<S: Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        read(request.into_body()).await.map(Self)
    }
}

/// Reads a body to its end. Codes: `body.size`, `body.time`.
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
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body.time", detail))
        }
    }
}
