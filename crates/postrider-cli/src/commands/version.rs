//! `postrider version`: the binary and the schema it needs.

use postrider_store::migrations;
use serde_json::json;

use super::Ended;
use crate::args::Global;
use crate::config::Sources;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(global: &Global, sources: &Sources) -> Ended {
    let out = Output::new(global.json, global.quiet, global.color, &sources.environment);
    let (version, schema) = (env!("CARGO_PKG_VERSION"), migrations::wanted());
    out.data(&json!({ "version": version, "schema": schema }), || {
        format!("postrider {version} (schema {schema})")
    });
    Ok(Exit::Done)
}
