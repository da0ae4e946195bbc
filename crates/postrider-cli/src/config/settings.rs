//! The layers laid over each other: for every key the value that counts, and where it comes from.

use std::collections::BTreeMap;

use config::{Config, ConfigError, Map, Source, Value, ValueKind};

use super::keys::{KEYS, Key};
use super::layers::Layer;

/// One key as it is set.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub key: &'static Key,
    /// The value; `Nil` if the key has no default and nobody set it.
    pub value: Value,
    /// `default`, a file's path, a variable's name or a flag.
    pub origin: String,
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.iter().map(|(key, value)| (key.name.to_owned(), value.clone())).collect())
    }
}

/// Lays the layers over each other, the last on top.
pub(crate) fn merge(layers: Vec<Layer>) -> BTreeMap<&'static str, Setting> {
    let builder =
        layers.into_iter().fold(Config::builder(), |builder, layer| builder.add_source(layer));
    let merged =
        builder.build().expect("layers were parsed before; merging them has no way to fail");
    let setting = |key: &'static Key| {
        let value = at(&merged.cache, key.name).cloned().unwrap_or_default();
        let origin = value.origin().unwrap_or("default").to_owned();
        (key.name, Setting { key, value, origin })
    };
    KEYS.iter().map(setting).collect()
}

fn at<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.').try_fold(value, |value, part| match &value.kind {
        ValueKind::Table(table) => table.get(part),
        _ => None,
    })
}

impl Setting {
    /// The value as a person would write it; a secret masked.
    pub(crate) fn shown(&self) -> String {
        let text = self.text();
        if !self.key.secret || text.is_empty() {
            return text;
        }
        if self.key.name.starts_with("database.") {
            super::mask_url(&text)
        } else {
            "***".to_owned()
        }
    }

    /// The value as text; a list with commas; empty if there is none.
    pub(crate) fn text(&self) -> String {
        match &self.value.kind {
            ValueKind::Nil => String::new(),
            ValueKind::Array(items) => {
                let texts = items.iter().map(|item| item.clone().into_string().unwrap_or_default());
                texts.collect::<Vec<_>>().join(",")
            }
            _ => self.value.clone().into_string().unwrap_or_default(),
        }
    }
}
