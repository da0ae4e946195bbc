//! What each source says, before anybody judges it: the file, the environment, the flags.
//! Reads one file and those that `*_file` keys name. Next: `settings` lays the layers over each other.

use std::path::{Path, PathBuf};

use config::{FileFormat, Format as _, Value, ValueKind};

use super::keys::{KEYS, Key};
use super::suggest::suggestion;

/// Where a configuration file is looked for when none is named.
const PLACES: [&str; 2] = ["postrider.toml", "/etc/postrider/postrider.toml"];
/// Variables with our prefix that are no configuration keys: other programs of ours read them.
const OTHERS: [&str; 8] = [
    "POSTRIDER_CONFIG",
    "POSTRIDER_PUBLISH",
    "POSTRIDER_BIN",
    "POSTRIDER_NO_INSTALL",
    "POSTRIDER_SINK_SECRET",
    "POSTRIDER_SECRET",
    "POSTRIDER_WRITE_",
    "POSTRIDER_TEST_",
];

/// Where configuration comes from, besides the flags.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    /// The environment, names and values.
    pub environment: Vec<(String, String)>,
    /// The working directory, where `postrider.toml` may lie.
    pub directory: PathBuf,
    /// Whether we are root, whose data lies elsewhere.
    pub root: bool,
}

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--dev`.
    pub dev: bool,
    /// Key, flag and value of every other flag that stands for a key.
    pub values: Vec<(&'static str, &'static str, String)>,
}

impl Flags {
    /// Notes what a flag says about a key, if it was given.
    pub(crate) fn set(&mut self, key: &'static str, flag: &'static str, value: Option<String>) {
        self.values.extend(value.map(|value| (key, flag, value)));
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The key, or the file's or variable's name if it is about no key.
    pub key: String,
    /// Where the value comes from.
    pub origin: String,
    /// What is wrong, and what would be right. Never holds a secret.
    pub reason: String,
}

/// One source: values by key, each knowing its origin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layer(pub Vec<(&'static Key, Value)>);

/// All sources, lowest first.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub layers: Vec<Layer>,
    pub mistakes: Vec<Mistake>,
    pub warnings: Vec<String>,
    pub file: Option<PathBuf>,
}

/// Asks every source.
pub(crate) fn collect(sources: &Sources, flags: &Flags) -> Collected {
    let mut all = Collected::default();
    let defaults = KEYS.iter().filter(|key| !key.default.is_empty());
    all.layers.push(Layer(defaults.map(|key| (key, text("default", key.default))).collect()));
    let file = file_layer(sources, flags, &mut all);
    all.layers.push(file);
    let environment = environment_layer(sources, &mut all);
    all.layers.push(environment);
    let flag = |(name, flag, value): &(&'static str, &'static str, String)| {
        Some((Key::named(name)?, text(&format!("flag {flag}"), value)))
    };
    all.layers.push(Layer(flags.values.iter().filter_map(flag).collect()));
    all
}

/// The file named by `--config` or `POSTRIDER_CONFIG`, which must exist, or the first that is where one is looked for.
fn file_layer(sources: &Sources, flags: &Flags, all: &mut Collected) -> Layer {
    let variable = sources.environment.iter().find(|(name, _)| name == "POSTRIDER_CONFIG");
    let named = match (&flags.file, variable) {
        (Some(path), _) => Some((path.clone(), "flag --config")),
        (None, Some((_, path))) if !path.is_empty() => Some((path.into(), "POSTRIDER_CONFIG")),
        _ => None,
    };
    let (path, origin) = match named {
        Some((path, origin)) => (sources.directory.join(path), origin),
        None => match PLACES
            .iter()
            .map(|place| sources.directory.join(place))
            .find(|path| path.is_file())
        {
            Some(path) => (path, "configuration file"),
            None => return Layer::default(),
        },
    };
    let shown = path.display().to_string();
    let content = match std::fs::read_to_string(&path) {
        Ok(content) => content,
        Err(error) => {
            all.mistake(&shown, origin, format!("cannot be read: {error}"));
            return Layer::default();
        }
    };
    all.file = Some(path.clone());
    let table = match FileFormat::Toml.parse(Some(&shown), &content) {
        Ok(table) => table,
        Err(error) => {
            all.mistake(&shown, origin, syntax(&error.to_string()));
            return Layer::default();
        }
    };
    let mut values = Vec::new();
    flatten("", Value::new(Some(&shown), ValueKind::Table(table)), &mut values);
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    sorted_out(values, &base, &shown, all)
}

/// TOML's errors quote the line at fault, and a secret may stand there: place and complaint are enough.
fn syntax(error: &str) -> String {
    let lines: Vec<&str> = error.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines[..] {
        [place, .., complaint] => format!("{place}: {complaint}"),
        [only] => only.to_owned(),
        [] => "is not TOML".to_owned(),
    }
}

fn flatten(prefix: &str, value: Value, out: &mut Vec<(String, Value)>) {
    let origin = value.origin().map(str::to_owned);
    match value.kind {
        ValueKind::Table(table) => {
            for (name, value) in table {
                let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
                flatten(&name, value, out);
            }
        }
        kind => out.push((prefix.to_owned(), Value::new(origin.as_ref(), kind))),
    }
}

fn environment_layer(sources: &Sources, all: &mut Collected) -> Layer {
    let mut values = Vec::new();
    for (name, value) in &sources.environment {
        let Some(rest) = name.strip_prefix("POSTRIDER_") else { continue };
        // Set but empty is how scripts and compose files say "not set".
        if value.is_empty()
            || OTHERS.iter().any(|other| name.starts_with(other))
            || of_kubernetes(rest)
        {
            continue;
        }
        let plain = rest.strip_suffix("_FILE").unwrap_or(rest);
        let known = |key: &&Key| {
            key.variable() == *name
                || (key.secret && key.variable() == format!("POSTRIDER_{plain}"))
        };
        match KEYS.iter().find(known) {
            Some(key) if key.variable() == *name => {
                values.push((key.name.to_owned(), text(name, value)))
            }
            Some(key) => values.push((format!("{}_file", key.name), text(name, value))),
            None if ["DATABASE_", "WORKER_", "EGRESS_", "RETENTION_", "ADMIN_"]
                .iter()
                .any(|table| rest.starts_with(table)) =>
            {
                all.mistake(
                    name,
                    "environment",
                    format!("no such setting{}", suggestion(name, KEYS.iter().map(Key::variable))),
                );
            }
            None => all.warnings.push(format!(
                "the variable {name} is no setting of postrider{}",
                suggestion(name, KEYS.iter().map(Key::variable))
            )),
        }
    }
    sorted_out(values, &sources.directory, "environment", all)
}

/// Kubernetes sets variables for every service of the namespace, also for one that is called postrider.
fn of_kubernetes(rest: &str) -> bool {
    ["SERVICE_HOST", "SERVICE_PORT", "PORT"].iter().any(|word| {
        rest == *word
            || rest.starts_with(&format!("{word}_"))
            || rest.ends_with(&format!("_{word}"))
            || rest.contains(&format!("_{word}_"))
    })
}

/// Finds the key of each value; reads the files of secrets, whose paths are relative to `base`.
fn sorted_out(
    values: Vec<(String, Value)>,
    base: &Path,
    source: &str,
    all: &mut Collected,
) -> Layer {
    let mut layer = Layer::default();
    for (name, value) in values {
        if let Some(key) = Key::named(&name) {
            layer.0.push((key, value));
            continue;
        }
        let origin = value.origin().unwrap_or(source).to_owned();
        let Some(key) = name.strip_suffix("_file").and_then(Key::named).filter(|key| key.secret)
        else {
            let names = KEYS.iter().map(|key| key.name.to_owned());
            all.mistake(&name, &origin, format!("no such key{}", suggestion(&name, names)));
            continue;
        };
        let path = base.join(value.into_string().unwrap_or_default());
        match std::fs::read_to_string(&path) {
            Ok(content) if content.trim().is_empty() => {
                all.mistake(key.name, &origin, format!("{} is empty", path.display()));
            }
            Ok(content) => layer.0.push((
                key,
                text(&format!("{}, named by {origin}", path.display()), content.trim()),
            )),
            Err(error) => {
                all.mistake(key.name, &origin, format!("cannot read {}: {error}", path.display()))
            }
        }
    }
    for key in KEYS.iter().filter(|key| key.secret) {
        if layer.0.iter().filter(|(other, _)| other.name == key.name).count() > 1 {
            all.mistake(
                key.name,
                source,
                "is given both as itself and as a file: give one of them".to_owned(),
            );
        }
    }
    layer
}

fn text(origin: &str, value: &str) -> Value {
    Value::new(Some(&origin.to_owned()), ValueKind::String(value.to_owned()))
}

impl Collected {
    fn mistake(&mut self, key: &str, origin: &str, reason: String) {
        self.mistakes.push(Mistake { key: key.to_owned(), origin: origin.to_owned(), reason });
    }
}
