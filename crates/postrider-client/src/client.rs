//! The client: an address, a key, and a pool of connections. Sends a request until it is answered or may not be sent again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;

use crate::connect::Connector;
use crate::request::{Answer, Request};
use crate::retry::{Tried, pause};
use crate::{Error, Problem};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// One try takes no longer.
const LIMIT: Duration = Duration::from_secs(60);
/// No answer is longer; a page of a hundred events of 1 MiB is not asked for in one.
const MOST_ANSWER: usize = 128 << 20;

/// A client of one daemon's API with one key. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    once: Option<HeaderValue>,
}

struct Inner {
    address: String,
    authorization: Option<HeaderValue>,
    http: Http<Connector, Full<Bytes>>,
}

impl Client {
    /// A client of the API at this address, such as `https://postrider.example.com`, with a key of `postrider api-keys create`. An
    /// empty key sends none, for a daemon that runs with `--dev` on the same machine.
    ///
    /// # Errors
    /// [`Error::Input`] for an address or a key that cannot be sent.
    pub fn new(address: &str, key: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Input(format!("the address of the API {why}"));
        let address = address.trim_end_matches('/');
        let uri: Uri = address.parse().map_err(|_| wrong("is no URL"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("begins with neither http:// nor https://")),
        };
        let authorization = (!key.is_empty()).then(|| {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                .map_err(|_| Error::Input("the key is none of postrider api-keys create".into()))?;
            value.set_sensitive(true);
            Ok(value)
        });
        let http = Http::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(15))
            .build(Connector::new(secure));
        let authorization = authorization.transpose()?;
        let inner = Inner { address: address.to_owned(), authorization, http };
        Ok(Self { inner: Arc::new(inner), once: None })
    }

    /// The same client, whose next POST goes under this `Idempotency-Key`: sent twice, also by another process and within a day, it is
    /// carried out once. For one request only; without this each has one of its own.
    ///
    /// # Errors
    /// [`Error::Input`] for a key that is empty, too long or not visible.
    pub fn idempotency_key(&self, key: &str) -> Result<Self, Error> {
        let visible =
            (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        let once = HeaderValue::from_str(key).ok().filter(|_| visible);
        let once = once.ok_or_else(|| {
            Error::Input("an idempotency key is 1 to 255 visible characters".into())
        })?;
        Ok(Self { once: Some(once), ..self.clone() })
    }

    /// Sends any request to a path with its query, such as `/api/v1/events`: for what the resources have no method for, and for headers.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn send(
        &self,
        method: Method,
        target: &str,
        headers: Option<HeaderMap>,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, Error> {
        let request = self.request(method, target, headers, body)?;
        let has_key = request.headers().contains_key(IDEMPOTENCY_KEY);
        let mut number = 0;
        loop {
            let answered = self.try_once(request.clone()).await;
            let (error, wait) = match answered {
                Ok(answer) if answer.status.is_success() => return Ok(answer),
                Ok(answer) => {
                    let error = problem(&answer);
                    let code = error.code().unwrap_or_default();
                    let retry_after = retry_after(&answer.headers);
                    let tried = Tried::Answered { status: answer.status, code, retry_after };
                    let wait = pause(number, request.method(), has_key, tried);
                    (error, wait)
                }
                Err(lost) => (lost, pause(number, request.method(), has_key, Tried::Lost)),
            };
            let Some(wait) = wait else { return Err(error) };
            tokio::time::sleep(wait).await;
            number += 1;
        }
    }

    pub(crate) async fn call<T: DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        let target = request.target(None);
        let body = request.body.transpose()?;
        self.send(request.method, &target, None, body).await?.json()
    }

    fn request(
        &self,
        method: Method,
        target: &str,
        headers: Option<HeaderMap>,
        body: Option<Vec<u8>>,
    ) -> Result<http::Request<Full<Bytes>>, Error> {
        let mut builder = http::Request::builder()
            .uri(format!("{}{target}", self.inner.address))
            .header(ACCEPT, "application/json, application/problem+json");
        if body.is_some() {
            builder = builder.header(CONTENT_TYPE, "application/json");
        }
        if method == Method::POST {
            let own = || HeaderValue::from_str(&format!("{:032x}", rand::random::<u128>()));
            let key = self.once.clone().or_else(|| own().ok());
            builder = builder.header(IDEMPOTENCY_KEY, key.expect("hexadecimal digits are visible"));
        }
        let mut request = builder
            .method(method)
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| Error::Input(format!("{target}: {error}")))?;
        request.headers_mut().extend(headers.unwrap_or_default());
        if let Some(authorization) = &self.inner.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        Ok(request)
    }

    async fn try_once(&self, request: http::Request<Full<Bytes>>) -> Result<Answer, Error> {
        let answered = async {
            let lost = |error| Error::Unreachable(Box::new(error));
            let response = self.inner.http.request(request).await.map_err(lost)?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MOST_ANSWER).collect().await;
            let body = body.map_err(Error::Unreachable)?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        let answered = tokio::time::timeout(LIMIT, answered).await;
        answered.unwrap_or_else(|late| Err(Error::Unreachable(Box::new(late))))
    }
}

fn problem(answer: &Answer) -> Error {
    answer.json::<Problem>().map_or_else(|error| error, |problem| Error::Problem(Box::new(problem)))
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.inner.address).finish_non_exhaustive()
    }
}
