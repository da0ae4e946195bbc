//! The admin listener of the daemon: health, readiness and metrics. It outlives the worker sessions, so that a load
//! balancer hears of a draining worker until it is gone.

use std::net::SocketAddr;

use postrider_api::Readiness;
use postrider_runtime::{Metrics, Stop};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::{error, info};

/// The listener and what it says of this worker.
pub(super) struct Admin {
    pub(super) readiness: Readiness,
    stop: Stop,
    server: JoinSet<()>,
}

impl Admin {
    /// Starts listening. A taken address (a second worker on this machine) is said, and does not keep the worker from working.
    pub(super) async fn start(
        listen: Option<SocketAddr>,
        worker_stop: &Stop,
        metrics: &Metrics,
    ) -> Self {
        let mut admin = Self {
            readiness: Readiness::new(worker_stop.clone()),
            stop: Stop::new(),
            server: JoinSet::new(),
        };
        let Some(address) = listen else { return admin };
        match TcpListener::bind(address).await {
            Ok(listener) => {
                info!(%address, "health, readiness and metrics are on http://{address}");
                let (readiness, metrics, stop) =
                    (admin.readiness.clone(), metrics.clone(), admin.stop.clone());
                admin.server.spawn(async move {
                    if let Err(failure) =
                        postrider_api::serve(listener, readiness, metrics, stop).await
                    {
                        error!(error = %failure, "the admin listener ended: {failure}");
                    }
                });
            }
            Err(failure) => {
                error!(%address, error = %failure, "nothing answers on {address}: {failure}; choose another with --admin-listen");
            }
        }
        admin
    }

    /// Stops listening.
    pub(super) async fn stop(mut self) {
        self.stop.request_soft();
        while self.server.join_next().await.is_some() {}
    }
}
