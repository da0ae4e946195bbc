//! Compiled schemas by event type, kept for exactly one version of each: whoever publishes asks for the version first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Schema, SchemaError};

/// How many types are kept; beyond that the cache starts anew, which costs one compilation a type.
const MOST_TYPES: usize = 1000;

/// Compiled schemas. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct SchemaCache(Arc<Mutex<HashMap<String, Known>>>);

/// A compiled schema and its version.
#[derive(Debug, Clone)]
pub struct Known {
    /// Raised with every change; no two schemas of an installation ever have the same.
    pub version: i64,
    /// The schema, or why it cannot be compiled, by a version of us that knows less than the one that saved it.
    pub schema: Result<Arc<Schema>, SchemaError>,
}

impl SchemaCache {
    /// What is kept of a type.
    #[must_use]
    pub fn get(&self, event_type: &str) -> Option<Known> {
        self.kept().get(event_type).cloned()
    }

    /// Compiles a schema and keeps it.
    #[must_use]
    pub fn keep(&self, event_type: &str, version: i64, text: &str) -> Known {
        let known = Known { version, schema: Schema::compile(text).map(Arc::new) };
        let mut kept = self.kept();
        if kept.len() >= MOST_TYPES && !kept.contains_key(event_type) {
            kept.clear();
        }
        kept.insert(event_type.to_owned(), known.clone());
        known
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        // What a panic left behind is whole: an entry is made before it is put in.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
