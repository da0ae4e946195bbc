//! How far the run is: a bar on a terminal, else a line every ten seconds. Always on standard error.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const EVERY: Duration = Duration::from_secs(10);

/// The progress of one run, in phases.
pub(crate) struct Progress {
    /// `None` where there is no terminal.
    bar: Option<ProgressBar>,
    phases: u64,
    done: Cell<u64>,
    said: Cell<Instant>,
}

impl Progress {
    pub(crate) fn new(phases: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(phases);
            let style =
                ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { bar, phases, done: Cell::new(0), said: Cell::new(Instant::now()) }
    }

    /// Says what is being done. Cheap; call it whenever there is something new.
    pub(crate) fn say(&self, what: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_message(what());
        } else if self.said.get().elapsed() >= EVERY {
            self.said.set(Instant::now());
            eprintln!("{}/{} {}", self.done.get(), self.phases, what());
        }
    }

    /// One phase is over.
    pub(crate) fn step(&self) {
        self.done.set(self.done.get() + 1);
        if let Some(bar) = &self.bar {
            bar.set_position(self.done.get());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
