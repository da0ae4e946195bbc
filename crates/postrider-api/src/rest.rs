//! The REST API under `/api/v1`: JSON, bearer keys, problems as RFC 9457 has them, pages by key.
//!
//! Every handler gets a [`Caller`], whose `db` shows it what its key allows and nothing else: a tenant's key works as the role
//! `postrider_api`, to which row security shows that tenant alone. Reads and writes through `postrider_store::admin`.

mod api_keys;
mod audit;
mod body;
mod caller;
mod cursor;
mod deliveries;
mod endpoint_body;
mod endpoint_changes;
mod endpoints;
mod event_types;
mod events;
mod explain;
mod idempotency;
mod jobs;
mod openapi;
mod operation;
mod params;
mod problem;
mod publish;
mod rate;
mod redeliver;
mod request;
mod shapes;
mod webhooks;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use http::header::ALLOW;
use http::{HeaderValue, Method};
use postrider_core::address::AddressPolicy;
use postrider_core::seal::KeyRing;
use postrider_event::schema::SchemaCache;
use postrider_runtime::Stop;
use postrider_store::Db;
use tokio::net::TcpListener;

use self::operation::Operation;
use self::problem::Problem;
use self::rate::Rate;
use crate::server::{self, Times};

/// Connections at once.
const MOST_CONNECTIONS: usize = 512;
const TIMES: Times =
    Times { head: Duration::from_secs(20), connection: Duration::from_secs(3_600) };

/// What the API works with. Clones share it.
#[derive(Debug, Clone)]
pub struct Api(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    keys: Arc<KeyRing>,
    egress: Egress,
    open: bool,
    rate: Rate,
    /// Of event types whose payloads are checked.
    schemas: SchemaCache,
}

/// What URLs of endpoints are judged by.
#[derive(Debug, Clone)]
pub struct Egress {
    /// Whether plain `http` is accepted.
    pub allow_http: bool,
    pub addresses: AddressPolicy,
}

impl Api {
    /// An API on this database, with the keys that seal secrets. `open`: who asks from this machine itself needs no API key, for trying
    /// things out. Each caller may ask `per_second` times a second.
    #[must_use]
    pub fn new(
        db: Db,
        keys: Arc<KeyRing>,
        egress: Egress,
        open: bool,
        per_second: NonZeroU32,
    ) -> Self {
        let (rate, schemas) = (Rate::new(per_second), SchemaCache::default());
        Self(Arc::new(Inner { db, keys, egress, open, rate, schemas }))
    }

    fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    fn egress(&self) -> &Egress {
        &self.0.egress
    }

    fn db(&self) -> &Db {
        &self.0.db
    }

    fn rate(&self) -> &Rate {
        &self.0.rate
    }

    fn schemas(&self) -> &SchemaCache {
        &self.0.schemas
    }

    fn is_open(&self) -> bool {
        self.0.open
    }

    /// Answers on `listener` until `stop` is requested: softly, requests in hand are answered first.
    ///
    /// # Errors
    /// When the listener itself fails.
    pub async fn serve(self, listener: TcpListener, stop: Stop) -> std::io::Result<()> {
        let router = router(self);
        let service = move |address: SocketAddr| {
            let router = router.clone();
            move |request: http::Request<hyper::body::Incoming>| {
                let mut request = request.map(axum::body::Body::new);
                request.extensions_mut().insert(Peer(address));
                let router = router.clone();
                async move { tower::ServiceExt::oneshot(router, request).await }
            }
        };
        server::listen(listener, TIMES, MOST_CONNECTIONS, stop, service).await
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
struct Peer(SocketAddr);

/// Everything that can be asked.
fn operations() -> Vec<Operation> {
    let all = [
        events::operations(),
        publish::operations(),
        endpoints::operations(),
        deliveries::operations(),
        jobs::operations(),
        event_types::operations(),
        api_keys::operations(),
        audit::operations(),
        webhooks::operations(),
    ];
    all.into_iter().flatten().collect()
}

fn router(api: Api) -> Router {
    let document = openapi::document(&operations());
    let document = move || async move { Json(document) };
    let routes = operation::router(operations()).method_not_allowed_fallback(no_method);
    let asked = Router::new()
        .nest("/api/v1", routes)
        .fallback(no_route)
        // The last one is the outermost: a caller is found, then its key is looked at.
        .layer(middleware::from_fn_with_state(api.clone(), idempotency::once))
        .layer(middleware::from_fn_with_state(api.clone(), rate::limit))
        .layer(middleware::from_fn_with_state(api.clone(), caller::identify));
    Router::new()
        // What the API is may be read by everybody.
        .route("/openapi.json", get(document))
        .route("/docs", get(openapi::page))
        .route("/docs/viewer.js", get(openapi::viewer))
        .merge(asked)
        .method_not_allowed_fallback(no_method)
        // Before all that, a request is given its id.
        .layer(middleware::from_fn(request::identify))
        .with_state(api)
}

async fn no_route(request: Request) -> Response {
    if [Method::TRACE, Method::CONNECT].contains(request.method()) {
        let allowed = HeaderValue::from_static("GET,HEAD,POST,PUT,PATCH,DELETE");
        return ([(ALLOW, allowed)], Problem::method(request.method())).into_response();
    }
    Problem::not_found("path", "there is nothing here; the API is under /api/v1").into_response()
}

async fn no_method(request: Request) -> Problem {
    Problem::method(request.method())
}
