//! The keys by which the API knows who asks: what they look like, what is stored of them, and what they allow.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::input::InputError;

/// What every key begins with.
const PREFIX: &str = "prk_";
/// `prk_` and 256 bits in base64url.
const LENGTH: usize = PREFIX.len() + 43;

/// A key, shown once when it is made. Wiped when dropped, and never shown by `Debug`.
pub struct ApiKey(Zeroizing<String>);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

impl ApiKey {
    /// The key of these random bits.
    #[must_use]
    pub fn generate(random: &[u8; 32]) -> Self {
        Self(Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))))
    }

    /// Reads what a caller sent. What cannot be a key is none, whatever it holds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX).filter(|_| text.len() == LENGTH)?;
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        rest.bytes().all(letters).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What is stored: SHA-256 of the text. A key has 256 random bits, so it cannot be guessed from this, and nothing slower is needed.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Its last four characters, by which people tell keys apart.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.0[LENGTH - 4..]
    }

    /// The whole key, for the one time it is shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What a key allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// To look.
    Read,
    /// To change endpoints and put deliveries right.
    Write,
    /// To publish events.
    Publish,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Publish];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Publish => "publish",
        }
    }

    /// Sorts a list and takes doubles out. Code: `scopes.empty`.
    ///
    /// # Errors
    /// When there is none.
    pub fn checked_list(mut scopes: Vec<Self>) -> Result<Vec<Self>, InputError> {
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(InputError::new(
                "scopes",
                "scopes.empty",
                "name at least one of read, write and publish",
            ));
        }
        Ok(scopes)
    }
}

impl FromStr for Scope {
    type Err = InputError;

    /// Code: `scopes.unknown`.
    fn from_str(text: &str) -> Result<Self, InputError> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            InputError::new("scopes", "scopes.unknown", "must be read, write or publish")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_made_and_told_by_its_end() {
        let key = ApiKey::generate(&[7; 32]);
        assert_eq!(key.expose(), "prk_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc");
        let read = ApiKey::parse(key.expose()).unwrap();
        assert_eq!((read.hash(), read.hint()), (key.hash(), "HBwc"));
        assert_ne!(key.hash(), ApiKey::generate(&[8; 32]).hash());
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
    }

    #[test]
    fn what_cannot_be_a_key_is_none() {
        let key = ApiKey::generate(&[7; 32]);
        let text = key.expose();
        for wrong in [
            "",
            "prk_",
            &text[4..],
            &text[..46],
            &format!("{text}x"),
            &text.replace("prk_", "sk__"),
            &text.replace("Bwc", "B c"),
            &format!("prk_{}é", &text[4..45]),
        ] {
            assert!(ApiKey::parse(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn scopes_are_three_words() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        assert_eq!("admin".parse::<Scope>().unwrap_err().code, "scopes.unknown");
        let list = Scope::checked_list(vec![Scope::Publish, Scope::Read, Scope::Read]).unwrap();
        assert_eq!(list, [Scope::Read, Scope::Publish]);
        assert_eq!(Scope::checked_list(Vec::new()).unwrap_err().code, "scopes.empty");
    }
}
