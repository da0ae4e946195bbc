//! Examples of services that publish with Postrider, written the way a user would write them.

pub mod mail;
pub mod mailbox;
mod samples;

pub use samples::samples;
