//! The structures inside an endpoint as it is sent to us: its secret, its TLS identity, its batches, its backfill.

use std::time::Duration;

use jiff::Timestamp;
use postrider_core::auth::TlsIdentity;
use postrider_core::batch::{BatchPolicy, Encoding};
use postrider_core::input::InputError;
use postrider_core::signing::{SecretKind, SigningSecret};
use postrider_destinations::EndpointTls;
use schemars::JsonSchema;
use serde::Deserialize;

use super::problem::Problem;
use super::shapes::SecretKindWord;

/// Events of which time are sent to a new endpoint besides those to come.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewBackfill")]
pub(super) struct BackfillBody {
    pub(super) since: Timestamp,
    /// Deliveries a second.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) rate: Option<u16>,
}

/// A signing secret: one of the caller's, or a new one of a kind.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "NewSecret")]
pub(super) struct SecretBody {
    #[schemars(with = "Option<SecretKindWord>")]
    kind: Option<String>,
    /// One of yours; else a new one is made.
    value: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewBatch")]
pub(super) struct BatchBody {
    max_events: Option<i64>,
    max_wait_ms: Option<u64>,
    max_bytes: Option<i64>,
    encoding: Option<String>,
}

/// PEM texts. No `Debug`: one of them is a key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewTls")]
pub(super) struct TlsBody {
    /// The client certificate, with what is between it and its authority; together with its key.
    #[schemars(length(max = 65_536))]
    certificate: Option<String>,
    #[schemars(length(max = 65_536))]
    key: Option<String>,
    /// The authorities that are believed, instead of the usual ones.
    #[schemars(length(max = 65_536))]
    ca: Option<String>,
}

impl SecretBody {
    /// The secret, and whether the caller brought it.
    pub(super) fn secret(&self) -> Result<(SigningSecret, bool), Problem> {
        let kind = self.kind.as_deref().unwrap_or(SecretKind::Standard.as_str());
        let kind: SecretKind = kind
            .parse()
            .map_err(|detail: &str| Problem::field("/secret/kind", "secret.kind", detail))?;
        match &self.value {
            None => Ok((SigningSecret::generate(kind, &rand::random()), false)),
            Some(text) => {
                SigningSecret::parse(kind, text).map(|secret| (secret, true)).map_err(|error| {
                    Problem::field("/secret/value", "secret.value", &error.to_string())
                })
            }
        }
    }
}

impl TlsBody {
    /// Codes: `tls.pair`, `tls.length`, `tls.pem`, `required`.
    pub(super) fn identity(&self) -> Result<TlsIdentity, Problem> {
        let Self { certificate, key, ca } = self;
        let identity =
            TlsIdentity { certificate: certificate.clone(), key: key.clone(), ca: ca.clone() };
        let identity = identity.checked()?;
        if identity.certificate.is_none() && identity.ca.is_none() {
            let detail = "needs certificate and key, or ca; null takes both away";
            return Err(Problem::field("/tls", "required", detail));
        }
        EndpointTls::new(&identity)
            .map_err(|error| InputError::new("tls", "tls.pem", error.to_string()))?;
        Ok(identity)
    }
}

impl BatchBody {
    pub(super) fn policy(&self, was: BatchPolicy) -> Result<BatchPolicy, Problem> {
        let encoding = self.encoding.as_deref().map_or(Ok(was.encoding()), Encoding::parse)?;
        Ok(BatchPolicy::new(
            self.max_events.unwrap_or(was.max_events().into()),
            self.max_wait_ms.map_or(was.max_wait(), Duration::from_millis),
            self.max_bytes.unwrap_or(was.max_bytes().into()),
            encoding,
        )?)
    }
}
