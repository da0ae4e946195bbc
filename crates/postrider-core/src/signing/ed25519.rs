//! The asymmetric signing key, scheme `v1a`: `whsk_` is kept, `whpk_` is published.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use zeroize::Zeroizing;

use super::SecretError;

/// What the text of every private key begins with.
pub const PRIVATE_PREFIX: &str = "whsk_";
/// What the text of every public key begins with.
pub const PUBLIC_PREFIX: &str = "whpk_";

const BAD_PREFIX: SecretError =
    SecretError { code: "secret.prefix", detail: "an ed25519 signing key must start with whsk_" };
const BAD_ENCODING: SecretError = SecretError {
    code: "secret.encoding",
    detail: "what follows whsk_ must be base64 in the standard alphabet with its padding",
};
const BAD_LENGTH: SecretError = SecretError {
    code: "secret.length",
    detail: "an ed25519 signing key must have 32 bytes, or 64 with its public key",
};
const BAD_PAIR: SecretError = SecretError {
    code: "secret.pair",
    detail: "the second half of the signing key is not the public key of the first",
};
const BAD_PUBLIC: SecretError = SecretError {
    code: "secret.public_key",
    detail: "must be whpk_ and the base64 text of an ed25519 public key",
};

/// A private signing key. Wiped when dropped; its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Ed25519Secret {
    key: SigningKey,
}

/// What receivers verify `v1a` with. Public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ed25519Public(VerifyingKey);

impl Ed25519Secret {
    /// Reads `whsk_…`: the seed alone, or with its public key behind it, as other implementations write it.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PRIVATE_PREFIX).ok_or(BAD_PREFIX)?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| BAD_ENCODING)?);
        let (seed, public) = bytes.split_first_chunk::<32>().ok_or(BAD_LENGTH)?;
        let secret = Self::generate(seed);
        match public.len() {
            0 => Ok(secret),
            32 if secret.key.verifying_key().as_bytes() == public => Ok(secret),
            32 => Err(BAD_PAIR),
            _ => Err(BAD_LENGTH),
        }
    }

    /// Makes a key of 32 bytes that the caller drew from a cryptographic generator.
    pub fn generate(random: &[u8; 32]) -> Self {
        Self { key: SigningKey::from_bytes(random) }
    }

    /// The `whsk_…` text with both halves, to be sealed. Wiped when dropped.
    pub fn expose(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(self.key.to_keypair_bytes());
        let mut text = Zeroizing::new(String::with_capacity(PRIVATE_PREFIX.len() + 88));
        text.push_str(PRIVATE_PREFIX);
        STANDARD.encode_string(bytes.as_slice(), &mut text);
        text
    }

    /// The public half.
    pub fn public(&self) -> Ed25519Public {
        Ed25519Public(self.key.verifying_key())
    }

    /// The base64 text of the signature of a message.
    pub(super) fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.key.sign(message).to_bytes())
    }
}

impl fmt::Debug for Ed25519Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519Secret").finish_non_exhaustive()
    }
}

impl Ed25519Public {
    /// Reads `whpk_…`. Code: `secret.public_key`.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PUBLIC_PREFIX).ok_or(BAD_PUBLIC)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| BAD_PUBLIC)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| BAD_PUBLIC)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| BAD_PUBLIC)
    }

    /// Whether a base64 signature belongs to `id.timestamp.body`.
    pub fn verifies(&self, signature: &str, id: &str, timestamp: i64, body: &[u8]) -> bool {
        let Some(signature) =
            STANDARD.decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok())
        else {
            return false;
        };
        self.0.verify(&message(id, timestamp, body), &signature).is_ok()
    }
}

/// The `whpk_…` text.
impl fmt::Display for Ed25519Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", STANDARD.encode(self.0.as_bytes()))
    }
}

/// What is signed, in one piece: ed25519 goes over its message twice.
pub(super) fn message(id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), format!(".{timestamp}.").as_bytes(), body].concat()
}
