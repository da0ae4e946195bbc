//! Sends one request and says what came back.
//!
//! Reads nothing but its configuration and the request; writes to the receiver; returns an [`Answer`], whatever happened.
//! What the answer means for the delivery is decided by `postrider_core::retry`.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use postrider_core::address::{AddressPolicy, TenantRules};
use postrider_core::answer::Answer;
use postrider_core::status::ErrorClass;
use rustls::RootCertStore;
use tokio::time::{Instant, sleep_until};

use crate::classify::{class_of, rule_of};
use crate::connector::{Connector, Ways};
use crate::dns::{Dns, Resolver};
use crate::echo::Secrets;
use crate::identity::EndpointTls;
use crate::proxy::EgressProxy;
use crate::request::{Capture, OutgoingRequest};
use crate::response::{keep_headers, keep_instruction, read_body};
use crate::stream::Peer;
use crate::tls::{self, TlsError};

/// Room for one head of an HTTP/1 answer, and for what is read ahead of its body.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// As much of an HTTP/2 answer may be on its way: what is drained, and one frame more.
const H2_STREAM_WINDOW: u32 = 96 * 1024;
const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// A dead HTTP/2 connection would take every later request to that host with it, so it is asked while it is in use.
const H2_PING_AFTER: Duration = Duration::from_secs(10);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(5);

/// So many sets of tenants' rules and TLS identities have their connections kept.
const MAX_POOLS_APART: usize = 1024;

/// How requests leave this machine.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Which addresses may be connected to.
    pub addresses: AddressPolicy,
    /// Where the daemon itself listens; never connected to, whatever `addresses` permits.
    pub own_listeners: Vec<SocketAddr>,
    /// How long a TCP connection, and then a TLS handshake, may take.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// How many unused connections to one host are kept.
    pub max_idle_per_host: usize,
    /// The value of `user-agent`; visible ASCII.
    pub user_agent: String,
    /// Where names are looked up.
    pub dns: Dns,
    /// PEM file of certificate authorities that are believed besides the usual ones.
    pub ca_file: Option<PathBuf>,
    /// The proxy that all requests go through; only it is dialled then.
    pub proxy: Option<EgressProxy>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        ClientConfig {
            addresses: AddressPolicy::default(),
            own_listeners: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(30),
            max_idle_per_host: 128,
            user_agent: concat!("postrider/", env!("CARGO_PKG_VERSION")).to_owned(),
            dns: Dns::System,
            ca_file: None,
            proxy: None,
        }
    }
}

/// Why a client could not be made. Found at start.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TLS could not be set up.
    #[error("set up TLS for outgoing requests")]
    Tls(#[from] TlsError),
    /// The configured user agent cannot be a header.
    #[error("user_agent must be visible ASCII")]
    UserAgent,
}

/// The guarded HTTP client. One for the whole process: it holds the connections.
pub struct Client {
    // Measured 2026-11-21 on 2 cores with the receiver on them: this pool 75,000-80,000 requests/s, hyper's bare
    // connections without one 90,000-100,000. A pool of our own is not worth that while 60,000 are asked for.
    http: Http,
    /// Tenants with rules of their own, and endpoints with a TLS identity, send over connections of their own.
    apart: Mutex<HashMap<Apart, Http>>,
    roots: RootCertStore,
    pools: legacy::Builder,
    connector: Connector,
    user_agent: HeaderValue,
}

/// What keeps connections apart: a tenant's rules, and an endpoint's TLS identity by its fingerprint.
type Apart = (TenantRules, Option<[u8; 32]>);

type Http = legacy::Client<Connector, Full<Bytes>>;

