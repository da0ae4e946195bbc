//! The worker's control session: one direct connection outside the pool that LISTENs and holds session locks.
//!
//! Its canary proves that both really work here: through a transaction pooler LISTEN is silently deaf, and a session's locks
//! and settings leak to a stranger. So until the canary has sung the session only listens for it; one that does not hear
//! it is given up.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use tokio::sync::{Notify, mpsc};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Row};
use tokio_util::sync::CancellationToken;

use crate::statement::{
    CONTROL_INSTALLATION, CONTROL_LOCK_HOLDER, CONTROL_NOTIFY, CONTROL_TRY_LOCK, CONTROL_UNLOCK,
};
use crate::{Connect, Db, Statement, StoreError};

/// Publishers knock here when no worker is awake.
pub const EVENTS_CHANNEL: &str = "webhook_events_new";
/// Every change of an endpoint or its secrets knocks here, and who makes a delivery due by hand.
pub const ENDPOINTS_CHANNEL: &str = "webhook_endpoints_changed";
const CANARY_CHANNEL: &str = "webhook_canary";
/// How often a worker that starts sends its canary before it believes that LISTEN does not work.
const CANARY_TRIES: usize = 3;
/// Every worker hears the canaries of all, and many may start at once.
const CANARIES: usize = 256;

/// Session settings of the control connection; nothing it does is slow.
const SETTINGS: &str = "SET search_path = pg_catalog, pg_temp; SET statement_timeout = '5s'; SET timezone = 'UTC'; SET idle_in_transaction_session_timeout = '10s'";

/// A named advisory lock. Advisory locks belong to a database, so nothing of the installation has to be in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    class: i32,
    key: i32,
}

impl Lock {
    /// Held exclusively by the worker that sleeps for all; publishers try it shared (protocol P2).
    pub const WAKEUP: Self = Self { class: 1_886_352_244, key: 1 };

    /// Held by the one worker of the fleet that arms the wake-up lock.
    pub const SENTINEL: Self = Self { class: 1_886_352_246, key: 1 };

    /// Held by a worker on its incarnation for as long as it lives (protocol P6).
    #[must_use]
    pub fn incarnation(incarnation: i64) -> Self {
        Self { class: 1_886_352_245, key: i32::try_from(incarnation & 0x7fff_ffff).unwrap_or(0) }
    }
}

/// The control session. Dropped, its connection closes and its locks go.
pub struct Control {
    client: Client,
    events: Arc<Notify>,
    endpoints: Arc<Notify>,
    canaries: tokio::sync::Mutex<mpsc::Receiver<String>>,
    lost: CancellationToken,
}

