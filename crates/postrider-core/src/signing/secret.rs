//! The symmetric signing secret: `whsec_` and the base64 text of 24 to 64 bytes.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretSlice};
use zeroize::Zeroizing;

/// What the text of every secret begins with.
pub const PREFIX: &str = "whsec_";

/// How many bytes a secret may have.
pub const SECRET_BYTES: RangeInclusive<usize> = 24..=64;

/// A signing secret. Wiped when dropped; its `Debug` shows nothing of it.
#[derive(Clone, Debug)]
pub struct Secret {
    // A number of bytes within SECRET_BYTES.
    key: SecretSlice<u8>,
}

/// Why a text is no signing secret. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail} ({code})")]
pub struct SecretError {
    /// `secret.prefix`, `secret.encoding` or `secret.length`.
    pub code: &'static str,
    /// What a secret must look like.
    pub detail: &'static str,
}

const BAD_PREFIX: SecretError =
    SecretError { code: "secret.prefix", detail: "a signing secret must start with whsec_" };
const BAD_ENCODING: SecretError = SecretError {
    code: "secret.encoding",
    detail: "what follows whsec_ must be base64 in the standard alphabet with its padding",
};
const BAD_LENGTH: SecretError =
    SecretError { code: "secret.length", detail: "a signing secret must have 24 to 64 bytes" };

impl Secret {
    /// Reads `whsec_…`. Strict, because libraries disagree about every laxity: standard alphabet, padding, no blanks.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(BAD_PREFIX)?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| BAD_ENCODING)?);
        Self::from_bytes(&bytes)
    }

    /// Takes the raw key. Code: `secret.length`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        if !SECRET_BYTES.contains(&bytes.len()) {
            return Err(BAD_LENGTH);
        }
        Ok(Self { key: SecretSlice::from(bytes.to_vec()) })
    }

    /// Makes a secret of 32 bytes that the caller drew from a cryptographic generator.
    pub fn generate(random: &[u8; 32]) -> Self {
        Self { key: SecretSlice::from(random.to_vec()) }
    }

    /// The `whsec_…` text, to be shown once or sealed. Wiped when dropped.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 88));
        text.push_str(PREFIX);
        STANDARD.encode_string(self.bytes(), &mut text);
        text
    }

    /// The raw key.
    pub fn bytes(&self) -> &[u8] {
        self.key.expose_secret()
    }
}
