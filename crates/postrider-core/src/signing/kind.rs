//! The kinds of signing secrets, and a secret of any of them.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{Ed25519Secret, Secret, SecretError};

/// The most secrets of an endpoint that are live at once.
pub const MAX_LIVE_SECRETS: usize = 5;

/// Which kind of secret it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretKind {
    /// `whsec_…`: HMAC-SHA256, scheme `v1`. Signs profiles too.
    #[default]
    Standard,
    /// `whsk_…`: ed25519, scheme `v1a`.
    Ed25519,
    /// Any text of 16 to 256 printable ASCII characters: signs profiles only.
    Opaque,
}

/// A signing secret of any kind. Wiped when dropped; its `Debug` shows nothing of it.
#[derive(Clone, Debug)]
pub enum SigningSecret {
    Standard(Secret),
    // In a box: ten times as large as the others, and rare.
    Ed25519(Box<Ed25519Secret>),
    Opaque(OpaqueSecret),
}

/// A secret that another system made and that is taken over as it is.
#[derive(Clone, Debug)]
pub struct OpaqueSecret {
    // 16 to 256 printable ASCII characters, no blank at either end.
    text: SecretString,
}

const BAD_OPAQUE: SecretError = SecretError {
    code: "secret.opaque",
    detail: "an opaque secret must be 16 to 256 printable ASCII characters without outer blanks",
};

impl SecretKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Standard, Self::Ed25519, Self::Opaque];

    /// The word that people use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Ed25519 => "ed25519",
            Self::Opaque => "opaque",
        }
    }

    /// As it is stored: the scheme.
    pub fn algorithm(self) -> &'static str {
        match self {
            Self::Standard | Self::Opaque => "v1",
            Self::Ed25519 => "v1a",
        }
    }

    /// As it is stored: how the text is read.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Standard | Self::Ed25519 => "standard",
            Self::Opaque => "opaque",
        }
    }

    /// The kind that is stored as these two words.
    pub fn of(algorithm: &str, encoding: &str) -> Option<Self> {
        let same = |kind: &Self| kind.algorithm() == algorithm && kind.encoding() == encoding;
        Self::ALL.iter().copied().find(same)
    }
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for SecretKind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|kind| kind.as_str() == text);
        found.ok_or("must be standard, ed25519 or opaque")
    }
}

impl SigningSecret {
    /// Reads a secret of a kind. Codes: `secret.prefix`, `secret.encoding`, `secret.length`, `secret.pair`, `secret.opaque`.
    pub fn parse(kind: SecretKind, text: &str) -> Result<Self, SecretError> {
        Ok(match kind {
            SecretKind::Standard => Self::Standard(Secret::parse(text)?),
            SecretKind::Ed25519 => Self::Ed25519(Box::new(Ed25519Secret::parse(text)?)),
            SecretKind::Opaque => Self::Opaque(OpaqueSecret::parse(text)?),
        })
    }

    /// Makes a secret of 32 bytes that the caller drew from a cryptographic generator. An opaque one is their hex text.
    pub fn generate(kind: SecretKind, random: &[u8; 32]) -> Self {
        match kind {
            SecretKind::Standard => Self::Standard(Secret::generate(random)),
            SecretKind::Ed25519 => Self::Ed25519(Box::new(Ed25519Secret::generate(random))),
            SecretKind::Opaque => {
                let text = Zeroizing::new(hex::encode(random));
                Self::Opaque(OpaqueSecret { text: SecretString::from(text.as_str()) })
            }
        }
    }

    /// Its kind.
    pub fn kind(&self) -> SecretKind {
        match self {
            Self::Standard(_) => SecretKind::Standard,
            Self::Ed25519(_) => SecretKind::Ed25519,
            Self::Opaque(_) => SecretKind::Opaque,
        }
    }

    /// The text, to be sealed, or shown once where a receiver needs it. Wiped when dropped.
    pub fn expose(&self) -> Zeroizing<String> {
        match self {
            Self::Standard(secret) => secret.expose(),
            Self::Ed25519(secret) => secret.expose(),
            Self::Opaque(secret) => Zeroizing::new(secret.text.expose_secret().to_owned()),
        }
    }

    /// The `whpk_…` text of what receivers verify with, where that may be published.
    pub fn public_key(&self) -> Option<String> {
        match self {
            Self::Ed25519(secret) => Some(secret.public().to_string()),
            Self::Standard(_) | Self::Opaque(_) => None,
        }
    }

    /// Whether receivers verify with the very same secret: then it signs profiles.
    pub fn is_symmetric(&self) -> bool {
        self.kind() != SecretKind::Ed25519
    }
}

impl OpaqueSecret {
    /// Takes the text as it is. Code: `secret.opaque`.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !(16..=256).contains(&text.len()) || !printable || text.trim_matches(' ') != text {
            return Err(BAD_OPAQUE);
        }
        Ok(Self { text: SecretString::from(text) })
    }
}
