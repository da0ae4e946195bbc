//! What the tests of the other crates stand on: a database for each test, a receiver of webhooks that records and
//! misbehaves, and a checker that judges a whole run from journals. For tests, benchmarks and proofs; never shipped.
//!
//! [`TestDb`] copies a migrated template in one private server. [`Receiver`] is the subscriber. [`Journal`] is how
//! publishers, receivers and whoever injects faults write down what happened, and [`check`] compares that with the
//! database and returns a [`Verdict`] on the invariants I1 to I7.

mod api_cases;
mod checker;
mod clock;
mod db;
mod journal;
mod receiver;
mod server;
mod state;

pub use api_cases::{ApiCaseVerdict, ApiUnderTest, try_api_cases};
pub use checker::{Finding, OrderVerdict, OrderedEvent, Totals, Verdict, check, check_order};
pub use clock::monotonic_ns;
pub use db::{KEEP_VARIABLE, TestDb};
pub use journal::{
    EndpointEntry, FaultEntry, How, Journal, JournalError, Journals, ObservationEntry,
    PublisherEntry, SinkEntry, sha256_hex,
};
pub use receiver::{Behaviour, Received, Receiver, ReceiverOptions, Reply};
pub use server::{SERVER_VARIABLE, test_server_dir};
pub use state::{BUSINESS_TABLE, DatabaseState, DeliveryRow, EventRow};
