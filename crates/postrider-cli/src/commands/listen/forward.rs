//! Posts an event to a receiver on this machine, signed as a delivery would be.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use postrider_core::signing::{Secret, Signer};
use zeroize::Zeroizing;

use super::source::Heard;
use crate::commands::sign::now;
use crate::exit::{Exit, Failure};

/// What a receiver may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Where events are posted.
pub(super) struct Forward {
    client: Client<HttpConnector, Full<Bytes>>,
    uri: Uri,
    target: String,
    signer: Signer,
    made: Option<Zeroizing<String>>,
    /// Events that still are to fail.
    fail: u64,
}

/// What came of it.
pub(super) struct Posted {
    pub status: Option<u16>,
    pub error: Option<String>,
    pub took: Duration,
    pub headers: Vec<(&'static str, String)>,
    /// It was not posted at all.
    pub on_purpose: bool,
}

impl Forward {
    /// Posts to this URL; `http://` may be left out.
    pub(super) fn to(url: &str, secrets: Vec<Secret>, fail: u64) -> Result<Self, Failure> {
        let text = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let refused = |why: &str| {
            Failure::new(Exit::Usage, "--forward-to: this is no URL that can be posted to")
                .why(why.to_owned())
                .remedy("http://localhost:3000/hook")
        };
        let uri: Uri = text.parse().map_err(|_| refused("it cannot be read"))?;
        if uri.scheme_str() != Some("http") || uri.host().is_none() {
            return Err(refused("only http is spoken on the way to a receiver beside you"));
        }
        let target = text.trim_start_matches("http://").to_owned();
        let (secrets, made) = match secrets.is_empty() {
            false => (secrets, None),
            true => {
                let secret = Secret::generate(&rand::random());
                let text = secret.expose();
                (vec![secret], Some(text))
            }
        };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, uri, target, signer: Signer::new(&secrets), made, fail })
    }

    /// The secret that was made here, to be shown once.
    pub(super) fn made_secret(&self) -> Option<&Zeroizing<String>> {
        self.made.as_ref()
    }

    /// As lines name it.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Posts one event, and reads the answer to its end.
    pub(super) async fn post(&mut self, heard: &Heard) -> Posted {
        let begun = Instant::now();
        let timestamp = now().as_second();
        let signature = self.signer.sign(&heard.id, timestamp, heard.envelope.as_bytes());
        let headers = vec![
            ("webhook-id", heard.id.clone()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
            ("webhook-attempt", "1".to_owned()),
        ];
        if self.fail > 0 {
            self.fail -= 1;
            let (status, took) = (Some(503), begun.elapsed());
            return Posted { status, error: None, took, headers, on_purpose: true };
        }
        let mut request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("postrider/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        let answered = async {
            let body = Full::new(Bytes::from(heard.envelope.clone()));
            let request = request.body(body).map_err(|error| error.to_string())?;
            let response = self.client.request(request).await.map_err(|error| reason(&error))?;
            let status = response.status().as_u16();
            let read = response.into_body().collect().await;
            read.map(|_| status).map_err(|error| error.to_string())
        };
        let answered = tokio::time::timeout(LIMIT, answered).await;
        let answered =
            answered.unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs())));
        let (status, error) = match answered {
            Ok(status) => (Some(status), None),
            Err(error) => (None, Some(error)),
        };
        Posted { status, error, took: begun.elapsed(), headers, on_purpose: false }
    }
}

/// The innermost cause: "connection refused" and not "client error".
fn reason(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
