//! The pattern language once more, deliberately slow and plain: it walks the JSON of filter and event each time, copies
//! what it compares, and tries every way. What the compiled matcher says is held against it.

use std::cmp::Ordering;
use std::net::IpAddr;

use ipnet::IpNet;
use postrider_core::filter::{Attributes, Data, EventView};
use serde_json::{Map, Value};

/// Whether an event `{"type", "tenant_id", "attributes", "labels", "data"}` satisfies a filter in its long form.
pub(crate) fn matches(filter: &Value, event: &Value) -> bool {
    let keys = filter.as_object().expect("a filter is an object");
    keys_hold(keys, event.as_object())
}

/// Shows the same event to the compiled matcher; `None` if it is no event.
pub(crate) fn with_view<T>(event: &Value, ask: impl FnOnce(&EventView<'_>) -> T) -> Option<T> {
    let attributes = match &event["attributes"] {
        Value::Null => Attributes::default(),
        attributes => Attributes::parse(&attributes.to_string()).ok()?,
    };
    let labels: Vec<String> = match &event["labels"] {
        Value::Null => Vec::new(),
        labels => serde_json::from_value(labels.clone()).ok()?,
    };
    let data = match event.get("data") {
        None => Data::NONE,
        Some(data) => Data::parse(&data.to_string()).expect("JSON is read"),
    };
    Some(ask(&EventView {
        tenant: event["tenant_id"].as_str()?,
        event_type: event["type"].as_str()?,
        attributes: &attributes,
        labels: &labels,
        data: &data,
    }))
}

fn keys_hold(keys: &Map<String, Value>, object: Option<&Map<String, Value>>) -> bool {
    keys.iter().all(|(key, pattern)| match (key.as_str(), pattern) {
        ("$or", Value::Array(branches)) => {
            branches.iter().any(|branch| keys_hold(branch.as_object().expect("a branch"), object))
        }
        (key, Value::Array(items)) => {
            let value = object.and_then(|object| object.get(key));
            items.iter().any(|item| item_holds(item, value))
        }
        (key, Value::Object(inner)) => {
            let value = object.and_then(|object| object.get(key));
            match objects(value)[..] {
                [] => keys_hold(inner, None),
                ref objects => objects.iter().any(|object| keys_hold(inner, Some(object))),
            }
        }
        _ => panic!("{pattern} is no pattern"),
    })
}

fn item_holds(item: &Value, value: Option<&Value>) -> bool {
    let Value::Object(operator) = item else {
        return scalars(value).iter().any(|value| is_equal(item, value));
    };
    let (name, argument) = operator.iter().next().expect("an operator");
    if name == "exists" {
        let exists = !scalars(value).is_empty() || !objects(value).is_empty();
        return argument == &Value::Bool(exists);
    }
    scalars(value).iter().any(|value| operator_holds(name, argument, value))
}

fn operator_holds(name: &str, argument: &Value, value: &Value) -> bool {
    let text = value.as_str();
    match (name, argument) {
        ("anything-but", Value::Object(inner)) => {
            let (name, arguments) = inner.iter().next().expect("an operator");
            !each(arguments).iter().any(|argument| operator_holds(name, argument, value))
        }
        ("anything-but", values) => !each(values).iter().any(|wanted| is_equal(wanted, value)),
        ("numeric", Value::Array(parts)) => parts.chunks(2).all(|part| {
            compare(value, &part[1]).is_some_and(|order| match part[0].as_str() {
                Some("=") => order.is_eq(),
                Some("<") => order.is_lt(),
                Some("<=") => order.is_le(),
                Some(">") => order.is_gt(),
                Some(">=") => order.is_ge(),
                other => panic!("{other:?} is no comparison"),
            })
        }),
        ("prefix" | "suffix", Value::Object(inner)) => text.is_some_and(|text| {
            let wanted =
                Value::String(lower(inner["equals-ignore-case"].as_str().expect("a text")));
            operator_holds(name, &wanted, &Value::String(lower(text)))
        }),
        (_, Value::String(wanted)) => text.is_some_and(|text| match name {
            "prefix" => text.starts_with(wanted),
            "suffix" => text.ends_with(wanted),
            "equals-ignore-case" => lower(text) == lower(wanted),
            "wildcard" => is_like(&wildcard(wanted), &text.chars().collect::<Vec<_>>()),
            "cidr" => {
                let net: IpNet = wanted.parse().expect("a network");
                text.parse::<IpAddr>().is_ok_and(|address| net.contains(&address))
            }
            other => panic!("{other} is no operator"),
        }),
        _ => panic!("{name} has no argument {argument}"),
    }
}

fn each(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

fn scalars(value: Option<&Value>) -> Vec<Value> {
    match value {
        None | Some(Value::Null | Value::Object(_)) => Vec::new(),
        Some(Value::Array(items)) => items.iter().flat_map(|item| scalars(Some(item))).collect(),
        Some(scalar) => vec![scalar.clone()],
    }
}

fn objects(value: Option<&Value>) -> Vec<&Map<String, Value>> {
    match value {
        Some(Value::Object(object)) => vec![object],
        Some(Value::Array(items)) => items.iter().flat_map(|item| objects(Some(item))).collect(),
        _ => Vec::new(),
    }
}

fn lower(text: &str) -> String {
    text.chars().map(|char| char.to_lowercase().to_string()).collect()
}

/// The characters of a wildcard; `None` is the star.
fn wildcard(text: &str) -> Vec<Option<char>> {
    let (mut out, mut escaped) = (Vec::new(), false);
    for char in text.chars() {
        match (escaped, char) {
            (false, '\\') => escaped = true,
            (false, '*') => out.push(None),
            _ => {
                out.push(Some(char));
                escaped = false;
            }
        }
    }
    out
}

/// Row by row: which beginnings of the pattern are like which beginnings of the text.
fn is_like(pattern: &[Option<char>], text: &[char]) -> bool {
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for part in pattern {
        let mut next = vec![false; text.len() + 1];
        for length in 0..=text.len() {
            next[length] = match part {
                None => row[length] || length > 0 && next[length - 1],
                Some(char) => length > 0 && row[length - 1] && text[length - 1] == *char,
            };
        }
        row = next;
    }
    row[text.len()]
}

fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => compare(a, b) == Some(Ordering::Equal),
        _ => a == b,
    }
}

/// Compares numbers by their decimal digits, all of them.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    let ((a_negative, a), (b_negative, b)) = (digits(a)?, digits(b)?);
    Some(match (a_negative, b_negative) {
        (false, false) => a.cmp(&b),
        (true, true) => b.cmp(&a),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

/// Whether it is below zero, and its digits: 320 before the point, 1,080 behind it.
fn digits(number: &Value) -> Option<(bool, String)> {
    let text = match number {
        Value::Number(number) if number.is_f64() => format!("{:.1080}", number.as_f64()?),
        Value::Number(number) => format!("{number}.{}", "0".repeat(1080)),
        _ => return None,
    };
    let digits = text.trim_start_matches('-');
    let is_zero = digits.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    Some((text.starts_with('-') && !is_zero, format!("{digits:0>1401}")))
}
