//! `postrider types gen`: source text from the catalog.

use std::path::PathBuf;

use postrider_core::codegen::{self, Language};
use postrider_core::event_type::Declaration;
use serde_json::json;

use super::all_declared;
use super::import::write;
use crate::commands::Ended;
use crate::context::{Context, Database};
use crate::exit::Exit;

/// Options of `types gen`.
#[derive(Debug, clap::Args)]
pub(crate) struct Gen {
    /// Of which language
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Lang,
    /// Where to; none: standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A programming language.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Lang {
    Rust,
    #[value(name = "typescript", alias = "ts")]
    TypeScript,
    Go,
}

pub(super) async fn generate(context: &Context, database: &Database, args: &Gen) -> Ended {
    let mut declarations = Vec::new();
    for named in all_declared(database).await? {
        match Declaration::judge(&named) {
            Ok(declaration) => declarations.push(declaration),
            Err(errors) => {
                let why = errors.first().map(ToString::to_string).unwrap_or_default();
                context.out.warn(&format!("{} is left out: {why}", named.name));
            }
        }
    }
    let language = match args.lang {
        Lang::Rust => Language::Rust,
        Lang::TypeScript => Language::TypeScript,
        Lang::Go => Language::Go,
    };
    let source = codegen::generate(language, &declarations);
    if let Some(path) = &args.out {
        write(path, &source)?;
        let answer =
            json!({ "file": path.display().to_string(), "event_types": declarations.len() });
        context
            .out
            .data(&answer, || format!("{} types are in {}", declarations.len(), path.display()));
        return Ok(Exit::Done);
    }
    let answer = json!({ "source": source, "event_types": declarations.len() });
    context.out.data(&answer, || source.trim_end().to_owned());
    Ok(Exit::Done)
}
