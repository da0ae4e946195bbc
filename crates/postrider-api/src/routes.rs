//! What each path answers.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use postrider_runtime::Metrics;

use crate::{Readiness, Status, keys};

const JSON: &str = "application/json";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the answers are made of.
#[derive(Debug, Clone)]
pub(crate) struct Routes {
    pub(crate) readiness: Readiness,
    pub(crate) metrics: Metrics,
}

impl Routes {
    /// Answers one request.
    pub(crate) async fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let endpoint = path.strip_prefix(keys::PREFIX);
        if endpoint.is_none() && !matches!(path, "/healthz" | "/readyz" | "/metrics") {
            return reply(
                StatusCode::NOT_FOUND,
                JSON,
                error(
                    "no such page; there are /healthz, /readyz, /metrics and /.well-known/postrider/keys/ENDPOINT",
                ),
            );
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response =
                reply(StatusCode::METHOD_NOT_ALLOWED, JSON, error("only GET and HEAD"));
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        if let Some(endpoint) = endpoint {
            let (status, document) = keys::answer(self.readiness.db().as_ref(), endpoint).await;
            return reply(status, JSON, format!("{document}\n"));
        }
        match path {
            "/healthz" => reply(StatusCode::OK, JSON, "{\"status\":\"alive\"}\n".to_owned()),
            "/readyz" => {
                let report = self.readiness.check().await;
                let status = match report.status {
                    Status::Ready => StatusCode::OK,
                    Status::Unready | Status::Draining => StatusCode::SERVICE_UNAVAILABLE,
                };
                reply(status, JSON, format!("{}\n", report.to_json()))
            }
            _ => reply(StatusCode::OK, OPENMETRICS, self.metrics.encode()),
        }
    }
}

fn error(detail: &str) -> String {
    format!("{}\n", serde_json::json!({ "error": detail }))
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
