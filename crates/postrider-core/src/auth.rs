//! How an endpoint lets its sender in: a login, and what its TLS connection asks for.
//!
//! Both are JSON objects, given in a file and stored sealed. Read by the command line and by delivery; the destinations turn
//! them into headers and connections. Nothing in them is shown: not by `Debug`, not by an error.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::input::InputError;

/// The longest text within a login, in bytes.
const MAX_TEXT: usize = 4096;
/// The longest certificate chain or key, in bytes of PEM.
const MAX_PEM: usize = 64 * 1024;

/// A login, sent as the header `authorization`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Auth {
    /// RFC 7617, in UTF-8.
    Basic {
        /// Holds no colon.
        user: String,
        password: String,
    },
    /// RFC 6750: a token that somebody made for us.
    Bearer { token: String },
    /// RFC 6749, client credentials: a token that we ask for.
    OAuth2(OAuth2),
}

/// Where tokens come from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// Judged as an endpoint's URL is, whenever it is used.
    pub token_url: String,
    pub client_id: String,
    pub client_secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Not in the RFC, and asked for by several providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// How the client logs in to the token server.
    #[serde(default)]
    #[zeroize(skip)]
    pub client_auth: ClientAuth,
}

/// How a client logs in to its token server (RFC 6749, section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// By the header `authorization`, which every server must accept.
    #[default]
    Basic,
    /// In the form, which some servers want.
    Post,
}

/// What an endpoint's TLS connections need besides the usual, in PEM.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct TlsIdentity {
    /// The client's certificate, then those of who issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The private key of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The authorities that are believed, instead of the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

impl Auth {
    /// Reads and checks the JSON object. Codes: `json`, `auth.type`, `auth.value`, `auth.length`. The URL of `oauth2` is for
    /// `EndpointUrl` to judge.
    pub fn parse_json(text: &str) -> Result<Self, InputError> {
        let auth: Self = serde_json::from_str(text).map_err(|error| not_read(&error))?;
        for (field, value) in auth.texts() {
            check_text(field, value)?;
        }
        match &auth {
            Self::Basic { user, .. } if user.contains(':') => {
                Err(refused("auth.user", "auth.value", "must hold no colon"))
            }
            Self::Bearer { token } if !is_token(token) => {
                Err(refused("auth.token", "auth.value", "must be visible ASCII without blanks"))
            }
            _ => Ok(auth),
        }
    }

    /// The JSON object, to be sealed. Wiped when dropped.
    pub fn expose_json(&self) -> Zeroizing<String> {
        Zeroizing::new(serde_json::to_string(self).expect("texts can be written as JSON"))
    }

    /// `basic`, `bearer` or `oauth2`; may be shown.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Basic { .. } => "basic",
            Self::Bearer { .. } => "bearer",
            Self::OAuth2(_) => "oauth2",
        }
    }

    /// The header's value, where it is always the same.
    pub fn header(&self) -> Option<HeaderValue> {
        match self {
            Self::Basic { user, password } => {
                let pair = Zeroizing::new(format!("{user}:{password}"));
                let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
                sensitive(&Zeroizing::new(format!("Basic {}", encoded.as_str())))
            }
            Self::Bearer { token } => bearer(token),
            Self::OAuth2(_) => None,
        }
    }

    fn texts(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Basic { user, password } => {
                vec![("auth.user", user), ("auth.password", password)]
            }
            Self::Bearer { token } => vec![("auth.token", token)],
            Self::OAuth2(oauth) => {
                let optional = [("auth.scope", &oauth.scope), ("auth.audience", &oauth.audience)];
                let given =
                    optional.iter().filter_map(|(field, text)| Some((*field, text.as_deref()?)));
                let always = [
                    ("auth.token_url", oauth.token_url.as_str()),
                    ("auth.client_id", &oauth.client_id),
                    ("auth.client_secret", &oauth.client_secret),
                ];
                always.into_iter().chain(given).collect()
            }
        }
    }
}

impl TlsIdentity {
    /// Takes what was given; nothing of it is read here. Codes: `tls.pair`, `tls.length`.
    pub fn checked(self) -> Result<Self, InputError> {
        if self.certificate.is_some() != self.key.is_some() {
            let detail = "a client certificate and its key are given together";
            return Err(refused("tls", "tls.pair", detail));
        }
        let longest =
            [&self.certificate, &self.key, &self.ca].into_iter().flatten().map(String::len).max();
        if longest.is_some_and(|length| length > MAX_PEM) {
            let detail = format!("has more than {MAX_PEM} bytes");
            return Err(InputError::new("tls", "tls.length", detail));
        }
        Ok(self)
    }

    /// This over what was `before`: the certificate with its key, and the authorities, each by itself.
    #[must_use]
    pub fn over(mut self, mut before: Self) -> Self {
        if self.certificate.is_none() {
            self.certificate = before.certificate.take();
            self.key = before.key.take();
        }
        if self.ca.is_none() {
            self.ca = before.ca.take();
        }
        self
    }

