//! The ids that Postrider itself makes: endpoints (`whk_…`), deliveries (`whd_…`), batches of them (`btc_…`), API keys (`key_…`)
//! and jobs (`job_…`).
//!
//! All are UUIDs in the database and prefixed hex everywhere a person or a program outside can see them. Event ids belong
//! to the producer's contract and live in `postrider-event`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Where a tenant wants events sent; written `whk_` and 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub Uuid);

/// One event owed to one endpoint; written `whd_` and 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub Uuid);

/// Several deliveries of one endpoint in one request; written `btc_` and 32 hex digits. Sent as `webhook-id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub Uuid);

/// A key of the API; written `key_` and 32 hex digits. Not the key itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyId(pub Uuid);

/// Bulk work in the background; written `job_` and 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub Uuid);

/// The text is not the id that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {kind} id: expected {prefix} and 32 lower-case hex digits")]
pub struct IdError {
    kind: &'static str,
    prefix: &'static str,
}

impl DeliveryId {
    /// The id of the delivery of one event to one endpoint, the same whoever computes it and however often.
    ///
    /// A version-8 UUID: the first 48 bits are the event's `created_at` in milliseconds, big-endian, so that ids sort by time
    /// and a look-up prunes to one partition. The other bits are the head of SHA-256 over tenant, event id, endpoint id
    /// and replay number, each preceded by its length as a 32-bit big-endian number, so that no two different inputs can
    /// run together into the same bytes.
    pub fn derive(
        created_at_ms: u64,
        tenant: &str,
        event_id: &str,
        endpoint: EndpointId,
        replay: u16,
    ) -> Self {
        let mut hash = Sha256::new();
        for part in
            [tenant.as_bytes(), event_id.as_bytes(), endpoint.0.as_bytes(), &replay.to_be_bytes()]
        {
            hash.update((part.len() as u32).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&created_at_ms.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&digest[..10]);
        Self(Uuid::new_v8(bytes))
    }

    /// The smallest delivery id that an event of this millisecond can have: the edge of a partition.
    pub fn floor(created_at_ms: u64) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&created_at_ms.to_be_bytes()[2..]);
        Self(Uuid::new_v8(bytes))
    }

    /// The event's `created_at` in milliseconds, as the id carries it.
    pub fn created_at_ms(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes[2..].copy_from_slice(&self.0.as_bytes()[..6]);
        u64::from_be_bytes(bytes)
    }
}

impl BatchId {
    /// The id of the batch of these deliveries in this order, the same whoever computes it and however often.
    ///
    /// A version-8 UUID: the first 48 bits are those of the first delivery's id, its event's time; the others are the head of
    /// SHA-256 over the number of deliveries, as 32 bits big-endian, and their ids.
    pub fn derive(deliveries: &[DeliveryId]) -> Self {
        let mut hash = Sha256::new();
        hash.update(u32::try_from(deliveries.len()).unwrap_or(u32::MAX).to_be_bytes());
        for delivery in deliveries {
            hash.update(delivery.0.as_bytes());
        }
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        if let Some(first) = deliveries.first() {
            bytes[..6].copy_from_slice(&first.0.as_bytes()[..6]);
        }
        bytes[6..].copy_from_slice(&digest[..10]);
        Self(Uuid::new_v8(bytes))
    }
}

