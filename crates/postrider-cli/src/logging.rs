//! Logs: one line per event on stderr, for people on a terminal, as JSON elsewhere.
//!
//! What is logged is the caller's business; nothing that reaches a log holds a payload or a secret. Records of the `log`
//! crate are not taken in, on purpose: the PostgreSQL driver writes statements with their parameters there.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::config::{Config, LogFormat};
use crate::exit::{Exit, Failure};

/// What a process logs that was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Default {
    /// A daemon says what happens.
    Info,
    /// A command says only what is odd.
    Warn,
}

/// Sets the process's log up, once. `verbose` counts the `-v` on the command line.
pub(crate) fn init(config: &Config, default: Default, verbose: u8) -> Result<(), Failure> {
    let directives = match (&config.log, verbose, default) {
        (_, 2.., _) => "debug,postrider=trace".to_owned(),
        (_, 1, _) => "info,postrider=debug".to_owned(),
        (Some(log), 0, _) => log.clone(),
        (None, 0, Default::Info) => "info".to_owned(),
        (None, 0, Default::Warn) => "warn".to_owned(),
    };
    let filter = EnvFilter::try_new(&directives).map_err(|error| {
        Failure::new(Exit::Config, "the log filter cannot be read")
            .why(error.to_string())
            .remedy("POSTRIDER_LOG=info, or a list such as warn,postrider_delivery=debug")
    })?;
    let terminal = io::stderr().is_terminal();
    let json = match config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_timer(SystemTime);
    let set = if json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        builder.with_ansi(terminal).try_init()
    };
    // A second call finds the first one's settings in place.
    drop(set);
    Ok(())
}