    /// SHA-256 over all of it: tells apart connections that must not be shared.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.expose_json().as_bytes()).into()
    }

    /// Reads what was sealed.
    pub fn parse_json(text: &str) -> Result<Self, InputError> {
        let identity: Self = serde_json::from_str(text).map_err(|error| not_read(&error))?;
        identity.checked()
    }

    /// The JSON object, to be sealed. Wiped when dropped.
    pub fn expose_json(&self) -> Zeroizing<String> {
        Zeroizing::new(serde_json::to_string(self).expect("texts can be written as JSON"))
    }
}

/// The header's value with a token; none if the token cannot be one.
pub fn bearer(token: &str) -> Option<HeaderValue> {
    is_token(token).then(|| sensitive(&Zeroizing::new(format!("Bearer {token}")))).flatten()
}

/// Shows the kind alone.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Auth").field(&self.kind()).finish()
    }
}

impl fmt::Debug for OAuth2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2").finish_non_exhaustive()
    }
}

/// Shows what there is, and nothing of it.
impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("certificate", &self.certificate.is_some())
            .field("ca", &self.ca.is_some())
            .finish_non_exhaustive()
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn check_text(field: &'static str, text: &str) -> Result<(), InputError> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(refused(field, "auth.value", "must be text without control characters"));
    }
    if text.len() > MAX_TEXT {
        return Err(InputError::new(
            field,
            "auth.length",
            format!("has more than {MAX_TEXT} bytes"),
        ));
    }
    Ok(())
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The library's text may repeat what it read; its category and place do not.
fn not_read(error: &serde_json::Error) -> InputError {
    match error.classify() {
        serde_json::error::Category::Data => refused(
            "auth",
            "auth.type",
            "must have the type basic (user, password), bearer (token) or oauth2 (token_url, client_id, client_secret, scope?, audience?, client_auth?)",
        ),
        _ => InputError::new("auth", "json", format!("not valid JSON, at line {}", error.line())),
    }
}

fn refused(field: &str, code: &'static str, detail: &str) -> InputError {
    InputError::new(field, code, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OAUTH: &str = r#"{"type":"oauth2","token_url":"https://id.test/token","client_id":"a","client_secret":"canary"}"#;

    fn identity(key: Option<&str>, ca: Option<&str>) -> TlsIdentity {
        TlsIdentity { certificate: None, key: key.map(str::to_owned), ca: ca.map(str::to_owned) }
    }

    fn code(text: &str) -> &'static str {
        Auth::parse_json(text).map_or_else(|error| error.code, |_| "ok")
    }

    #[test]
    fn logins_get_their_codes() {
        let long = format!(r#"{{"type":"bearer","token":"{}"}}"#, "x".repeat(4097));
        for (text, expected) in [
            (r#"{"type":"basic","user":"a","password":"p:w é"}"#, "ok"),
            (r#"{"type":"bearer","token":"abc.def-_~+/="}"#, "ok"),
            (OAUTH, "ok"),
            (r#"{"type":"basic","user":"a:b","password":"x"}"#, "auth.value"),
            (r#"{"type":"basic","user":"","password":"x"}"#, "auth.value"),
            (r#"{"type":"basic","user":"a"}"#, "auth.type"),
            (r#"{"type":"bearer","token":"a b"}"#, "auth.value"),
            (r#"{"type":"bearer","token":"a\r\nb"}"#, "auth.value"),
            (r#"{"type":"bearer","token":"a","x":1}"#, "auth.type"),
            (r#"{"type":"digest"}"#, "auth.type"),
            ("[]", "auth.type"),
            ("{", "json"),
            (&long, "auth.length"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn headers_are_those_of_the_rfcs() {
        let value = |text: &str| Auth::parse_json(text).unwrap().header();
        // RFC 7617, section 2.
        let basic = value(r#"{"type":"basic","user":"Aladdin","password":"open sesame"}"#).unwrap();
        assert_eq!(basic, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(value(r#"{"type":"bearer","token":"t"}"#).unwrap(), "Bearer t");
        assert!(basic.is_sensitive());
        assert_eq!(value(OAUTH), None);
        assert_eq!(bearer("a\r\nb"), None);
    }

    #[test]
    fn what_is_sealed_reads_back() {
        let auth = Auth::parse_json(OAUTH).unwrap();
        assert!(Auth::parse_json(&auth.expose_json()).unwrap() == auth);
        let tls = identity(None, Some("pem"));
        assert!(TlsIdentity::parse_json(&tls.expose_json()).unwrap() == tls);
        let half = identity(Some("pem"), None);
        assert_eq!(half.checked().unwrap_err().code, "tls.pair");
    }

    #[test]
    fn nothing_is_shown_by_debug_or_by_an_error() {
        let auth = Auth::parse_json(OAUTH).unwrap();
        let Auth::OAuth2(oauth) = &auth else { panic!("it is") };
        let tls = identity(Some("canary"), None);
        let mut texts = format!("{auth:?} {oauth:?} {tls:?} {:?}", bearer("canary"));
        for text in [
            r#"{"type":"canary"}"#,
            r#"{"type":"bearer","token":"canary","canary":1}"#,
            r#"{"type":"bearer","token":["canary"]}"#,
            r#"{"type":"bearer","token":"canary canary"}"#,
        ] {
            texts.push_str(&Auth::parse_json(text).unwrap_err().to_string());
        }
        assert!(!texts.contains("canary"), "{texts}");
    }
}
