//! Examples of services that publish with Postrider, written the way a user would write them.
//!
//! `mail-intake` stores e-mail and publishes `email.received`, in one transaction for each message. Its parts are here
//! for others to call: [`intake()`], [`mail`] (bytes → message), [`mailbox`] (places → bytes), [`samples()`].

pub mod intake;
pub mod mail;
pub mod mailbox;
mod samples;

pub use intake::{Ending, IntakeError, Intaken, Outcome, create_table, intake};
pub use samples::samples;