impl Client {
    /// Loads certificates and DNS configuration. Call inside a tokio runtime.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        let user_agent =
            HeaderValue::try_from(config.user_agent).map_err(|_| ClientError::UserAgent)?;
        let ways = Ways {
            own_listeners: config.own_listeners,
            connect_timeout: config.connect_timeout,
            resolver: Resolver::new(&config.dns),
            proxy: config.proxy,
        };
        let roots = tls::roots(config.ca_file.as_deref())?;
        let tls = tls::client_config(&roots, None)?;
        let connector = Connector::new(Arc::new(ways), config.addresses, tls.into());
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.idle_timeout)
            .pool_max_idle_per_host(config.max_idle_per_host)
            // hyper repeats a request only if a reused connection was closed before a byte of it was written.
            .retry_canceled_requests(true)
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .timer(TokioTimer::new())
            .http2_max_header_list_size(MAX_HEAD_BYTES as u32)
            .http2_initial_stream_window_size(H2_STREAM_WINDOW)
            .http2_initial_connection_window_size(H2_CONNECTION_WINDOW)
            .http2_keep_alive_interval(H2_PING_AFTER)
            .http2_keep_alive_timeout(H2_PING_TIMEOUT);
        Ok(Client {
            http: builder.build(connector.clone()),
            apart: Mutex::new(HashMap::new()),
            roots,
            pools: builder,
            connector,
            user_agent,
        })
    }

    /// Sends by POST and waits for the answer, at most `timeout` for everything: name, connection, TLS, request, answer.
    /// Redirects are not followed. Dropping the future abandons the request and closes its connection.
    pub async fn send(&self, request: OutgoingRequest, timeout: Duration) -> Answer {
        let started = Instant::now();
        let mut deadline = pin!(sleep_until(started + timeout));
        let capture = request.capture;
        let secrets = match capture {
            // It is for us, and kept nowhere.
            Capture::Ours => Secrets::default(),
            Capture::Failures | Capture::Everything => Secrets::of(&request.headers),
            // Who says what became of each event names events, by ids that are in the body.
            Capture::Outcomes => Secrets::of(&request.headers).not_in(&request.body),
        };

        let http = self.http_for(request.rules.as_deref(), request.tls.as_deref());
        let Some(http) = http else { return Answer::failed(ErrorClass::Internal, Duration::ZERO) };
        let exchange = http.request(self.prepared(request));
        let response = tokio::select! {
            biased;
            response = exchange => response,
            () = deadline.as_mut() => return Answer::failed(ErrorClass::Timeout, started.elapsed()),
        };
        let response = match response {
            Ok(response) => response,
            Err(error) => {
                let (peer, detail) = (peer_of_failure(&error), rule_of(&error));
                return Answer {
                    peer,
                    detail,
                    ..Answer::failed(class_of(&error), started.elapsed())
                };
            }
        };

        let (head, body) = response.into_parts();
        let keep = !head.status.is_success() || capture != Capture::Failures;
        let mut headers =
            if keep { keep_headers(&head.headers) } else { keep_instruction(&head.headers) };
        let mut body = read_body(body, deadline, if keep { capture.limit() } else { 0 }).await;
        if keep {
            secrets.redact(&mut headers, &mut body.kept);
        }
        Answer {
            status: Some(head.status.as_u16()),
            error: (!head.status.is_success()).then_some(ErrorClass::HttpStatus),
            headers,
            body: body.kept,
            duration: started.elapsed(),
            peer: head.extensions.get::<Peer>().and_then(|peer| peer.0),
            detail: body.short,
        }
    }

    /// The connections that these rules let in, under this identity. They are judged when they are opened, so they must not be
    /// shared with those whose rules are others. None if TLS cannot be set up, which making the identity ruled out.
    fn http_for(&self, rules: Option<&TenantRules>, tls: Option<&EndpointTls>) -> Option<Http> {
        let rules = rules.filter(|rules| !rules.is_empty());
        if rules.is_none() && tls.is_none() {
            return Some(self.http.clone());
        }
        let key = (rules.cloned().unwrap_or_default(), tls.map(EndpointTls::fingerprint));
        let mut apart = self.apart.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(http) = apart.get(&key) {
            return Some(http.clone());
        }
        // What nobody has any more leaves with the others; who still needs theirs comes back.
        if apart.len() >= MAX_POOLS_APART {
            apart.clear();
        }
        let mut connector = self.connector.clone();
        if let Some(rules) = rules {
            connector = connector.with_policy(self.connector.policy().for_tenant(rules.clone()));
        }
        if tls.is_some() {
            connector = connector.with_tls(tls::client_config(&self.roots, tls).ok()?.into());
        }
        let http = self.pools.build(connector);
        apart.insert(key, http.clone());
        Some(http)
    }

    fn prepared(&self, request: OutgoingRequest) -> Request<Full<Bytes>> {
        let mut prepared = Request::new(Full::new(request.body));
        *prepared.method_mut() = Method::POST;
        *prepared.uri_mut() = request.uri;
        *prepared.headers_mut() = request.headers;
        prepared.headers_mut().insert(USER_AGENT, self.user_agent.clone());
        prepared
    }
}

/// Whom we were connected to when the exchange broke off, if there was a connection.
fn peer_of_failure(error: &legacy::Error) -> Option<IpAddr> {
    let mut extras = http::Extensions::new();
    error.connect_info()?.get_extras(&mut extras);
    extras.get::<Peer>().and_then(|peer| peer.0)
}
