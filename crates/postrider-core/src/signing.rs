//! Standard Webhooks 1.0.0 signatures, scheme `v1`: HMAC-SHA256 over `id.timestamp.body`.
//!
//! A [`Secret`] is read from its `whsec_` text or made from random bytes; a [`Signer`] holds the prepared keys of one
//! endpoint and writes the `webhook-signature` header; [`verify`] is the receiver's side, which says what is wrong.

mod secret;
mod verify;

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub use secret::{PREFIX, SECRET_BYTES, Secret, SecretError};
pub use verify::{VerifyError, verify};

/// `v1,` and the base64 text of 32 bytes.
const SIGNATURE_LENGTH: usize = 3 + 44;

/// The prepared signing keys of one endpoint, the newest secret first.
///
/// Preparing a key costs two blocks of SHA-256, so it is done once; each signature starts from a copy of the prepared state.
/// Both are wiped when dropped.
#[derive(Clone)]
pub struct Signer {
    keys: Vec<Hmac<Sha256>>,
}

impl Signer {
    /// Prepares the keys of all live secrets. Without any secret the signature is empty and no receiver will accept it.
    pub fn new(secrets: &[Secret]) -> Self {
        Self { keys: secrets.iter().map(prepared).collect() }
    }

    /// Signs one request: the value of `webhook-signature`, one `v1,…` for each secret with one space between.
    ///
    /// The event id must be the text sent as `webhook-id`, the timestamp (Unix seconds) that of `webhook-timestamp`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut out = String::with_capacity((SIGNATURE_LENGTH + 1) * self.keys.len());
        for key in &self.keys {
            let mut mac = key.clone();
            mac.update(id.as_bytes());
            write!(MacWriter(&mut mac), ".{timestamp}.").expect("writing to a MAC cannot fail");
            mac.update(body);
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str("v1,");
            STANDARD.encode_string(mac.finalize().into_bytes(), &mut out);
        }
        out
    }
}

/// Shows how many keys there are, never a key.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("keys", &self.keys.len()).finish_non_exhaustive()
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
mod tests;
