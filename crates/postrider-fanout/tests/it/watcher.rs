//! Watches a database from a session of its own: what is notified, and who holds the locks of the wake-up.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::stage::Stage;

/// Classes of the advisory locks.
pub(crate) const WAKEUP: i64 = 1_886_352_244;
pub(crate) const SENTINEL: i64 = 1_886_352_246;

/// A session that LISTENs, as a stranger might.
pub(crate) struct Watcher {
    client: Client,
    heard: Arc<AtomicU64>,
    _connection: JoinSet<()>,
}

impl Watcher {
    pub(crate) async fn start(stage: &Stage) -> Self {
        let (client, mut connection) = stage.db.config().connect(NoTls).await.unwrap();
        let heard = Arc::new(AtomicU64::new(0));
        let (count, mut driver) = (Arc::clone(&heard), JoinSet::new());
        driver.spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(_) = message {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        client.batch_execute("LISTEN webhook_events_new").await.unwrap();
        Self { client, heard, _connection: driver }
    }

    /// Notifications that came so far; what was committed before is among them.
    pub(crate) async fn heard(&self) -> u64 {
        // An idle session is told at once, but a moment later.
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.client.batch_execute("").await.unwrap();
        self.heard.load(Ordering::SeqCst)
    }

    /// Application names of the sessions that hold a lock of this class.
    pub(crate) async fn holders(&self, class: i64) -> Vec<String> {
        let sql = "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                   WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = $1 AND a.datname = current_database()
                   ORDER BY 1";
        let rows = self.client.query(sql, &[&class]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Waits until this session, and no other, holds the lock of a class; `""`: none does.
    pub(crate) async fn until_held(&self, class: i64, by: &str) {
        let wanted: Vec<&str> = if by.is_empty() { vec![] } else { vec![by] };
        let since = std::time::Instant::now();
        loop {
            let holders = self.holders(class).await;
            if holders == wanted {
                return;
            }
            assert!(since.elapsed() < crate::stage::PATIENCE, "{holders:?} hold it, not {by:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
