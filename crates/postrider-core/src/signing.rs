//! Standard Webhooks 1.0.0 signatures over `id.timestamp.body`: scheme `v1`, HMAC-SHA256, and scheme `v1a`, ed25519.
//!
//! A [`SigningSecret`] is read from its text or made from random bytes; a [`Signer`] holds the prepared keys of one
//! endpoint and writes the `webhook-signature` header, and those of its [`Profile`]s; [`verify`] is the receiver's side,
//! which says what is wrong.

mod ed25519;
mod kind;
mod profile;
mod secret;
mod verify;

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue};
use sha2::Sha256;

pub use ed25519::{Ed25519Public, Ed25519Secret, PRIVATE_PREFIX, PUBLIC_PREFIX};
pub use kind::{MAX_LIVE_SECRETS, OpaqueSecret, SecretKind, SigningSecret};
pub use profile::{MAX_PROFILES, Profile, ProfileKind};
pub use secret::{PREFIX, SECRET_BYTES, Secret, SecretError};
pub use verify::{VerifyError, verify};

/// Whether requests go without any signature under secrets of these kinds: an opaque one signs nothing but profiles, and there
/// are none.
pub fn is_unsigned(kinds: impl IntoIterator<Item = SecretKind>, profiles: &[Profile]) -> bool {
    profiles.is_empty() && kinds.into_iter().all(|kind| kind == SecretKind::Opaque)
}

/// `v1,` and the base64 text of 32 bytes; `v1a` takes somewhat more.
const SIGNATURE_LENGTH: usize = 3 + 44;

/// The prepared signing keys of one endpoint, the newest secret first.
///
/// Preparing a symmetric key costs two blocks of SHA-256, so it is done once; each signature starts from a copy of the prepared state.
/// Both are wiped when dropped.
#[derive(Clone)]
pub struct Signer {
    keys: Vec<Key>,
    profiles: Vec<profile::Prepared>,
}

#[derive(Clone)]
enum Key {
    Symmetric(Hmac<Sha256>),
    Ed25519(Box<Ed25519Secret>),
}

impl Signer {
    /// Prepares the keys of `whsec_` secrets alone, without profiles.
    pub fn new(secrets: &[Secret]) -> Self {
        let keys = secrets.iter().map(|secret| Key::Symmetric(prepared(secret))).collect();
        Self { keys, profiles: Vec::new() }
    }

    /// Prepares the keys of all live secrets, the newest first, and the endpoint's profiles. A profile without a secret that
    /// can sign it is left out.
    pub fn with_profiles(secrets: &[SigningSecret], profiles: &[Profile]) -> Self {
        let key = |secret: &SigningSecret| match secret {
            SigningSecret::Standard(secret) => Some(Key::Symmetric(prepared(secret))),
            SigningSecret::Ed25519(secret) => Some(Key::Ed25519(secret.clone())),
            SigningSecret::Opaque(_) => None,
        };
        Self {
            keys: secrets.iter().filter_map(key).collect(),
            profiles: profiles
                .iter()
                .filter_map(|profile| profile::Prepared::new(profile, secrets))
                .collect(),
        }
    }

    /// Signs one request: the value of `webhook-signature`, one `v1,…` or `v1a,…` for each secret with one space between.
    /// Empty without any secret of these schemes; then the header is not sent.
    ///
    /// The event id must be the text sent as `webhook-id`, the timestamp (Unix seconds) that of `webhook-timestamp`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut out = String::with_capacity((SIGNATURE_LENGTH + 1) * self.keys.len());
        for key in &self.keys {
            if !out.is_empty() {
                out.push(' ');
            }
            match key {
                Key::Symmetric(key) => {
                    let mut mac = key.clone();
                    mac.update(id.as_bytes());
                    write!(MacWriter(&mut mac), ".{timestamp}.")
                        .expect("writing to a MAC cannot fail");
                    mac.update(body);
                    out.push_str("v1,");
                    STANDARD.encode_string(mac.finalize().into_bytes(), &mut out);
                }
                Key::Ed25519(key) => {
                    out.push_str("v1a,");
                    out.push_str(&key.sign(&ed25519::message(id, timestamp, body)));
                }
            }
        }
        out
    }

    /// The headers of the endpoint's profiles for one request; the timestamp in Unix seconds.
    pub fn profile_headers(
        &self,
        timestamp: i64,
        body: &[u8],
    ) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.profiles.iter().map(move |profile| profile.header(timestamp, body))
    }
}

/// Shows how many keys there are, never a key.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("keys", &self.keys.len())
            .field("profiles", &self.profiles.len())
            .finish_non_exhaustive()
    }
}

fn prepared(secret: &Secret) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret.bytes()).expect("HMAC takes keys of any length")
}

/// Lets a number be formatted straight into the MAC, without a text of its own.
struct MacWriter<'a>(&'a mut Hmac<Sha256>);

impl fmt::Write for MacWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod kinds_tests;
#[cfg(test)]
mod tests;
