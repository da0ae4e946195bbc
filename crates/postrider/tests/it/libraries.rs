//! What transactions of every library must do, written once in `sentences.rs` and run in each: the same rows as tokio-postgres
//! writes, the same outcomes, the same errors, and nothing when they roll back.

mod diesel_async;
mod sea_orm;
mod sentences;
mod sqlx;

use postrider::{BestEffort, Event, Outbox, PublishError, Published};

/// A connection of a library, in at most one transaction.
pub(crate) trait Library: Sized {
    async fn connect(url: &str) -> Self;
    async fn begin(&mut self);
    async fn commit(&mut self);
    async fn rollback(&mut self);
    /// Runs statements of the caller's own, and says whether they succeeded.
    async fn execute(&mut self, sql: &str) -> bool;
    /// The one text in the column `text`.
    async fn text(&mut self, sql: &str) -> String;

    /// By the functions of the library's module, which have the default settings.
    async fn publish(&mut self, event: &Event) -> Result<Published, PublishError>;
    async fn publish_many(&mut self, events: &[Event]) -> Result<Vec<Published>, PublishError>;
    async fn best_effort(&mut self, event: &Event) -> BestEffort;

    /// With settings.
    async fn publish_by(
        &mut self,
        outbox: &Outbox,
        event: &Event,
    ) -> Result<Published, PublishError>;
    async fn publish_many_by(
        &mut self,
        outbox: &Outbox,
        events: &[Event],
    ) -> Result<Vec<Published>, PublishError>;
    async fn best_effort_by(&mut self, outbox: &Outbox, event: &Event) -> BestEffort;
}

/// Proves each sentence for a library.
macro_rules! prove {
    ($library:ty: $($sentence:ident),+ $(,)?) => {
        $(#[tokio::test]
        async fn $sentence() {
            crate::libraries::sentences::$sentence::<$library>().await;
        })+
    };
    ($library:ty) => {
        crate::libraries::prove!($library:
            it_writes_the_same_rows_as_tokio_postgres,
            commit_publishes_and_rollback_publishes_nothing,
            a_second_publish_is_a_duplicate_or_a_conflict,
            a_batch_is_answered_in_its_order,
            in_strict_mode_a_conflict_is_an_error_and_the_transaction_goes_on,
            what_is_switched_off_runs_no_sql,
            an_invalid_event_is_refused_before_any_sql,
            a_payload_is_held_to_the_catalog_where_the_outbox_asks_for_it,
            a_twin_held_uncommitted_costs_best_effort_no_row,
            a_missing_table_costs_best_effort_no_row,
            best_effort_never_notifies,
            an_id_committed_since_the_snapshot_is_retryable,
            a_deadlock_and_a_lock_time_out_are_retryable,
        );
    };
}

pub(crate) use prove;
