//! The configuration: defaults, one file, `POSTRIDER_*`, flags, in this order; the last one that speaks counts.
//!
//! `layers` collects what each source says, `keys` is the list of everything that may be said, `read` turns texts into values
//! and collects every mistake. Nothing is refused at its first mistake: all are reported together, each with its origin.

mod build;
mod hidden;
mod keys;
mod layers;
mod read;
mod sections;
mod settings;
mod suggest;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) use hidden::{Hidden, mask_url};
pub(crate) use keys::KEYS;
pub(crate) use layers::{Flags, Mistake, Sources};
pub(crate) use read::{parse_span, span_text};
pub(crate) use sections::{
    Admin, Api, Database, Egress, Health, Limits, LogFormat, Retention, Role, Worker,
};
pub(crate) use settings::Setting;

/// Everything that can be configured, checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub database: Database,
    pub worker: Worker,
    pub health: Health,
    pub limits: Limits,
    pub egress: Egress,
    pub retention: Retention,
    pub admin: Admin,
    pub api: Api,
    /// Where the embedded database and its master key live.
    pub data_dir: PathBuf,
    /// Where the embedded database's server binaries are; `None` looks for them.
    pub pg_bin_dir: Option<PathBuf>,
    /// The master keys, the sealing one first; empty if none is configured.
    pub master_keys: Vec<Hidden>,
    /// What is logged, as `tracing` filter directives; `None` is for the command to choose.
    pub log: Option<String>,
    pub log_format: LogFormat,
    /// Whether this is `--dev`: http and this machine's own addresses are permitted.
    pub dev: bool,
}

/// What loading led to: every setting with its origin, and the configuration or all that is wrong with it.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Every key, with the value that counts (or the default) and where it comes from.
    pub settings: BTreeMap<&'static str, Setting>,
    /// The configuration; where there are mistakes, with the defaults in their place.
    pub config: Config,
    /// All that is wrong, in the order of the keys. Empty: the configuration may be used.
    pub mistakes: Vec<Mistake>,
    /// What is odd but does no harm, such as an unknown variable.
    pub warnings: Vec<String>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

/// Reads and checks the whole configuration.
pub(crate) fn load(sources: &Sources, flags: &Flags) -> Loaded {
    let collected = layers::collect(sources, flags);
    let settings = settings::merge(collected.layers);
    let mut reader = read::Reader::new(&settings, collected.mistakes);
    let config = build::build(&mut reader, sources, flags);
    let mut mistakes = reader.into_mistakes();
    mistakes.sort_by_key(|mistake| KEYS.iter().position(|key| key.name == mistake.key));
    Loaded { settings, config, mistakes, warnings: collected.warnings, file: collected.file }
}