impl Control {
    /// Opens the connection and LISTENs. `None`: the canary, sent through `db`, was not heard, so the session is not ours.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses us.
    pub async fn open(connect: &Connect, db: &Db) -> Result<Option<Self>, StoreError> {
        const DOING: &str = "opening the control session";
        let (client, mut connection) = connect.open(DOING).await?;
        let (events, endpoints, lost) =
            (Arc::new(Notify::new()), Arc::new(Notify::new()), CancellationToken::new());
        let (canary_in, canaries) = mpsc::channel(CANARIES);
        let (knock_events, knock_endpoints, gone) =
            (Arc::clone(&events), Arc::clone(&endpoints), lost.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "a connection's driver lives exactly as long as its client"
        )]
        tokio::spawn(async move {
            let mut messages = poll_fn(move |cx| connection.poll_message(cx));
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(knock) = message {
                    match knock.channel() {
                        EVENTS_CHANNEL => knock_events.notify_one(),
                        ENDPOINTS_CHANNEL => knock_endpoints.notify_one(),
                        // A full channel holds tokens nobody waits for; the canary's time-out is its verdict.
                        _ => drop(canary_in.try_send(knock.payload().to_owned())),
                    }
                }
            }
            gone.cancel();
        });
        let pg = |error| StoreError::new(DOING, error);
        client.batch_execute(&format!("LISTEN {CANARY_CHANNEL}")).await.map_err(pg)?;
        let canaries = tokio::sync::Mutex::new(canaries);
        let control = Self { client, events, endpoints, canaries, lost };
        // A machine that stands still for a second must not leave this worker polling for its whole life.
        let mut heard = false;
        for _ in 0..CANARY_TRIES {
            heard = heard || control.canary(db).await?;
        }
        if !heard {
            return Ok(None);
        }
        let settle = format!("{SETTINGS}; LISTEN {EVENTS_CHANNEL}; LISTEN {ENDPOINTS_CHANNEL}");
        control.client.batch_execute(&settle).await.map_err(pg)?;
        if ask(&control.client, &CONTROL_INSTALLATION, &[]).await?.is_empty() {
            return Err(StoreError::other(DOING, "postrider.installation has no row"));
        }
        Ok(Some(control))
    }

    /// Whether a notification sent from another connection arrives here within a second: only then is this session ours.
    ///
    /// # Errors
    /// When the notification cannot be sent.
    pub async fn canary(&self, db: &Db) -> Result<bool, StoreError> {
        let mut canaries = self.canaries.lock().await;
        while canaries.try_recv().is_ok() {}
        let token = uuid::Uuid::new_v4().simple().to_string();
        db.session().await?.query(&CONTROL_NOTIFY, &[&CANARY_CHANNEL, &token]).await?;
        let heard = async {
            while let Some(heard) = canaries.recv().await {
                if heard == token {
                    return true;
                }
            }
            false
        };
        Ok(tokio::time::timeout(Duration::from_secs(1), heard).await.unwrap_or(false))
    }

    /// Tries a session lock.
    ///
    /// # Errors
    /// When the session is lost.
    pub async fn try_lock(&self, lock: Lock) -> Result<bool, StoreError> {
        let rows = ask(&self.client, &CONTROL_TRY_LOCK, &[&lock.class, &lock.key]).await?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }

    /// Gives a session lock back.
    ///
    /// # Errors
    /// When the session is lost (and the lock with it).
    pub async fn unlock(&self, lock: Lock) -> Result<(), StoreError> {
        ask(&self.client, &CONTROL_UNLOCK, &[&lock.class, &lock.key]).await.map(drop)
    }

    /// The process id of a publisher whose open transaction keeps the wake-up lock, if one does.
    ///
    /// # Errors
    /// When the session is lost.
    pub async fn lock_holder(&self, lock: Lock) -> Result<Option<i32>, StoreError> {
        let (class, key) = (lock.class.cast_unsigned(), lock.key.cast_unsigned());
        let rows = ask(&self.client, &CONTROL_LOCK_HOLDER, &[&class, &key]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Knocks on the events channel, for peers.
    ///
    /// # Errors
    /// When the session is lost.
    pub async fn notify_peers(&self) -> Result<(), StoreError> {
        ask(&self.client, &CONTROL_NOTIFY, &[&EVENTS_CHANNEL, &""]).await.map(drop)
    }

    /// Asks the server for a sign of life.
    ///
    /// # Errors
    /// When there is none within two seconds.
    pub async fn ping(&self) -> Result<(), StoreError> {
        const LIMIT: Duration = Duration::from_secs(2);
        tokio::time::timeout(LIMIT, ask(&self.client, &CONTROL_INSTALLATION, &[]))
            .await
            .map_err(|_| StoreError::silence("checking the control session", LIMIT))?
            .map(drop)
    }

    /// A publisher knocked (or a peer). Knocks that came while nobody waited count as one.
    pub async fn events_knocked(&self) {
        self.events.notified().await;
    }

    /// An endpoint changed.
    pub async fn endpoints_knocked(&self) {
        self.endpoints.notified().await;
    }

    /// Cancelled when the connection is gone, and with it every lock.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

/// Unnamed statements only: before the canary has sung, a prepared name might land in a stranger's session.
async fn ask(
    client: &Client,
    statement: &Statement,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, StoreError> {
    let typed: Vec<(&(dyn ToSql + Sync), Type)> =
        params.iter().copied().zip(statement.types.iter().cloned()).collect();
    client
        .query_typed(statement.sql, &typed)
        .await
        .map_err(|error| StoreError::new(statement.name, error))
}
