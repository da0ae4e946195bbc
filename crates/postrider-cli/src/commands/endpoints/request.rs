//! What the options of `endpoints add` and `endpoints update` say about an endpoint's requests: how they are written, signed and
//! let in. Secrets come from files or standard input, never from the command line.

use std::path::{Path, PathBuf};

use postrider_core::auth::{Auth, TlsIdentity};
use postrider_core::endpoint;
use postrider_core::format::Format;
use postrider_core::input::InputError;
use postrider_core::signing::{Profile, SecretKind, SigningSecret};
use postrider_destinations::EndpointTls;
use postrider_store::admin::endpoints::{Change, RequestSettings};
use zeroize::Zeroizing;

use super::fields;
use crate::config::Egress;
use crate::exit::{Exit, Failure};
use crate::input;

/// Options that `add` and `update` share.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Requests")]
pub(crate) struct RequestFields {
    /// How events are written: postrider, standard, cloudevents or raw
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Further signature of each request: stripe, github, hmac-hex or shared-secret, with =HEADER for another header; none: no more
    #[arg(long = "sign", value_name = "PROFILE", value_delimiter = ',')]
    sign: Option<Vec<String>>,
    /// File with its login as JSON, type basic, bearer or oauth2; - for standard input
    #[arg(long, value_name = "FILE")]
    auth_file: Option<PathBuf>,
    /// PEM file with the certificate that we show it
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// PEM file with the private key of that certificate
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// PEM file of the authorities that its certificate may come from, instead of the usual ones
    #[arg(long, value_name = "FILE")]
    endpoint_ca: Option<PathBuf>,
}

impl RequestFields {
    /// What they say, checked.
    pub(crate) fn settings(&self, egress: &Egress) -> Result<RequestSettings, Failure> {
        Ok(RequestSettings {
            format: self.format()?,
            signing: self.signing()?,
            auth: self.auth(egress)?.map_or(Change::Keep, Change::Set),
            tls: self.tls()?.map_or(Change::Keep, Change::Set),
        })
    }

    fn format(&self) -> Result<Option<Format>, Failure> {
        let Some(text) = &self.format else { return Ok(None) };
        let format = text.parse::<Format>();
        let format = format
            .map_err(|error| InputError::new("format", "format.unknown", error.to_string()))?;
        Ok(Some(format))
    }

    fn signing(&self) -> Result<Option<Vec<Profile>>, Failure> {
        let Some(texts) = &self.sign else { return Ok(None) };
        if texts == &["none"] {
            return Ok(Some(Vec::new()));
        }
        let profiles = texts.iter().map(|text| Profile::parse(text)).collect::<Result<_, _>>()?;
        Ok(Some(Profile::checked_list(profiles)?))
    }

    fn auth(&self, egress: &Egress) -> Result<Option<Auth>, Failure> {
        let Some(file) = &self.auth_file else { return Ok(None) };
        let auth = Auth::parse_json(&text(file, "auth")?)?;
        if let Auth::OAuth2(oauth) = &auth {
            // Judged as an endpoint's own URL: we are going to send a secret there.
            fields::url(&oauth.token_url, egress)
                .map_err(|failure| failure.doing("auth.token_url cannot be used"))?;
        }
        Ok(Some(auth))
    }

    fn tls(&self) -> Result<Option<TlsIdentity>, Failure> {
        let read = |file: &Option<PathBuf>| -> Result<Option<String>, Failure> {
            file.as_deref().map(|file| text(file, "tls").map(|text| text.to_string())).transpose()
        };
        let identity = TlsIdentity {
            certificate: read(&self.client_cert)?,
            key: read(&self.client_key)?,
            ca: read(&self.endpoint_ca)?,
        };
        if identity.certificate.is_none() && identity.ca.is_none() {
            return Ok(None);
        }
        let identity = identity.checked()?;
        EndpointTls::new(&identity)
            .map_err(|error| InputError::new("tls", "tls.pem", error.to_string()))?;
        Ok(Some(identity))
    }
}

/// Every request has a signature.
pub(crate) fn check_signed(kinds: &[SecretKind], profiles: &[Profile]) -> Result<(), Failure> {
    Ok(endpoint::check_signed(kinds, profiles)?)
}

/// A signing secret of this kind from a file, or a new one; and whether the caller brought it.
pub(crate) fn secret(
    kind: SecretKind,
    file: Option<&Path>,
) -> Result<(SigningSecret, bool), Failure> {
    let Some(file) = file else {
        return Ok((SigningSecret::generate(kind, &rand::random()), false));
    };
    let content = text(file, "the secret")?;
    let mut lines = content.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.next()) {
        (None, _) => Err(Failure::new(Exit::Usage, format!("{} holds no secret", file.display()))),
        (Some(_), Some(_)) => Err(Failure::new(
            Exit::Usage,
            format!("{} holds several secrets; one is given at a time", file.display()),
        )),
        (Some(line), None) => {
            let secret = SigningSecret::parse(kind, line).map_err(|error| {
                Failure::new(Exit::Usage, "the secret cannot be used").why(error.to_string())
            })?;
            Ok((secret, true))
        }
    }
}

/// For clap: the kind of a secret.
pub(crate) fn kind(text: &str) -> Result<SecretKind, &'static str> {
    text.parse()
}

/// The text of a file that holds a secret. Wiped when dropped.
fn text(file: &Path, what: &str) -> Result<Zeroizing<String>, Failure> {
    let bytes = Zeroizing::new(input::bytes(Some(file))?);
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Failure::new(Exit::Usage, format!("{what}: {} is not text", file.display()))),
    }
}
