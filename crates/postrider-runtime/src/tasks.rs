//! Supervised tasks: every loop of the process runs in one of these sets, and none can die in silence.
//!
//! A task that panics, fails, or ends before a stop was requested asks all of them to stop and is kept by name, for the
//! log and for readiness. Its future is watched from inside, so that happens even while nobody waits on the set.

use std::any::Any;
use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::{Id, JoinSet};

use crate::Stop;

/// A set of named tasks that live and stop together. Dropping it aborts what still runs.
#[derive(Debug)]
pub struct Tasks {
    stop: Stop,
    health: Health,
    set: JoinSet<End>,
    names: HashMap<Id, &'static str>,
}

/// A task that ended, and how.
#[derive(Debug)]
pub struct Ended {
    /// The name it was spawned under.
    pub name: &'static str,
    /// How it ended.
    pub end: End,
}

/// How a task ended.
#[derive(Debug)]
pub enum End {
    /// With `Ok`, after a stop was requested.
    Stopped,
    /// With `Ok`, though nobody had asked it to stop.
    Early,
    /// With an error.
    Failed(Box<dyn Error + Send + Sync>),
    /// By a panic with this message.
    Panicked(String),
    /// It was aborted.
    Aborted,
}

impl End {
    /// Whether this is how a task should end.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Stopped)
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name;
        match &self.end {
            End::Stopped => write!(f, "{name} stopped"),
            End::Early => write!(f, "{name} ended without being asked to"),
            End::Failed(error) => write!(f, "{name} failed: {error}"),
            End::Panicked(message) => write!(f, "{name} panicked: {message}"),
            End::Aborted => write!(f, "{name} was aborted"),
        }
    }
}

/// What runs and what ended badly, for readiness. Clones look at the same set.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    running: Vec<&'static str>,
    lost: Vec<&'static str>,
}

impl Health {
    /// The names of the tasks that run.
    #[must_use]
    pub fn running(&self) -> Vec<&'static str> {
        self.state().running.clone()
    }

    /// The names of the tasks that panicked, failed, were aborted or ended early.
    #[must_use]
    pub fn lost(&self) -> Vec<&'static str> {
        self.state().lost.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Names pushed and removed: a panic in between leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tasks {
    /// An empty set; when one of its tasks is lost, `stop` is requested softly.
    #[must_use]
    pub fn new(stop: Stop) -> Self {
        Self { stop, health: Health::default(), set: JoinSet::new(), names: HashMap::new() }
    }

    /// An empty set beside this one: it follows the same stop, and shows in the same health.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            stop: self.stop.clone(),
            health: self.health.clone(),
            set: JoinSet::new(),
            names: HashMap::new(),
        }
    }

    /// Starts a task under a name.
    pub fn spawn<F, E>(&mut self, name: &'static str, future: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.health.state().running.push(name);
        let watch =
            Watch { name, stop: self.stop.clone(), health: self.health.clone(), good: false };
        let handle = self.set.spawn(async move { watch.over(future).await });
        self.names.insert(handle.id(), name);
    }

    /// Waits for the next task to end; `None` when none is left.
    pub async fn join_next(&mut self) -> Option<Ended> {
        let (id, end) = match self.set.join_next_with_id().await? {
            Ok((id, end)) => (id, end),
            Err(error) => {
                let id = error.id();
                let end = match error.try_into_panic() {
                    Ok(panic) => End::Panicked(message(panic.as_ref())),
                    Err(_) => End::Aborted,
                };
                (id, end)
            }
        };
        let name =
            self.names.remove(&id).expect("every task of the set was named when it was spawned");
        Some(Ended { name, end })
    }

    /// Aborts what still runs; [`Tasks::join_next`] then reports each of them.
    pub fn abort_all(&mut self) {
        self.set.abort_all();
    }

    /// What runs and what ended badly.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// The request that the tasks follow.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.stop
    }
}

/// Lives inside the task's future, so it sees every way in which that can end.
struct Watch {
    name: &'static str,
    stop: Stop,
    health: Health,
    good: bool,
}

impl Watch {
    async fn over<E: Into<Box<dyn Error + Send + Sync>>>(
        mut self,
        future: impl Future<Output = Result<(), E>>,
    ) -> End {
        let end = match future.await {
            Ok(()) if self.stop.soft_requested() => End::Stopped,
            Ok(()) => End::Early,
            Err(error) => End::Failed(error.into()),
        };
        self.good = end.is_good();
        end
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.health.state();
        if let Some(at) = state.running.iter().position(|name| *name == self.name) {
            state.running.swap_remove(at);
        }
        if !self.good {
            state.lost.push(self.name);
            drop(state);
            self.stop.request_soft();
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}

#[cfg(test)]
mod tests;
