//! Publishing that cannot harm the caller: a savepoint around the statement, 50 ms for any lock, no NOTIFY.
//! Reads the event; leaves the transaction as it found it when anything fails. `failures.rs` records the reason.

use futures_util::future::{join, join3};
use postrider_event::Event;

use crate::checks::Checks;
use crate::driver_error::DriverError;
use crate::publish::{self, Through, WakeUp};
use crate::transaction::sealed::Sealed;
use crate::transaction::{PgTransaction, Statements};
use crate::{PublishError, Published};

// The caller's own lock_timeout is kept in a setting of ours, so that it is set back without a round trip to learn it.
pub(crate) const SHORT_LOCK_TIMEOUT: &str = "SELECT set_config('postrider.lock_timeout', current_setting('lock_timeout'), true); \
                                  SET LOCAL lock_timeout = '50ms'";
pub(crate) const CALLERS_LOCK_TIMEOUT: &str =
    "SELECT set_config('lock_timeout', current_setting('postrider.lock_timeout'), true)";

/// Publishes inside a savepoint: three round trips, and one more where payloads are checked. When it fails, everything it did is undone, the settings included.
///
/// If the future is dropped before it ends, the driver rolls the savepoint back all the same.
pub(crate) async fn publish<T: PgTransaction>(
    tx: &mut T,
    event: &Event,
    checks: &Checks,
) -> Result<Published, PublishError> {
    let failed = |source| failed(event, source);
    let savepoint = tx.open_savepoint().await.map_err(failed)?;
    let outcome = match checks.are_on() {
        false => unchecked(&savepoint, event).await,
        true => checked(&savepoint, event, checks).await,
    };
    let outcome = outcome.map_err(|error| match error {
        Stopped::Settings(source) => failed(source),
        Stopped::Publishing(error) => error,
    });
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

enum Stopped {
    Settings(tokio_postgres::Error),
    Publishing(PublishError),
}

/// All three are sent at once and answered in order. The statement is unnamed because preparing a named one would let the
/// third overtake it.
async fn unchecked<T: PgTransaction>(savepoint: &T, event: &Event) -> Result<Published, Stopped> {
    let (shortened, published, set_back) = join3(
        savepoint.driver().batch_execute(SHORT_LOCK_TIMEOUT),
        publish::one(savepoint, event, WakeUp::Never, Statements::Unnamed),
        savepoint.driver().batch_execute(CALLERS_LOCK_TIMEOUT),
    )
    .await;
    shortened.map_err(Stopped::Settings)?;
    let published = published.map_err(Stopped::Publishing)?;
    set_back.map_err(Stopped::Settings)?;
    Ok(published)
}

/// The same, but that nothing is published before the payload was looked at.
async fn checked<T: PgTransaction>(
    savepoint: &T,
    event: &Event,
    checks: &Checks,
) -> Result<Published, Stopped> {
    let (shortened, checked) = join(
        savepoint.driver().batch_execute(SHORT_LOCK_TIMEOUT),
        checks.one(&mut Through { tx: savepoint, statements: Statements::Unnamed }, event),
    )
    .await;
    shortened.map_err(Stopped::Settings)?;
    checked.map_err(Stopped::Publishing)?;
    let (published, set_back) = join(
        publish::one(savepoint, event, WakeUp::Never, Statements::Unnamed),
        savepoint.driver().batch_execute(CALLERS_LOCK_TIMEOUT),
    )
    .await;
    let published = published.map_err(Stopped::Publishing)?;
    set_back.map_err(Stopped::Settings)?;
    Ok(published)
}
