//! Publishes events and manages endpoints over the HTTP API of a Postrider daemon, for those who cannot reach its database.
//! Whoever can publishes with the crate `postrider`, in a transaction of its own.
//!
//! ```no_run
//! use postrider_client::types::{ListEventsQuery, NewEvent};
//! use postrider_client::{Client, Error, json};
//!
//! # async fn example(key: &str) -> Result<(), Error> {
//! let client = Client::new("https://postrider.example.com", key)?;
//! let published = client
//!     .events()
//!     .publish(&NewEvent {
//!         r#type: "order.paid".into(),
//!         key: Some(vec!["1001".into()]), // the same order is the same event, however often this runs
//!         data: json(&serde_json::json!({ "order": 1001 }))?,
//!         ..NewEvent::default()
//!     })
//!     .await?;
//! println!("{} {}", published.id, published.outcome);
//!
//! let mut events = client.events().list(&ListEventsQuery::default());
//! while let Some(event) = events.next().await? {
//!     println!("{} {}", event.id, event.r#type);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is asked again
//!
//! A GET, and a POST, which carries an `Idempotency-Key` of its own making or yours ([`Client::idempotency_key`]): after a lost
//! connection, and after `429` or `503` with `Retry-After`, three times and up to 30 seconds each. A PATCH, PUT or DELETE is sent once.
//!
//! # Secrets
//!
//! Neither the key nor a [`Secret`] stands in a `Debug` text or an error.

mod client;
mod connect;
mod error;
mod pages;
mod request;
pub mod resources;
mod retry;
mod secret;
#[expect(clippy::large_enum_variant, reason = "answers, read once and taken apart")]
pub mod types;

pub use client::Client;
pub use error::{Error, FieldError, Problem, json};
pub use pages::Pages;
pub use request::Answer;
pub use secret::Secret;
