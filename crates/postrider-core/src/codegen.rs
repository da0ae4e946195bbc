//! Typed payloads from the schemas of the catalog: declarations come in, one source file goes out, the same for the same catalog. `reader.rs`
//! reads the schemas into `model.rs`, `names.rs` finds names, and each language has a file that writes.

mod go;
mod model;
mod names;
mod reader;
mod rust;
mod typescript;

use crate::event_type::Declaration;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Rust,
    TypeScript,
    Go,
}

/// The source text of a module with a constant for each event type, and a type for each payload that has a schema.
///
/// Of a schema it says what a type can say: members, which of them must be there, lists, words, what may be null, and references inside the
/// document. What it cannot say (a choice between schemas, a reference that leads nowhere) is any JSON, and a comment says why. Bounds and
/// patterns are left to the check at publish.
#[must_use]
pub fn generate(language: Language, declarations: &[Declaration]) -> String {
    let mut sorted: Vec<&Declaration> = declarations.iter().collect();
    sorted.sort_unstable_by_key(|declaration| declaration.name());
    let module = model::module(language, &sorted);
    match language {
        Language::Rust => rust::write(&module),
        Language::TypeScript => typescript::write(&module),
        Language::Go => go::write(&module),
    }
}
