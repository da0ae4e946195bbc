//! Expands the generators that `bad_inputs.json` uses for inputs too long or too deep to be written out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// The value that a case means.
pub(crate) fn expand(input: &Value) -> Value {
    match input {
        Value::Object(object) => match object.iter().next() {
            Some((name, argument)) if name.starts_with('$') && object.len() == 1 => {
                generate(name, argument)
            }
            _ => Value::Object(
                object.iter().map(|(key, value)| (key.clone(), expand(value))).collect(),
            ),
        },
        Value::Array(items) => Value::Array(items.iter().map(expand).collect()),
        other => other.clone(),
    }
}

fn generate(name: &str, argument: &Value) -> Value {
    let number =
        |value: &Value| usize::try_from(value.as_u64().expect("a count")).expect("a usize");
    match name {
        "$repeat" => text(&argument[0]).repeat(number(&argument[1])).into(),
        "$concat" => {
            let parts = argument.as_array().expect("a list");
            parts.iter().map(|part| text(&expand(part))).collect::<String>().into()
        }
        "$secret_bytes" => format!("whsec_{}", STANDARD.encode(vec![7; number(argument)])).into(),
        "$headers" => {
            let header = |n| (format!("x-{n}"), json!("v"));
            Value::Object((0..number(argument)).map(header).collect::<Map<_, _>>())
        }
        "$strings" => (0..number(argument)).map(|n| format!("v{n}")).collect(),
        "$nest" => {
            let key = text(&argument[0]);
            (0..number(&argument[1]))
                .fold(json!([]), |inner, _| Value::Object(Map::from_iter([(key.clone(), inner)])))
        }
        other => panic!("unknown generator {other}"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
