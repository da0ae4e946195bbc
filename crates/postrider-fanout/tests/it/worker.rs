//! A fan-out that runs by itself, as in the daemon: with a control session, or by polling only.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use postrider_fanout::{FanOut, HandOff, Wakeup};
use postrider_runtime::{Metrics, Stop};
use postrider_store::control::Control;
use tokio::task::JoinSet;

use crate::stage::{PATIENCE, Stage, options};

/// So long would an event wait that nobody knocked for: no test would see it.
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

pub(crate) struct Worker {
    pub(crate) stop: Stop,
    pub(crate) control: Option<Arc<Control>>,
    /// How many others it believes to be there.
    pub(crate) peers: Arc<AtomicUsize>,
    running: JoinSet<()>,
}

impl Worker {
    /// Listens on a control session of this application name.
    pub(crate) async fn listening(stage: &Stage, name: &str, fallback_poll: Duration) -> Self {
        Self::with(stage, name, fallback_poll, stage.fan_out(options())).await
    }

    pub(crate) async fn with<H: HandOff>(
        stage: &Stage,
        name: &str,
        fallback_poll: Duration,
        fan_out: FanOut<H>,
    ) -> Self {
        let control = Control::open(&stage.connect(name), &stage.pool()).await.unwrap();
        let control = Arc::new(control.expect("LISTEN works here"));
        let peers = Arc::new(AtomicUsize::new(0));
        let wakeup = Wakeup::listening(
            Arc::clone(&control),
            fallback_poll,
            Arc::clone(&peers),
            Metrics::new(),
        );
        Self::run(fan_out, wakeup, Some(control), peers)
    }

    /// Has no session of its own.
    pub(crate) fn polling(stage: &Stage, fallback_poll: Duration) -> Self {
        let wakeup = Wakeup::polling(fallback_poll, Metrics::new());
        Self::run(stage.fan_out(options()), wakeup, None, Arc::default())
    }

    fn run<H: HandOff>(
        fan_out: FanOut<H>,
        wakeup: Wakeup,
        control: Option<Arc<Control>>,
        peers: Arc<AtomicUsize>,
    ) -> Self {
        let (stop, mut running) = (Stop::new(), JoinSet::new());
        running.spawn(fan_out.run(wakeup, stop.clone()));
        Self { stop, control, peers, running }
    }

    /// Stops it in order.
    pub(crate) async fn retire(mut self) {
        self.stop.request_soft();
        let ended = tokio::time::timeout(PATIENCE, self.running.join_next()).await;
        ended.expect("it stops").unwrap().unwrap();
    }

    /// Ends it without a word: its control session closes, and its locks go.
    pub(crate) async fn die(mut self) {
        self.running.shutdown().await;
    }
}
