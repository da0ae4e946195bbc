//! The stream of a server, as server-sent events. A connection that is lost is made again, from the last cursor on.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, HOST};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use postrider_runtime::Pacer;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use zeroize::Zeroizing;

use super::source::{Heard, SourceArgs};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::Output;

/// What connecting may take.
const CONNECTING: Duration = Duration::from_secs(10);
/// The server says something every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// The longest line of a stream.
const MOST_BYTES: usize = 4 << 20;

/// A server, and the stream that is open at it.
pub(super) struct Server {
    base: Uri,
    path: String,
    key: Option<Zeroizing<String>>,
    /// From where to go on.
    cursor: Option<String>,
    open: Option<Open>,
    pacer: Pacer,
}

struct Open {
    body: Incoming,
    read: BytesMut,
    /// Drives the connection; dropped with it.
    _driver: JoinSet<()>,
}

impl Server {
    pub(super) fn of(args: &SourceArgs) -> Result<Self, Failure> {
        let text = args.server.as_deref().unwrap_or_default();
        let base: Option<Uri> = text.parse().ok();
        let base = base.filter(|uri| {
            uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https"))
        });
        let base = base.ok_or_else(|| {
            Failure::new(Exit::Usage, "--server: this is no URL of a server")
                .remedy("http://127.0.0.1:8080, or https://…")
        })?;
        let key = match &args.api_key_file {
            None => None,
            Some(file) => {
                let text = Zeroizing::new(input::bytes(Some(file))?);
                let text = std::str::from_utf8(&text).map(str::trim).unwrap_or_default();
                Some(Zeroizing::new(text.to_owned()))
            }
        };
        let mut query = Vec::new();
        if !args.types.is_empty() {
            query.push(format!("types={}", args.types.join(",")));
        }
        // Checked here, so that nothing in it needs to be escaped.
        if let Some(tenant) = &args.tenant {
            crate::commands::endpoints::check_tenant(tenant)?;
            query.push(format!("tenant_id={tenant}"));
        }
        let path = format!("/api/v1/events/stream?{}", query.join("&"));
        let pacer = Pacer::new(Duration::from_millis(200), Duration::from_secs(15));
        Ok(Self { base, path, key, cursor: None, open: None, pacer })
    }

    pub(super) fn name(&self) -> String {
        self.base.to_string()
    }

    /// Opens the stream. The first time a server that is away is a failure; later it is waited for.
    pub(super) async fn open(&mut self, out: &Output) -> Result<(), Failure> {
        match self.connect().await {
            Ok(open) => self.open = Some(open),
            Err(failure) if failure.exit == Exit::Missing && self.cursor.is_some() => {
                out.warn("events were removed before they were heard here; going on with new ones");
                self.cursor = None;
                self.open = Some(self.connect().await?);
            }
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// The next event.
    pub(super) async fn next(&mut self, out: &Output) -> Result<Vec<Heard>, Failure> {
        loop {
            let Some(open) = &mut self.open else {
                match self.open(out).await {
                    Ok(()) => {}
                    Err(failure) if failure.exit == Exit::Unavailable => {
                        let wait = self.pacer.next();
                        out.note(&format!("{}; again in {wait:.1?}", failure.what));
                        tokio::time::sleep(wait).await;
                    }
                    Err(failure) => return Err(failure),
                }
                continue;
            };
            let Some(block) = open.block().await else {
                self.open = None;
                continue;
            };
            self.pacer.reset();
            let event = Event::of(&block);
            if event.id.is_some() {
                self.cursor = event.id;
            }
            if let Some(heard) = event.data.and_then(|data| heard(&data)) {
                return Ok(vec![heard]);
            }
        }
    }

    async fn connect(&self) -> Result<Open, Failure> {
        let away = |why: String| {
            Failure::new(Exit::Unavailable, format!("{} does not answer", self.base)).why(why)
        };
        let connected = tokio::time::timeout(CONNECTING, self.request()).await;
        let (response, driver) = connected
            .map_err(|_| away(format!("no answer within {} s", CONNECTING.as_secs())))?
            .map_err(away)?;
        let status = response.status();
        if status.is_success() {
            return Ok(Open { body: response.into_body(), read: BytesMut::new(), _driver: driver });
        }
        let body = response.into_body().collect().await.map(|body| body.to_bytes());
        let said: Option<Problem> = body.ok().and_then(|body| serde_json::from_slice(&body).ok());
        let said = said.map_or_else(|| status.to_string(), |problem| problem.detail);
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::new(Exit::Denied, "the server lets nobody in with this key")
                    .why(said)
                    .remedy("--api-key-file FILE, with a key of \"postrider api-keys create\"")
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                Failure::new(Exit::Missing, "there is no such thing to listen to").why(said)
            }
            status if status.is_server_error() => {
                Failure::new(Exit::Unavailable, format!("{} is busy", self.base)).why(said)
            }
            _ => Failure::new(Exit::Usage, "the server does not understand this").why(said),
        })
    }

    async fn request(&self) -> Result<(http::Response<Incoming>, JoinSet<()>), String> {
        let host = self.base.host().unwrap_or_default();
        let is_tls = self.base.scheme_str() == Some("https");
        let port = self.base.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let at = (host.trim_matches(['[', ']']), port);
        let stream = TcpStream::connect(at).await.map_err(|error| text(&error))?;
        stream.set_nodelay(true).map_err(|error| text(&error))?;
        let mut driver = JoinSet::new();
        let mut sender = if is_tls {
            let name = ServerName::try_from(host.to_owned()).map_err(|error| text(&error))?;
            let stream = tls()?.connect(name, stream).await.map_err(|error| text(&error))?;
            let (sender, connection) =
                http1::handshake(TokioIo::new(stream)).await.map_err(|error| text(&error))?;
            driver.spawn(async move { drop(connection.await) });
            sender
        } else {
            let (sender, connection) =
                http1::handshake(TokioIo::new(stream)).await.map_err(|error| text(&error))?;
            driver.spawn(async move { drop(connection.await) });
            sender
        };
        let authority = self.base.authority().map_or(host, |authority| authority.as_str());
        let mut request =
            Request::get(&self.path).header(HOST, authority).header(ACCEPT, "text/event-stream");
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {}", key.as_str()));
        }
        if let Some(cursor) = &self.cursor {
            request = request.header("last-event-id", cursor);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| text(&error))?;
        let response = sender.send_request(request).await.map_err(|error| text(&error))?;
        Ok((response, driver))
    }
}

