//! Secrets at rest: XChaCha20-Poly1305 under a ring of master keys.
//!
//! A sealed value is one version byte, the 8-byte id of its key, the 24-byte nonce and the ciphertext with its tag. Version and
//! key id are authenticated together with the caller's additional data, which names the row and column, so that a value
//! moved to another row does not open. The first key of the ring seals; every key opens.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES;

/// The installation's master keys.
#[derive(Clone)]
pub struct KeyRing {
    // Never empty; the first one seals.
    keys: Vec<MasterKey>,
}

#[derive(Clone)]
struct MasterKey {
    id: [u8; KEY_ID_BYTES],
    cipher: XChaCha20Poly1305,
}

/// A master key cannot be used. Never repeats the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// No key was given.
    #[error("no master key was given")]
    Empty,
    /// Neither base64 nor hex of 32 bytes.
    #[error("master key {number} is not 32 bytes in base64 or hex")]
    Malformed {
        /// Which of the keys, counted from 1.
        number: usize,
    },
}

/// A sealed value does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was sealed with a key that is not in the ring.
    #[error("sealed with master key {key_id}, which is not configured")]
    UnknownKey {
        /// The key's id in hex, as `KeyRing::key_ids` lists them.
        key_id: String,
    },
    /// It was cut, changed, or sealed for another place.
    #[error("the sealed value is damaged or belongs to another place")]
    Corrupt,
}

impl KeyRing {
    /// Reads the keys, the sealing one first: each 32 bytes as base64 or as 64 hex digits, outer white space ignored.
    pub fn from_master_keys(texts: &[&str]) -> Result<Self, KeyRingError> {
        if texts.is_empty() {
            return Err(KeyRingError::Empty);
        }
        let mut keys = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let key =
                decode(text.trim_ascii()).ok_or(KeyRingError::Malformed { number: index + 1 })?;
            keys.push(MasterKey::new(&key));
        }
        Ok(Self { keys })
    }

    /// The ids of all keys in hex, the sealing one first.
    pub fn key_ids(&self) -> impl ExactSizeIterator<Item = String> {
        self.keys.iter().map(|key| hex::encode(key.id))
    }

    /// Seals with the first key. The nonce must be fresh from a cryptographic generator and never be used twice.
    pub fn seal(&self, plaintext: &[u8], aad: &[u8], nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
        let key = &self.keys[0];
        let mut sealed = Vec::with_capacity(HEAD_BYTES + NONCE_BYTES + plaintext.len() + TAG_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(&key.id);
        let bound = bound_data(&sealed, aad);
        sealed.extend_from_slice(&nonce);
        let ciphertext = key
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plaintext, aad: &bound })
            .expect("encryption fails only beyond 256 GiB");
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// Opens what was sealed with any key of the ring for the same additional data.
    pub fn open(&self, sealed: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (head, rest) = sealed.split_at_checked(HEAD_BYTES).ok_or(SealError::Corrupt)?;
        let (nonce, ciphertext) =
            rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Corrupt)?;
        let (version, key_id) = (head[0], &head[1..]);
        if version != VERSION {
            return Err(SealError::Corrupt);
        }
        let key = self
            .keys
            .iter()
            .find(|key| key.id == key_id)
            .ok_or_else(|| SealError::UnknownKey { key_id: hex::encode(key_id) })?;
        let bound = bound_data(head, aad);
        key.cipher
            .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: &bound })
            .map(Zeroizing::new)
            .map_err(|_| SealError::Corrupt)
    }

    /// Whether the value was sealed with another key than the first: to be sealed again by a rotation.
    pub fn is_stale(&self, sealed: &[u8]) -> bool {
        sealed.get(1..HEAD_BYTES) != Some(&self.keys[0].id[..])
    }
}

/// Shows the ids of the keys, never a key.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.key_ids()).finish()
    }
}

