//! The closed sets of words for what became of a delivery and what went wrong in an attempt.
//!
//! Every word is stored, shown and counted under the same snake_case text; an unknown word is an error, never a default.

use std::fmt;
use std::str::FromStr;

/// The text is no member of the closed set that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {set}; expected one of {expected}")]
pub struct UnknownWord {
    set: &'static str,
    expected: String,
}

/// An enum whose members each have one text, with the conversions both ways.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $set:literal { $($(#[$member_doc:meta])* $member:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$member_doc])* $member,)+
        }

        impl $name {
            /// Every member, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$member,)+];

            /// The one text of this member.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$member => $text,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| {
                    let words: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                    UnknownWord { set: $set, expected: words.join(", ") }
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

words! {
    /// Where a delivery stands. Each but `pending` is final and comes with a reason.
    DeliveryStatus, "delivery status" {
        /// Waiting for its next attempt, or in one.
        Pending => "pending",
        /// The endpoint answered 2xx.
        Delivered => "delivered",
        /// The retry schedule is spent.
        Exhausted => "exhausted",
        /// No attempt will ever succeed, or the endpoint said so.
        Rejected => "rejected",
        /// Nothing had to be sent.
        Skipped => "skipped",
        /// Its time to live ran out first.
        Expired => "expired",
        /// The endpoint was disabled or deleted, or somebody cancelled it.
        Cancelled => "cancelled",
    }
}

impl DeliveryStatus {
    /// Whether no further attempt follows.
    pub fn is_closed(self) -> bool {
        self != Self::Pending
    }
}

words! {
    /// Why an attempt failed: all that is stored, shown and counted about it, never a library's text or an address.
    ErrorClass, "error class" {
        /// The name has no usable address.
        Dns => "dns",
        /// The name server did not answer in time.
        DnsTimeout => "dns_timeout",
        /// No connection came about.
        Connect => "connect",
        /// The certificate is not valid yet, or no longer.
        TlsExpired => "tls_expired",
        /// The certificate is for another name.
        TlsWrongName => "tls_wrong_name",
        /// The receiver vouches for itself.
        TlsSelfSigned => "tls_self_signed",
        /// Nobody that is believed vouches for the certificate.
        TlsUnknownIssuer => "tls_unknown_issuer",
        /// No protocol version or cipher is spoken by both.
        TlsVersion => "tls_version",
        /// What came back is not TLS.
        TlsInvalid => "tls_invalid",
        /// The TLS handshake or the certificate failed in another way.
        Tls => "tls",
        /// The attempt's deadline passed.
        Timeout => "timeout",
        /// The address or port is forbidden; nothing was sent.
        BlockedAddress => "blocked_address",
        /// The connection ended in the middle of the exchange.
        Reset => "reset",
        /// What came back is not HTTP.
        InvalidResponse => "invalid_response",
        /// The answer's head was larger than is read.
        ResponseTooLarge => "response_too_large",
        /// An answer came, with a status other than 2xx.
        HttpStatus => "http_status",
        /// No token was got to log in to the endpoint with.
        Auth => "auth",
        /// The stored URL cannot be requested.
        InvalidUrl => "invalid_url",
        /// The egress proxy did not connect us; the receiver was not asked.
        Proxy => "proxy",
        /// The fault is ours.
        Internal => "internal",
    }
}

impl ErrorClass {
    /// Whether the sender's side failed and nothing is said about the receiver.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Proxy | Self::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for status in DeliveryStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        for class in ErrorClass::ALL {
            assert_eq!(class.as_str().parse(), Ok(*class));
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
        }
    }

    #[test]
    fn unknown_words_are_refused_with_the_list() {
        let error = "done".parse::<DeliveryStatus>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown delivery status; expected one of pending, delivered, exhausted, rejected, skipped, expired, cancelled"
        );
        assert!("Dns".parse::<ErrorClass>().is_err());
        assert!("".parse::<ErrorClass>().is_err());
    }

    #[test]
    fn only_pending_is_open() {
        let open: Vec<_> =
            DeliveryStatus::ALL.iter().filter(|status| !status.is_closed()).collect();
        assert_eq!(open, [&DeliveryStatus::Pending]);
    }
}
