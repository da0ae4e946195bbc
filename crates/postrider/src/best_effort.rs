//! Publishing that cannot harm the caller: a savepoint around the statement, 50 ms for any lock, no NOTIFY.
//! Reads the event; leaves the transaction as it found it when anything fails. `failures.rs` records the reason.

use futures_util::future::join3;
use postrider_event::Event;

use crate::driver_error::DriverError;
use crate::publish::{self, WakeUp};
use crate::transaction::sealed::Sealed;
use crate::transaction::{PgTransaction, Statements};
use crate::{PublishError, Published};

// The caller's own lock_timeout is kept in a setting of ours, so that it is set back without a round trip to learn it.
pub(crate) const SHORT_LOCK_TIMEOUT: &str = "SELECT set_config('postrider.lock_timeout', current_setting('lock_timeout'), true); \
                                  SET LOCAL lock_timeout = '50ms'";
pub(crate) const CALLERS_LOCK_TIMEOUT: &str =
    "SELECT set_config('lock_timeout', current_setting('postrider.lock_timeout'), true)";

/// Publishes inside a savepoint: three round trips. When it fails, everything it did is undone, the settings included.
///
/// If the future is dropped before it ends, the driver rolls the savepoint back all the same.
pub(crate) async fn publish<T: PgTransaction>(
    tx: &mut T,
    event: &Event,
) -> Result<Published, PublishError> {
    let failed = |source| failed(event, source);
    let savepoint = tx.open_savepoint().await.map_err(failed)?;
    // All three are sent at once and answered in order. The statement is unnamed because preparing a named one would
    // let the third overtake it.
    let (shortened, published, set_back) = join3(
        savepoint.driver().batch_execute(SHORT_LOCK_TIMEOUT),
        publish::one(&savepoint, event, WakeUp::Never, Statements::Unnamed),
        savepoint.driver().batch_execute(CALLERS_LOCK_TIMEOUT),
    )
    .await;
    let outcome = match (shortened, published, set_back) {
        (Err(source), _, _) => Err(failed(source)),
        (_, Err(error), _) => Err(error),
        (_, _, Err(source)) => Err(failed(source)),
        (Ok(()), Ok(published), Ok(())) => Ok(published),
    };
    match outcome {
        Ok(published) => savepoint.finish().await.map(|()| published).map_err(failed),
        Err(error) => {
            // If this fails too the connection is gone, and the first error says why.
            let _ = savepoint.undo().await;
            Err(error)
        }
    }
}

/// What surrounds the statement has failed.
pub(crate) fn failed(event: &Event, source: impl Into<DriverError>) -> PublishError {
    PublishError::database(format!("{} by best effort", publish::name(event)), source)
}
