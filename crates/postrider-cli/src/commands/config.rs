//! `postrider config`: what is configured, by whom, and whether it can be used. Reads no database.

use serde_json::json;

use super::Ended;
use crate::args::Global;
use crate::config::{Loaded, Setting, Sources, load};
use crate::context;
use crate::exit::Exit;
use crate::output::{Output, table};

/// What to do with the configuration.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Say everything that is wrong with it, or that nothing is
    Check,
    /// Print every key with its value and where that comes from; secrets masked
    Show,
}

pub(crate) fn run(command: &Command, global: &Global, sources: &Sources) -> Ended {
    let out = Output::new(global.json, global.quiet, global.color, &sources.environment);
    let loaded = load(sources, &global.flags());
    for warning in &loaded.warnings {
        out.warn(warning);
    }
    match command {
        Command::Check => check(&loaded, out),
        Command::Show => show(&loaded, out),
    }
}

fn check(loaded: &Loaded, out: Output) -> Ended {
    let file = loaded.file.as_ref().map(|path| path.display().to_string());
    let mistakes: Vec<_> = loaded
        .mistakes
        .iter()
        .map(|mistake| json!({ "key": mistake.key, "origin": mistake.origin, "reason": mistake.reason }))
        .collect();
    let sound = mistakes.is_empty();
    out.data(&json!({ "ok": sound, "file": file, "mistakes": mistakes }), || {
        match (&file, sound) {
            (_, false) => String::new(),
            (Some(file), true) => format!("the configuration is sound ({file})"),
            (None, true) => "the configuration is sound (no file)".to_owned(),
        }
    });
    match context::mistakes(loaded) {
        None => Ok(Exit::Done),
        Some(_) if out.json => Ok(Exit::Negative),
        Some(mut failure) => {
            failure.exit = Exit::Negative;
            Err(failure)
        }
    }
}

fn show(loaded: &Loaded, out: Output) -> Ended {
    let settings = crate::config::KEYS.iter().filter_map(|key| loaded.settings.get(key.name));
    let document: Vec<_> = settings
        .clone()
        .map(|setting| {
            json!({
                "key": setting.key.name,
                "value": effective(loaded, setting),
                "origin": setting.origin,
                "default": setting.key.default,
                "variable": setting.key.variable(),
                "help": setting.key.help,
            })
        })
        .collect();
    out.data(&json!({ "data": document }), || {
        let rows = settings.map(|setting| {
            let value = effective(loaded, setting);
            [
                setting.key.name.to_owned(),
                if value.is_empty() { "-".to_owned() } else { value },
                setting.origin.clone(),
            ]
        });
        table(["KEY", "VALUE", "ORIGIN"], rows)
    });
    match context::mistakes(loaded) {
        None => Ok(Exit::Done),
        Some(mut failure) => {
            failure.exit = Exit::Negative;
            Err(failure)
        }
    }
}

/// What holds: the value, or where the default depends on this machine, what it comes to.
fn effective(loaded: &Loaded, setting: &Setting) -> String {
    match (setting.shown(), setting.key.name) {
        (shown, "data_dir") if shown.is_empty() => loaded.config.data_dir.display().to_string(),
        (shown, "worker.name") if shown.is_empty() => loaded.config.worker.name.clone(),
        (shown, _) => shown,
    }
}
