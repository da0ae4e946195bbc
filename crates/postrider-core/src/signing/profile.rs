//! Signatures in the forms of other senders, beside `webhook-signature`, while a receiver migrates.
//!
//! A profile's key is the whole text of a secret, `whsec_` included, never what its base64 stands for. `stripe` carries a
//! signature of every live secret; the others have room for one, which is the newest secret's.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{MacWriter, SigningSecret};
use crate::headers::{CustomHeaders, own_name};
use crate::input::InputError;

/// The most profiles of an endpoint.
pub const MAX_PROFILES: usize = 8;

/// One further signature of each request, and the header that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub kind: ProfileKind,
    // Checked as an endpoint's own header is: none that the sender sets itself.
    pub header: HeaderName,
}

/// The form of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileKind {
    /// `t=…,v1=<newest>,v1=<older>`: hex of HMAC-SHA256 over `t.body`. e2a's `X-E2A-Signature` and Stripe's are this.
    Stripe,
    /// `sha256=` and the hex of HMAC-SHA256 over the body.
    Github,
    /// The bare hex of HMAC-SHA256 over the body.
    HmacHex,
    /// The secret itself.
    SharedSecret,
}

impl ProfileKind {
    const ALL: &'static [Self] = &[Self::Stripe, Self::Github, Self::HmacHex, Self::SharedSecret];

    /// The one text of this kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Github => "github",
            Self::HmacHex => "hmac-hex",
            Self::SharedSecret => "shared-secret",
        }
    }

    fn usual_header(self) -> Option<&'static str> {
        match self {
            Self::Stripe => Some("stripe-signature"),
            Self::Github => Some("x-hub-signature-256"),
            Self::HmacHex => None,
            Self::SharedSecret => Some("x-webhook-secret"),
        }
    }
}

impl Profile {
    /// Reads `NAME` or `NAME=HEADER`. Codes: `signing.profile`, `signing.header`, and those of a header's name.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        let profile = match text.split_once('=') {
            Some((name, header)) => Self::new(name, Some(header)),
            None => Self::new(text, None),
        }?;
        if profile.header == AUTHORIZATION {
            let detail = "must not be authorization, which is the login's";
            return Err(InputError::new("signing", "signing.header", detail));
        }
        Ok(profile)
    }

    /// Refuses profiles that write a header which the endpoint has of its own. Code: `signing.duplicate`.
    pub fn check_apart(profiles: &[Self], headers: &CustomHeaders) -> Result<(), InputError> {
        let own = |profile: &&Self| headers.iter().any(|(name, _)| *name == profile.header);
        match profiles.iter().find(own) {
            Some(profile) => {
                let detail = format!(
                    "a profile writes the header {}, which is given as a header too",
                    profile.header
                );
                Err(InputError::new("signing", "signing.duplicate", detail))
            }
            None => Ok(()),
        }
    }

    /// Reads what [`Profile::list_to_json`] wrote.
    pub fn list_from_json(value: &Value) -> Result<Vec<Self>, InputError> {
        let list = value.as_array().map_or(&[][..], Vec::as_slice);
        let profiles = list.iter().map(|entry| {
            Self::new(entry["profile"].as_str().unwrap_or_default(), entry["header"].as_str())
        });
        Self::checked_list(profiles.collect::<Result<_, _>>()?)
    }

    /// The JSON array that is stored and shown.
    pub fn list_to_json(profiles: &[Self]) -> Value {
        let entry = |profile: &Self| json!({ "profile": profile.kind.as_str(), "header": profile.header.as_str() });
        profiles.iter().map(entry).collect()
    }

    /// A list in which no header is written twice. Codes: `signing.count`, `signing.duplicate`.
    pub fn checked_list(profiles: Vec<Self>) -> Result<Vec<Self>, InputError> {
        if profiles.len() > MAX_PROFILES {
            let detail = format!("at most {MAX_PROFILES} profiles are accepted");
            return Err(InputError::new("signing", "signing.count", detail));
        }
        for (index, profile) in profiles.iter().enumerate() {
            if profiles[..index].iter().any(|earlier| earlier.header == profile.header) {
                let detail = format!("two profiles write the header {}", profile.header);
                return Err(InputError::new("signing", "signing.duplicate", detail));
            }
        }
        Ok(profiles)
    }

    fn new(name: &str, header: Option<&str>) -> Result<Self, InputError> {
        let kind = ProfileKind::ALL.iter().copied().find(|kind| kind.as_str() == name);
        let Some(kind) = kind else {
            let detail = "must be stripe, github, hmac-hex or shared-secret, with =HEADER where another header carries it";
            return Err(InputError::new("signing", "signing.profile", detail));
        };
        let Some(header) = header.or_else(|| kind.usual_header()) else {
            let detail = format!("{name} needs its header: {name}=HEADER");
            return Err(InputError::new("signing", "signing.header", detail));
        };
        Ok(Self { kind, header: own_name(header)? })
    }
}

/// A profile with its keys prepared, the newest first.
#[derive(Clone)]
pub(super) struct Prepared {
    profile: Profile,
    keys: Vec<Hmac<Sha256>>,
    secret: Option<HeaderValue>,
}

impl Prepared {
    /// None where there is no secret that receivers know.
    pub(super) fn new(profile: &Profile, secrets: &[SigningSecret]) -> Option<Self> {
        let mut texts = secrets
            .iter()
            .filter(|secret| secret.is_symmetric())
            .map(SigningSecret::expose)
            .peekable();
        let newest = texts.peek()?;
        let secret = (profile.kind == ProfileKind::SharedSecret).then(|| {
            let mut value = HeaderValue::from_str(newest).expect("a secret is printable ASCII");
            value.set_sensitive(true);
            value
        });
        let room = if profile.kind == ProfileKind::Stripe { usize::MAX } else { 1 };
        let key = |text: zeroize::Zeroizing<String>| {
            Hmac::new_from_slice(text.as_bytes()).expect("HMAC takes keys of any length")
        };
        Some(Self { profile: profile.clone(), keys: texts.take(room).map(key).collect(), secret })
    }

    /// The header of one request; the timestamp in Unix seconds.
    pub(super) fn header(&self, timestamp: i64, body: &[u8]) -> (HeaderName, HeaderValue) {
        let value = match (&self.secret, self.profile.kind) {
            (Some(secret), _) => secret.clone(),
            (None, ProfileKind::Stripe) => {
                let mut text = format!("t={timestamp}");
                for key in &self.keys {
                    let mut mac = key.clone();
                    write!(MacWriter(&mut mac), "{timestamp}.")
                        .expect("writing to a MAC cannot fail");
                    text.push_str(",v1=");
                    text.push_str(&hex_of(mac, body));
                }
                signature(&text)
            }
            (None, ProfileKind::Github) => {
                signature(&format!("sha256={}", hex_of(self.keys[0].clone(), body)))
            }
            (None, _) => signature(&hex_of(self.keys[0].clone(), body)),
        };
        (self.profile.header.clone(), value)
    }
}

fn hex_of(mut mac: Hmac<Sha256>, body: &[u8]) -> String {
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

fn signature(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("hex is visible ASCII")
}
