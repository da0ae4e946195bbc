//! Turns what went wrong into one word of the closed set of error classes.
//!
//! Reads errors of hyper, rustls and the operating system; their texts end here, because an error class is all that is
//! stored or shown. [`crate::client`] puts the class into the answer.

use std::error::Error;
use std::io;

use postrider_core::status::ErrorClass;

/// A connection did not come about. The connector knows why, so the class is settled there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no connection: {class}")]
pub(crate) struct ConnectFailure {
    pub(crate) class: ErrorClass,
    /// The rule that refused the address, where one did.
    pub(crate) rule: Option<&'static str>,
}

impl ConnectFailure {
    /// A failure about which its class says everything.
    pub(crate) fn of(class: ErrorClass) -> Self {
        Self { class, rule: None }
    }

    /// An address that is not connected to, by this rule.
    pub(crate) fn blocked(rule: &'static str) -> Self {
        Self { class: ErrorClass::BlockedAddress, rule: Some(rule) }
    }
}

/// A certificate that its own holder issued: found when nobody that is believed vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate vouches for itself")]
pub(crate) struct SelfSigned;

/// The receiver sent more than an answer may hold and still did not end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer does not end")]
pub(crate) struct AnswerTooLong;

/// The class of an exchange that ended without a status.
///
/// Walks the chain of causes and takes the first that says something. An exchange that broke off without saying why
/// is `reset`: whether the receiver acted on the request is unknown, and the attempt is repeated.
pub(crate) fn class_of(error: &(dyn Error + 'static)) -> ErrorClass {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(class) = verdict_on(error) {
            return class;
        }
        cause = error.source();
    }
    ErrorClass::Reset
}

/// The rule that refused the address, if that is what ended the exchange.
pub(crate) fn rule_of(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref::<ConnectFailure>() {
            return failure.rule;
        }
        cause = error.source();
    }
    None
}

/// The class of a failed handshake: the certificate, the versions and ciphers, or a peer that does not speak TLS.
/// A connection that simply broke is a `reset`.
pub(crate) fn class_of_handshake(error: &io::Error) -> ErrorClass {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => class_of_tls(error),
        None => ErrorClass::Reset,
    }
}

fn class_of_tls(error: &rustls::Error) -> ErrorClass {
    use rustls::{AlertDescription, CertificateError};
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => ErrorClass::TlsExpired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                ErrorClass::TlsWrongName
            }
            // A bad signature: it only claims an issuer that is believed.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                ErrorClass::TlsUnknownIssuer
            }
            CertificateError::Other(other) if other.0.is::<SelfSigned>() => {
                ErrorClass::TlsSelfSigned
            }
            _ => ErrorClass::Tls,
        },
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            AlertDescription::ProtocolVersion
            | AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity,
        ) => ErrorClass::TlsVersion,
        rustls::Error::InvalidMessage(_)
        | rustls::Error::InappropriateMessage { .. }
        | rustls::Error::InappropriateHandshakeMessage { .. }
        | rustls::Error::PeerMisbehaved(_)
        | rustls::Error::DecryptError
        | rustls::Error::PeerSentOversizedRecord => ErrorClass::TlsInvalid,
        _ => ErrorClass::Tls,
    }
}

/// The class of a connection that could not be opened. Too few file descriptors are our fault and no receiver's.
pub(crate) fn class_of_dial(error: &io::Error) -> ErrorClass {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    match error.raw_os_error() {
        Some(ENFILE | EMFILE) => ErrorClass::Internal,
        // It stood for a moment: the answer to our connecting and the reset came together.
        _ if error.kind() == io::ErrorKind::ConnectionReset => ErrorClass::Reset,
        _ => ErrorClass::Connect,
    }
}

fn verdict_on(error: &(dyn Error + 'static)) -> Option<ErrorClass> {
    if let Some(failure) = error.downcast_ref::<ConnectFailure>() {
        return Some(failure.class);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return verdict_on_hyper(error);
    }
    // `source()` of an `io::Error` skips the error that it wraps, so look inside.
    let inner = error.downcast_ref::<io::Error>()?.get_ref()?;
    // What ends an HTTP/2 connection is told to those it carried as a text.
    if inner.is::<AnswerTooLong>() || inner.to_string() == AnswerTooLong.to_string() {
        Some(ErrorClass::ResponseTooLarge)
    } else {
        inner.downcast_ref().map(class_of_tls)
    }
}

fn verdict_on_hyper(error: &hyper::Error) -> Option<ErrorClass> {
    if error.is_parse_too_large() {
        Some(ErrorClass::ResponseTooLarge)
    } else if error.is_parse() {
        Some(ErrorClass::InvalidResponse)
    } else if error.is_timeout() {
        Some(ErrorClass::Timeout)
    } else if error.is_user() {
        Some(ErrorClass::Internal)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_io_error_wraps_decides() {
        let wrapped =
            |inner: Box<dyn Error + Send + Sync>| io::Error::new(io::ErrorKind::InvalidData, inner);
        for (error, expected) in [
            (wrapped(Box::new(AnswerTooLong)), ErrorClass::ResponseTooLarge),
            (wrapped(Box::new(rustls::Error::DecryptError)), ErrorClass::TlsInvalid),
            (io::Error::from(io::ErrorKind::ConnectionReset), ErrorClass::Reset),
            (io::Error::from(io::ErrorKind::UnexpectedEof), ErrorClass::Reset),
        ] {
            assert_eq!(class_of(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_connect_failure_keeps_its_class() {
        let failure = ConnectFailure::of(ErrorClass::DnsTimeout);
        assert_eq!((class_of(&failure), rule_of(&failure)), (ErrorClass::DnsTimeout, None));
        let failure = ConnectFailure::blocked("loopback");
        assert_eq!(class_of(&failure), ErrorClass::BlockedAddress);
        assert_eq!(rule_of(&failure), Some("loopback"));
    }

    #[test]
    fn running_out_of_descriptors_is_our_fault() {
        assert_eq!(class_of_dial(&io::Error::from_raw_os_error(24)), ErrorClass::Internal);
        assert_eq!(
            class_of_dial(&io::Error::from(io::ErrorKind::ConnectionRefused)),
            ErrorClass::Connect
        );
    }
}
