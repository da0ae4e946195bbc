//! What the daemon is given by `postrider run` and `postrider demo`.

use std::sync::Arc;

use postrider_core::seal::KeyRing;
use postrider_store::Connect;

use crate::config::Config;

/// Everything the daemon needs: checked configuration and the ways to the database.
pub(crate) struct DaemonOptions {
    pub config: Config,
    /// The way for the pool; perhaps through a pooler.
    pub connect: Connect,
    /// The way to the server itself, for LISTEN and session locks; the same as `connect` without a pooler.
    pub direct: Connect,
    /// Opens endpoint secrets and headers.
    pub keys: Arc<KeyRing>,
    /// Drain everything that is due, then stop.
    pub once: bool,
}