impl MasterKey {
    fn new(key: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"postrider master key id\0");
        hash.update(key);
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&hash.finalize()[..KEY_ID_BYTES]);
        Self { id, cipher: XChaCha20Poly1305::new(key.into()) }
    }
}

/// The text of a master key: base64 of 32 bytes that the caller drew from a cryptographic generator.
pub fn generate_master_key(random: &[u8; 32]) -> String {
    STANDARD.encode(random)
}

fn bound_data(head: &[u8], aad: &[u8]) -> Vec<u8> {
    [head, aad].concat()
}

fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(if text.len() == 64 {
        hex::decode(text).ok()?
    } else {
        STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()?
    });
    let key: &[u8; 32] = bytes.as_slice().try_into().ok()?;
    Some(Zeroizing::new(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; 24] = [7; 24];

    fn ring(bytes: &[u8]) -> KeyRing {
        let texts: Vec<_> = bytes.iter().map(|byte| generate_master_key(&[*byte; 32])).collect();
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        KeyRing::from_master_keys(&texts).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_only() {
        let ring = ring(&[1]);
        let sealed = ring.seal(b"whsec_canary", b"endpoint 1", NONCE);
        assert_eq!(sealed.len(), 1 + 8 + 24 + 12 + 16);
        assert_eq!(ring.open(&sealed, b"endpoint 1").unwrap().as_slice(), b"whsec_canary");
        assert_eq!(ring.open(&sealed, b"endpoint 2"), Err(SealError::Corrupt));
    }

    #[test]
    fn any_changed_or_missing_byte_is_noticed() {
        let ring = ring(&[1]);
        let sealed = ring.seal(b"secret", b"a", NONCE);
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(ring.open(&changed, b"a").is_err(), "byte {index}");
            assert!(ring.open(&sealed[..index], b"a").is_err(), "cut at {index}");
        }
    }

    #[test]
    fn an_older_key_still_opens_and_is_known_to_be_stale() {
        let sealed = ring(&[1]).seal(b"secret", b"a", NONCE);
        let rotated = ring(&[2, 1]);
        assert_eq!(rotated.open(&sealed, b"a").unwrap().as_slice(), b"secret");
        assert!(rotated.is_stale(&sealed));
        assert!(!rotated.is_stale(&rotated.seal(b"secret", b"a", NONCE)));
    }

    #[test]
    fn a_missing_key_is_named() {
        let old = ring(&[1]);
        let sealed = old.seal(b"secret", b"a", NONCE);
        let key_id = old.key_ids().next().unwrap();
        assert_eq!(ring(&[2]).open(&sealed, b"a"), Err(SealError::UnknownKey { key_id }));
    }

    #[test]
    fn keys_are_read_as_base64_and_as_hex() {
        let base64 = generate_master_key(&[0xab; 32]);
        let hex = "ab".repeat(32);
        let unpadded = base64.trim_end_matches('=');
        let spaced = format!(" {base64}\n");
        let ids: std::collections::BTreeSet<_> = [base64.as_str(), &hex, unpadded, &spaced]
            .iter()
            .map(|text| KeyRing::from_master_keys(&[text]).unwrap().key_ids().next().unwrap())
            .collect();
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn other_texts_are_refused_without_being_repeated() {
        let good = generate_master_key(&[1; 32]);
        assert_eq!(KeyRing::from_master_keys(&[]).unwrap_err(), KeyRingError::Empty);
        for text in
            ["", "canary", &generate_master_key(&[1; 32])[..40], &"zz".repeat(32), &"ab".repeat(31)]
        {
            let error = KeyRing::from_master_keys(&[&good, text]).unwrap_err();
            assert_eq!(error, KeyRingError::Malformed { number: 2 });
            assert!(!error.to_string().contains("canary"));
        }
    }

    #[test]
    fn debug_shows_ids_only() {
        let text = format!("{:?}", ring(&[1]));
        assert_eq!(text.len(), 2 + 18, "{text}");
    }
}
