//! A session that LISTENs and counts what it hears.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use tokio::task::JoinSet;
use tokio_postgres::{AsyncMessage, Client, NoTls};

/// A listening session. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    heard: Arc<AtomicU64>,
    client: Client,
    _driver: JoinSet<()>,
}

impl Listener {
    pub(crate) async fn start(url: &str, channel: &str) -> anyhow::Result<Self> {
        let (client, mut connection) =
            tokio_postgres::connect(url, NoTls).await.context("connect to listen")?;
        let heard = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&heard);
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(_) = message {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        client.batch_execute(&format!("LISTEN {channel}")).await?;
        Ok(Self { heard, client, _driver: driver })
    }

    /// How many notifications it has heard. What was sent before this call has arrived: the session answers in order.
    pub(crate) async fn heard(&self) -> anyhow::Result<u64> {
        self.client.batch_execute("SELECT 1").await?;
        Ok(self.heard.load(Ordering::SeqCst))
    }
}