fn tls() -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config =
        ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Open {
    /// The lines up to the next empty one; `None`: the stream has ended.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\n\n") {
                let block = self.read.split_to(end + 2);
                return String::from_utf8(block.to_vec()).ok();
            }
            let frame = tokio::time::timeout(SILENCE, self.body.frame()).await.ok()??.ok()?;
            if let Ok(data) = frame.into_data() {
                self.read.extend_from_slice(&data);
            }
            if self.read.len() > MOST_BYTES {
                return None;
            }
        }
    }
}

/// One event of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    id: Option<String>,
    data: Option<String>,
}

impl Event {
    fn of(block: &str) -> Self {
        let mut event = Self::default();
        for line in block.lines() {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "id" => event.id = Some(value.to_owned()),
                "data" => match &mut event.data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => event.data = Some(value.to_owned()),
                },
                _ => {}
            }
        }
        event
    }
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

fn heard(data: &str) -> Option<Heard> {
    #[derive(Deserialize)]
    struct Data {
        id: String,
        tenant_id: String,
        r#type: String,
        envelope: Box<RawValue>,
    }
    let data: Data = serde_json::from_str(data).ok()?;
    Some(Heard {
        id: data.id,
        tenant: data.tenant_id,
        event_type: data.r#type,
        envelope: data.envelope.get().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_line_by_line() {
        let event = |id: Option<&str>, data: Option<&str>| Event {
            id: id.map(str::to_owned),
            data: data.map(str::to_owned),
        };
        for (block, expected) in [
            (
                "id: x\nevent: a.b\ndata: {\"n\":\ndata: 1}\n\n",
                event(Some("x"), Some("{\"n\":\n1}")),
            ),
            ("id: y\n\n", event(Some("y"), None)),
            (": alive\n\n", event(None, None)),
            ("data:1\n\n", event(None, Some("1"))),
        ] {
            assert_eq!(Event::of(block), expected, "{block:?}");
        }
    }

    #[test]
    fn an_envelope_is_heard_byte_for_byte() {
        let data = r#"{"id":"e1","tenant_id":"t","type":"a.b","extra":1,"envelope":{"z":1.10, "a":9007199254740993}}"#;
        assert_eq!(heard(data).unwrap().envelope, r#"{"z":1.10, "a":9007199254740993}"#);
        assert!(heard("{}").is_none());
    }
}