/// Display, parsing and serde of a UUID with a prefix. Only the canonical spelling is read, so one id has one text.
macro_rules! prefixed_id {
    ($id:ident, $kind:literal, $prefix:literal) => {
        impl $id {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl FromStr for $id {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($prefix)
                    .and_then(canonical_hex)
                    .map(Self)
                    .ok_or(IdError { kind: $kind, prefix: $prefix })
            }
        }

        impl Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

prefixed_id!(EndpointId, "an endpoint", "whk_");
prefixed_id!(DeliveryId, "a delivery", "whd_");
prefixed_id!(BatchId, "a batch", "btc_");
prefixed_id!(ApiKeyId, "an API key", "key_");
prefixed_id!(JobId, "a job", "job_");

fn canonical_hex(text: &str) -> Option<Uuid> {
    let canonical = text.len() == 32
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if canonical { Uuid::try_parse(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: EndpointId =
        EndpointId(Uuid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef));

    #[test]
    fn ids_are_written_and_read_in_one_spelling() {
        let text = "whk_0123456789ab4def8123456789abcdef";
        assert_eq!(ENDPOINT.to_string(), text);
        assert_eq!(text.parse(), Ok(ENDPOINT));
        assert_eq!(serde_json::to_string(&ENDPOINT).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<EndpointId>(&format!("\"{text}\"")).unwrap(), ENDPOINT);
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "whk_",
            "0123456789ab4def8123456789abcdef",
            "whd_0123456789ab4def8123456789abcdef",
            "WHK_0123456789ab4def8123456789abcdef",
            "whk_0123456789AB4DEF8123456789ABCDEF",
            "whk_01234567-89ab-4def-8123-456789abcdef",
            "whk_0123456789ab4def8123456789abcde",
            "whk_0123456789ab4def8123456789abcdef ",
            "whk_0123456789ab4def8123456789abcdeg",
        ] {
            assert!(text.parse::<EndpointId>().is_err(), "{text:?}");
        }
        let error = "whk_1".parse::<DeliveryId>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "not a delivery id: expected whd_ and 32 lower-case hex digits"
        );
    }

    #[test]
    fn a_delivery_id_is_a_fixed_function_of_its_parts() {
        let id = DeliveryId::derive(1_700_000_000_123, "acme", "evt_1", ENDPOINT, 0);
        // Computed apart from this code. It may never change: rows in our users' databases carry it.
        assert_eq!(id.to_string(), "whd_018bcfe5687b83a6a88c102bdad100bc");
        assert_eq!(id.0.get_version_num(), 8);
        assert_eq!(id.created_at_ms(), 1_700_000_000_123);
        assert_eq!(id, DeliveryId::derive(1_700_000_000_123, "acme", "evt_1", ENDPOINT, 0));
    }

    #[test]
    fn every_part_of_a_delivery_id_counts() {
        let other = EndpointId(Uuid::from_u128(2));
        let ids = [
            DeliveryId::derive(1, "acme", "evt_1", ENDPOINT, 0),
            DeliveryId::derive(2, "acme", "evt_1", ENDPOINT, 0),
            DeliveryId::derive(1, "acm", "eevt_1", ENDPOINT, 0),
            DeliveryId::derive(1, "acme", "evt_2", ENDPOINT, 0),
            DeliveryId::derive(1, "acme", "evt_1", other, 0),
            DeliveryId::derive(1, "acme", "evt_1", ENDPOINT, 1),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn a_batch_id_is_a_fixed_function_of_its_members_and_their_order() {
        let member = |n: u128| DeliveryId(Uuid::from_u128((0x018b_cfe5_687b_u128 << 80) + n));
        let id = BatchId::derive(&[member(1), member(2)]);
        // Computed apart from this code: receivers have seen it, so it may never change.
        assert_eq!(id.to_string(), "btc_018bcfe5687b82fb8a0b6f87519f3a38");
        assert_eq!(id.to_string().parse(), Ok(id));
        for other in [vec![member(2), member(1)], vec![member(1)], vec![member(1), member(3)]] {
            assert_ne!(BatchId::derive(&other), id, "{other:?}");
        }
    }

    #[test]
    fn the_floor_is_below_every_id_of_its_millisecond_and_above_those_before() {
        for ms in [0, 1, 1_700_000_000_123, (1 << 48) - 1] {
            for replay in 0..50 {
                assert!(
                    DeliveryId::floor(ms) <= DeliveryId::derive(ms, "t", "e", ENDPOINT, replay)
                );
                if ms > 0 {
                    assert!(
                        DeliveryId::floor(ms)
                            > DeliveryId::derive(ms - 1, "t", "e", ENDPOINT, replay)
                    );
                }
            }
        }
    }
}
