//! Envelope to request, the guarded HTTP client, answer to outcome.
//!
//! An [`EndpointTarget`] is prepared once per endpoint; [`webhook_request`] builds and signs one attempt's request;
//! [`Client::send`] resolves, judges, connects, posts and returns an `Answer`, which `postrider_core::retry` decides upon.
//! Nothing here knows the database, and nothing is ever sent to an address that was not judged just before.

mod certificate;
mod classify;
mod client;
mod connector;
mod dns;
mod echo;
mod frames;
mod identity;
mod oauth;
mod origin;
mod proxy;
mod request;
mod response;
mod stream;
mod tls;

pub use client::{Client, ClientConfig, ClientError};
pub use dns::Dns;
pub use identity::{EndpointTls, IdentityError};
pub use oauth::TokenSource;
pub use proxy::{EgressProxy, ProxyError};
pub use request::{
    Batch, Capture, EndpointTarget, OutgoingRequest, Webhook, batch_request, webhook_request,
};
pub use tls::TlsError;
