//! Tokens by OAuth2 client credentials (RFC 6749, section 4.4): asked for, kept, renewed before they end.
//!
//! The token's URL is judged and connected to exactly as an endpoint's. What the token server answers is never recorded: it
//! holds the token. Read by delivery, which sends through [`TokenSource::send`] where an endpoint logs in this way.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use postrider_core::address::TenantRules;
use postrider_core::answer::Answer;
use postrider_core::auth::{ClientAuth, OAuth2, bearer};
use postrider_core::health::{TOKEN_PAUSE, TOKEN_PAUSED};
use postrider_core::status::ErrorClass;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::request::{EndpointTarget, OutgoingRequest};

/// A token whose end is not told is used so long.
const UNTOLD: Duration = Duration::from_secs(300);
/// No token is used longer, whatever its server says.
const LONGEST: Duration = Duration::from_secs(86_400);
/// So long before its end a token is renewed, and never later than at four fifths of its life.
const MARGIN: Duration = Duration::from_secs(30);
/// A token server that failed is left in peace so long, and longer while the token from before is good.
const AFTER_FAILURE: Duration = TOKEN_PAUSE;
/// Said of an attempt that failed before it reached its endpoint.
const DETAIL: &str = "oauth_token";

/// Where an endpoint's tokens come from, and the one in use. One for each endpoint, shared by its attempts.
pub struct TokenSource {
    oauth: OAuth2,
    request: OutgoingRequest,
    // Held while a token is asked for, so that it is asked for once however many attempts want it.
    state: Mutex<State>,
}

/// The last token stays in use until its end, however its renewal goes.
#[derive(Default)]
struct State {
    token: Option<Token>,
    /// The class of the last failure, if nothing else came since, and when the server may be asked again.
    failed: Option<(ErrorClass, Instant)>,
}

struct Token {
    header: HeaderValue,
    renew_at: Instant,
    ends_at: Instant,
}

/// Why no token was got.
type Failure = (ErrorClass, Option<&'static str>);

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

impl TokenSource {
    /// Prepares the request for tokens; `target` is the token's URL, judged, under the rules of the endpoint's tenant.
    pub fn new(oauth: OAuth2, target: &EndpointTarget) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut fields = vec![("grant_type", "client_credentials")];
        fields.extend(oauth.scope.as_deref().map(|scope| ("scope", scope)));
        fields.extend(oauth.audience.as_deref().map(|audience| ("audience", audience)));
        match oauth.client_auth {
            ClientAuth::Basic => {
                headers.insert(AUTHORIZATION, basic(&oauth.client_id, &oauth.client_secret));
            }
            ClientAuth::Post => {
                fields.push(("client_id", &oauth.client_id));
                fields.push(("client_secret", &oauth.client_secret));
            }
        }
        let body = Bytes::from(form(&fields));
        let request = target.bare_request(headers, body);
        Self { oauth, request, state: Mutex::default() }
    }

    /// Whether it asks for the same tokens in the same way, under the same rules: then its token is still good.
    pub fn is_for(&self, oauth: &OAuth2, rules: &TenantRules) -> bool {
        let same_rules = match &self.request.rules {
            Some(own) => **own == *rules,
            None => rules.is_empty(),
        };
        same_rules && self.oauth == *oauth
    }

    /// Sends a request with a token. A `401` has the token renewed and the request repeated, once; both within `timeout`.
    pub async fn send(
        &self,
        client: &Client,
        request: OutgoingRequest,
        timeout: Duration,
    ) -> Answer {
        let started = Instant::now();
        let left = || timeout.saturating_sub(started.elapsed());
        let mut refused = None;
        loop {
            let token =
                tokio::time::timeout(left(), self.token(client, refused.as_ref(), timeout)).await;
            let token = match token {
                Ok(Ok(token)) => token,
                Ok(Err((class, detail))) => {
                    return Answer { detail, ..Answer::failed(class, started.elapsed()) };
                }
                Err(_) => {
                    let failed = Answer::failed(ErrorClass::Timeout, started.elapsed());
                    return Answer { detail: Some(DETAIL), ..failed };
                }
            };
            let mut with_token = request.clone();
            with_token.headers.insert(AUTHORIZATION, token.clone());
            let answer = client.send(with_token, left()).await;
            if answer.status != Some(401) || refused.is_some() {
                return Answer { duration: started.elapsed(), ..answer };
            }
            refused = Some(token);
        }
    }

    /// The token in use, or a new one where it is near its end or is the one that was refused. While the token is good, a server that
    /// gives no new one fails nobody: it may take a quarter of the attempt's time, and is asked less and less soon again.
    async fn token(
        &self,
        client: &Client,
        refused: Option<&HeaderValue>,
        timeout: Duration,
    ) -> Result<HeaderValue, Failure> {
        let mut state = self.state.lock().await;
        let began = Instant::now();
        let good = state.good(refused);
        if let Some(token) = good.filter(|token| began < token.renew_at) {
            return Ok(token.header.clone());
        }
        if let Some((class, again_at)) = state.failed
            && began < again_at
        {
            let paused = Err((class, Some(TOKEN_PAUSED)));
            return good.map_or(paused, |token| Ok(token.header.clone()));
        }
        let time = if good.is_some() { timeout / 4 } else { timeout };
        let answer = client.send(self.request.clone(), time).await;
        let now = Instant::now();
        match read(&answer) {
            Ok((header, life)) => {
                let renew_at = began + life.saturating_sub(MARGIN).max(life / 5).min(life / 5 * 4);
                let token = Token { header: header.clone(), renew_at, ends_at: began + life };
                *state = State { token: Some(token), failed: None };
                Ok(header)
            }
            Err((class, detail)) => {
                let good = state.good(refused);
                let left = good.map_or(Duration::ZERO, |token| token.ends_at - now);
                let header = good.map(|token| token.header.clone());
                state.failed = Some((class, now + AFTER_FAILURE.max(left / 5)));
                header.ok_or((class, detail))
            }
        }
    }
}

