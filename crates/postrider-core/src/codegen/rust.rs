//! Rust: types of serde, and constants by the macro of the producer library.

use std::fmt::Write as _;

use super::model::{EventName, Field, Kind, Module, Shape, Type};
use super::names::{Names, pascal, snake};

const WORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

pub(super) fn write(module: &Module) -> String {
    let mut out = String::from(
        "// Written by `postrider types gen --lang rust`; write it anew when the catalog has changed.\n",
    );
    if !module.types.is_empty() {
        out.push_str("\nuse serde::{Deserialize, Serialize};\n");
    }
    constants(&mut out, &module.events);
    for of_type in &module.types {
        match &of_type.kind {
            Kind::Object(fields) => object(&mut out, of_type, fields),
            Kind::Words(words) => enumeration(&mut out, of_type, words),
        }
    }
    out
}

fn constants(out: &mut String, events: &[EventName]) {
    if events.is_empty() {
        return;
    }
    out.push_str("\npostrider::event_types! {\n    /// All event types of the catalog.\n    pub catalog EVENT_TYPES {\n");
    for event in events {
        documented(out, "        ", event.says.as_deref().or(Some("It has no description.")));
        _ = writeln!(out, "        {} = \"{}\",", event.constant, event.name);
    }
    out.push_str("    }\n}\n");
}

fn object(out: &mut String, of_type: &Type, fields: &[Field]) {
    out.push('\n');
    documented(out, "", of_type.says.as_deref());
    _ = writeln!(
        out,
        "#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]\npub struct {} {{",
        of_type.name
    );
    let mut names = Names::default();
    for field in fields {
        documented(out, "    ", field.says.as_deref());
        if let Some(why) = field.shape.excuse() {
            _ = writeln!(out, "    // Any JSON: {why}.");
        }
        let name = names.take(&snake(&field.name));
        let shown = match name.as_str() {
            "self" | "super" | "crate" => format!("{name}_"),
            word if WORDS.contains(&word) => format!("r#{word}"),
            _ => name.clone(),
        };
        let mut says = Vec::new();
        if shown.trim_start_matches("r#") != field.name {
            says.push(format!("rename = {:?}", field.name));
        }
        let mut of = text_of(&field.shape);
        if !field.required {
            says.push("default, skip_serializing_if = \"Option::is_none\"".to_owned());
            if !of.starts_with("Option<") {
                of = format!("Option<{of}>");
            }
        }
        if !says.is_empty() {
            _ = writeln!(out, "    #[serde({})]", says.join(", "));
        }
        _ = writeln!(out, "    pub {shown}: {of},");
    }
    out.push_str("}\n");
}

fn enumeration(out: &mut String, of_type: &Type, words: &[String]) {
    out.push('\n');
    documented(out, "", of_type.says.as_deref());
    _ = writeln!(
        out,
        "#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]\npub enum {} {{",
        of_type.name
    );
    let mut names = Names::default();
    names.take("Self");
    for word in words {
        let name = names.take(&pascal(word));
        if name != *word {
            _ = writeln!(out, "    #[serde(rename = {word:?})]");
        }
        _ = writeln!(out, "    {name},");
    }
    out.push_str("}\n");
}

fn text_of(shape: &Shape) -> String {
    match shape {
        Shape::Any(_) => "serde_json::Value".to_owned(),
        Shape::Bool => "bool".to_owned(),
        Shape::Integer => "i64".to_owned(),
        Shape::Number => "f64".to_owned(),
        Shape::Text => "String".to_owned(),
        Shape::List(of) => format!("Vec<{}>", inside(of)),
        Shape::Map(of) => format!("std::collections::BTreeMap<String, {}>", inside(of)),
        Shape::Named(name) => name.clone(),
        Shape::Inside(name) => format!("Box<{name}>"),
        Shape::Nullable(of) => format!("Option<{}>", text_of(of)),
    }
}

/// What is in a list or a map needs no box of its own.
fn inside(shape: &Shape) -> String {
    match shape {
        Shape::Inside(name) => name.clone(),
        other => text_of(other),
    }
}

fn documented(out: &mut String, indent: &str, says: Option<&str>) {
    for line in says.unwrap_or_default().lines() {
        let line = line.replace('\r', " ");
        _ = writeln!(out, "{}", format!("{indent}/// {line}").trim_end());
    }
}
