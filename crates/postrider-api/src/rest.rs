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
mod endpoint_parts;
mod endpoint_secrets;
mod endpoint_stats;
mod endpoints;
mod event_filter;
mod event_stats;
mod event_type_body;
mod event_types;
mod events;
mod explain;
mod feed;
mod filters;
mod given;
mod idempotency;
mod jobs;
mod openapi;
mod operation;
mod params;
mod problem;
mod publish;
mod pull;
mod rate;
mod redeliver;
mod request;
mod shapes;
mod stream;
mod tenants;
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
use http::{HeaderValue, Method, StatusCode};
use postrider_core::address::AddressPolicy;
use postrider_core::seal::KeyRing;
use postrider_event::schema::SchemaCache;
use postrider_runtime::Stop;
use postrider_store::Db;
use postrider_store::horizon::Horizon;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::endpoint_body::{Read as Given, Refused, read_endpoint};
use self::operation::Operation;
use self::problem::Problem;
use self::rate::Rate;
use crate::server::{self, Times};

/// Connections at once.
const MOST_CONNECTIONS: usize = 512;
/// Requests at once that wait for something to come, and those that read a lot.
const MOST_WAITS: usize = 128;
const MOST_SUMS: usize = 3;
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
    /// Up to which event everything is decided.
    horizon: Horizon,
    /// The places of streams.
    streams: Arc<Semaphore>,
    /// Of requests that wait for something to come.
    waits: Arc<Semaphore>,
    /// Of requests that read a lot: with fewer than there are sessions, so that nobody's sums hold up everybody.
    sums: Arc<Semaphore>,
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
        let (horizon, rate) = (Horizon::new(db.clone()), Rate::new(per_second));
        let streams = Arc::new(Semaphore::new(stream::MOST_STREAMS));
        let (waits, sums) =
            (Arc::new(Semaphore::new(MOST_WAITS)), Arc::new(Semaphore::new(MOST_SUMS)));
        let schemas = SchemaCache::default();
        Self(Arc::new(Inner {
            db,
            keys,
            egress,
            open,
            horizon,
            streams,
            waits,
            sums,
            rate,
            schemas,
        }))
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

    fn horizon(&self) -> &Horizon {
        &self.0.horizon
    }

    /// A place among those who wait; none: it is answered at once.
    fn wait(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.waits).try_acquire_owned().ok()
    }

    /// A place among those who read a lot.
    ///
    /// # Errors
    /// When there are as many as may be.
    fn sum(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.0.sums).try_acquire_owned().map_err(|_| {
            let detail = "as many sums as may be are being made; ask again";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail).again_after(1)
        })
    }

    fn streams(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.streams)
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
        let (router, stopping) = (router(self), Stopping(stop.clone()));
        let service = move |address: SocketAddr| {
            let (router, stopping) = (router.clone(), stopping.clone());
            move |request: http::Request<hyper::body::Incoming>| {
                let mut request = request.map(axum::body::Body::new);
                request.extensions_mut().insert(Peer(address));
                request.extensions_mut().insert(stopping.clone());
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

/// Says when the listener stops: what waits or streams ends then.
#[derive(Debug, Clone)]
struct Stopping(Stop);

/// Everything that can be asked.
fn operations() -> Vec<Operation> {
    let all = [
        event_stats::operations(),
        events::operations(),
        publish::operations(),
        endpoints::operations(),
        pull::operations(),
        endpoint_stats::operations(),
        deliveries::operations(),
        jobs::operations(),
        event_types::operations(),
        api_keys::operations(),
        audit::operations(),
        tenants::operations(),
        filters::operations(),
        webhooks::operations(),
    ];
    all.into_iter().flatten().collect()
}

fn router(api: Api) -> Router {
    let document = openapi::document(&operations());
    let document = move || async move { Json(document) };
    let routes = operation::router(operations())
        // No operation: it has no answer that ends.
        .route("/events/stream", get(stream::open))
        .method_not_allowed_fallback(no_method);
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
