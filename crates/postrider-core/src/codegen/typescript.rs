//! TypeScript: interfaces, unions of texts, and a table from event types to their payloads. Types only, but for one list of names.

use std::fmt::Write as _;

use super::model::{Field, Kind, Module, Shape, Type};

pub(super) fn write(module: &Module) -> String {
    let mut out = String::from(
        "// Written by `postrider types gen --lang typescript`; write it anew when the catalog has changed.\n\n",
    );
    for event in &module.events {
        documented(&mut out, "", event.says.as_deref());
        _ = writeln!(out, "export const {} = {:?};", event.constant, event.name);
    }
    out.push_str("\n/** All event types of the catalog. */\nexport const EVENT_TYPES = [\n");
    for event in &module.events {
        _ = writeln!(out, "  {},", event.constant);
    }
    out.push_str("] as const;\n\nexport type EventTypeName = (typeof EVENT_TYPES)[number];\n");
    out.push_str("\n/** What is in `data`, by event type. */\nexport interface Payloads {\n");
    for event in &module.events {
        let of = event.payload.as_ref().map_or_else(|| "unknown".to_owned(), text_of);
        _ = writeln!(out, "  {:?}: {of};", event.name);
    }
    out.push_str("}\n");
    for of_type in &module.types {
        match &of_type.kind {
            Kind::Object(fields) => object(&mut out, of_type, fields),
            Kind::Words(words) => union(&mut out, of_type, words),
        }
    }
    out
}

fn object(out: &mut String, of_type: &Type, fields: &[Field]) {
    out.push('\n');
    documented(out, "", of_type.says.as_deref());
    _ = writeln!(out, "export interface {} {{", of_type.name);
    for field in fields {
        documented(out, "  ", field.says.as_deref());
        if let Some(why) = field.shape.excuse() {
            _ = writeln!(out, "  // Any JSON: {why}.");
        }
        let optional = if field.required { "" } else { "?" };
        _ = writeln!(out, "  {}{optional}: {};", member(&field.name), text_of(&field.shape));
    }
    out.push_str("}\n");
}

fn union(out: &mut String, of_type: &Type, words: &[String]) {
    out.push('\n');
    documented(out, "", of_type.says.as_deref());
    let words: Vec<String> = words.iter().map(|word| text(word)).collect();
    _ = writeln!(out, "export type {} = {};", of_type.name, words.join(" | "));
}

fn text_of(shape: &Shape) -> String {
    match shape {
        Shape::Any(_) => "unknown".to_owned(),
        Shape::Bool => "boolean".to_owned(),
        Shape::Integer | Shape::Number => "number".to_owned(),
        Shape::Text => "string".to_owned(),
        Shape::List(of) => format!("Array<{}>", text_of(of)),
        Shape::Map(of) => format!("Record<string, {}>", text_of(of)),
        Shape::Named(name) | Shape::Inside(name) => name.clone(),
        Shape::Nullable(of) => format!("{} | null", text_of(of)),
    }
}

/// The name of a member, in quotation marks where it is no name of the language.
fn member(name: &str) -> String {
    let letter = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$');
    let plain = name.chars().next().is_some_and(letter)
        && name.chars().all(|c| letter(c) || c.is_ascii_digit());
    if plain { name.to_owned() } else { text(name) }
}

/// A text as the language writes it, which is as JSON does.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn documented(out: &mut String, indent: &str, says: Option<&str>) {
    let Some(says) = says else { return };
    let says = says.replace("*/", "*\\/").replace('\r', " ");
    let lines: Vec<&str> = says.lines().collect();
    match &lines[..] {
        [] => {}
        [only] => _ = writeln!(out, "{indent}/** {only} */"),
        _ => {
            _ = writeln!(out, "{indent}/**");
            for line in lines {
                _ = writeln!(out, "{}", format!("{indent} * {line}").trim_end());
            }
            _ = writeln!(out, "{indent} */");
        }
    }
}