impl State {
    /// The token, if it has not ended and is not the one that was refused.
    fn good(&self, refused: Option<&HeaderValue>) -> Option<&Token> {
        let token = self.token.as_ref()?;
        (Instant::now() < token.ends_at && refused != Some(&token.header)).then_some(token)
    }
}

/// Shows nothing.
impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").finish_non_exhaustive()
    }
}

/// The token and how long it lives. Nothing of the answer goes into a failure.
fn read(answer: &Answer) -> Result<(HeaderValue, Duration), Failure> {
    match answer.error {
        None => {}
        Some(ErrorClass::HttpStatus) => return Err((ErrorClass::Auth, Some(DETAIL))),
        Some(class) => return Err((class, answer.detail.or(Some(DETAIL)))),
    }
    let unreadable = (ErrorClass::Auth, Some(DETAIL));
    let mut read: TokenAnswer = serde_json::from_slice(&answer.body).map_err(|_| unreadable)?;
    let token = Zeroizing::new(std::mem::take(&mut read.access_token));
    if read.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(unreadable);
    }
    let seconds = match read.expires_in {
        Some(serde_json::Value::Number(number)) => number.as_u64(),
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let life = seconds.map_or(UNTOLD, Duration::from_secs).min(LONGEST);
    Ok((bearer(&token).ok_or(unreadable)?, life))
}

/// RFC 6749, section 2.3.1: both parts are form-encoded first.
fn basic(id: &str, secret: &str) -> HeaderValue {
    let pair = Zeroizing::new(format!("{}:{}", encoded(id), encoded(secret)));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&text).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.join("&")
}

/// `application/x-www-form-urlencoded`, with `%20` for a blank, which every reader takes.
pub(crate) fn encoded(text: &str) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
            _ => write!(out, "%{byte:02X}").expect("writing to a text cannot fail"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Answer {
        let error = (status != 200).then_some(ErrorClass::HttpStatus);
        let bare = Answer::failed(ErrorClass::Internal, Duration::ZERO);
        Answer { status: Some(status), error, body: body.as_bytes().to_vec(), ..bare }
    }

    #[test]
    fn a_token_is_read_with_its_life_and_nothing_else_is_one() {
        let life = |body: &str| read(&answered(200, body)).map(|(_, life)| life.as_secs());
        assert_eq!(life(r#"{"access_token":"t","token_type":"Bearer","expires_in":60}"#), Ok(60));
        assert_eq!(life(r#"{"access_token":"t","expires_in":"90"}"#), Ok(90));
        assert_eq!(life(r#"{"access_token":"t"}"#), Ok(300));
        assert_eq!(life(r#"{"access_token":"t","expires_in":1e9}"#), Ok(300));
        assert_eq!(life(r#"{"access_token":"t","expires_in":1000000000}"#), Ok(86_400));
        let failed = Err((ErrorClass::Auth, Some("oauth_token")));
        for body in
            ["", "{}", r#"{"access_token":"a b"}"#, r#"{"access_token":"t","token_type":"mac"}"#]
        {
            assert_eq!(life(body), failed, "{body}");
        }
        let refused = answered(400, r#"{"access_token":"t"}"#);
        assert_eq!(read(&refused).map(|(_, life)| life.as_secs()), failed);
    }

    #[test]
    fn forms_are_encoded() {
        let fields = form(&[("scope", "a b"), ("client_secret", "p&=+é/")]);
        assert_eq!(fields, "scope=a%20b&client_secret=p%26%3D%2B%C3%A9%2F");
        // RFC 6749, section 2.3.1.
        let expected = format!("Basic {}", STANDARD.encode("a%3Ab:c%20d"));
        assert_eq!(basic("a:b", "c d"), expected.as_str());
    }
}
