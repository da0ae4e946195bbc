//! The listener of the REST API. Like the admin listener it outlives the worker sessions, on connections of its own.

use std::sync::Arc;
use std::time::Duration;

use postrider_api::{Api, Egress};
use postrider_runtime::Stop;
use postrider_store::control::Control;
use postrider_store::{Db, Mode, StoreError};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::DaemonOptions;

/// Connections to the database.
const POOL: usize = 8;
/// What requests in hand may take when the daemon stops.
const GRACE: Duration = Duration::from_secs(5);

pub(super) struct Listener {
    stop: Stop,
    server: JoinSet<()>,
}

impl Listener {
    /// Starts listening, where the configuration says so. A taken address is said, and does not keep the worker from working.
    pub(super) async fn start(options: &DaemonOptions) -> Result<Self, StoreError> {
        let mut listener = Self { stop: Stop::new(), server: JoinSet::new() };
        let config = &options.config;
        let Some(address) = config.api.listen else { return Ok(listener) };
        let egress = Egress {
            allow_http: config.egress.allow_http,
            addresses: config.egress.addresses.clone(),
        };
        let db = Db::new(&options.direct, mode(options).await?, POOL)?;
        let api =
            Api::new(db, Arc::clone(&options.keys), egress, config.dev, config.api.rate_limit);
        if config.dev && address.ip().is_loopback() {
            warn!("--dev: whoever is on this machine may use the API without a key");
        }
        match TcpListener::bind(address).await {
            Ok(socket) => {
                info!(%address, "the API is on http://{address}/api/v1");
                let stop = listener.stop.clone();
                listener.server.spawn(async move {
                    if let Err(failure) = api.serve(socket, stop).await {
                        error!(error = %failure, "the API's listener ended: {failure}");
                    }
                });
            }
            Err(failure) => {
                error!(%address, error = %failure, "the API does not answer on {address}: {failure}; choose another address with api.listen");
            }
        }
        Ok(listener)
    }

    /// Stops listening; requests in hand are answered, within a grace.
    pub(super) async fn stop(mut self) {
        self.stop.request_soft();
        let ended = async { while self.server.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            self.stop.request_hard();
            while self.server.join_next().await.is_some() {}
        }
    }
}

/// Whether the sessions are ours: by the canary, as for the worker's. Only then are statements prepared once, and those over many
/// partitions take 30 ms to plan.
async fn mode(options: &DaemonOptions) -> Result<Mode, StoreError> {
    let probe = Db::new(&options.direct, Mode::Pooled, 1)?;
    let heard = Control::open(&options.direct, &probe).await;
    probe.close();
    Ok(match heard {
        Ok(Some(_)) => Mode::Direct,
        Ok(None) => Mode::Pooled,
        Err(failure) => {
            warn!(error = %failure, "it is not known whether there is a pooler before the database: {failure}");
            Mode::Pooled
        }
    })
}
