//! JSON that people give us to be kept: read as it is meant, or refused. A name that comes twice in an object has no meaning that
//! every reader agrees on, and what is stored holds no NUL.

use std::fmt;

use postrider_core::input::InputError;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Number, Value};

/// Reads one value. Code: `json`. The refusal names the place and repeats nothing, since the text may hold secrets.
pub(crate) fn parse(field: &str, text: &str) -> Result<Value, InputError> {
    let refused = |detail: String| InputError::new(field, "json", detail);
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Strict.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| {
        let (line, column) = (error.line(), error.column());
        refused(match error.classify() {
            Category::Data => {
                format!("has a name twice in one object, at line {line} column {column}")
            }
            Category::Io | Category::Syntax | Category::Eof => {
                format!("not valid JSON, at line {line} column {column}")
            }
        })
    })
}

/// The same for a value that PostgreSQL is to keep as `jsonb`, which has no NUL.
pub(crate) fn storable(field: &str, text: &str) -> Result<Value, InputError> {
    let value = parse(field, text)?;
    match holds_nul(&value) {
        true => Err(InputError::new(field, "json", "must not hold a NUL character")),
        false => Ok(value),
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Takes any value, and fails for nothing but a name that comes twice.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = members.next_element_seed(Strict)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom("a name comes twice"));
            }
            let value = members.next_value_seed(Strict)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_what_they_were() {
        for value in [
            json!(null),
            json!(true),
            json!([1, -1, 1.5, 1e300, u64::MAX, i64::MIN]),
            json!({ "a": { "a": "ü" }, "b": [{ "a": 1 }, { "a": 2 }], "c": "\\u0000" }),
        ] {
            assert_eq!(storable("x", &value.to_string()), Ok(value));
        }
    }

    #[test]
    fn names_that_come_twice_and_nul_are_refused_and_nothing_is_repeated() {
        for (text, why) in [
            (r#"{"canary":1,"canary":2}"#, "twice"),
            (r#"[{"a":{"b":1,"\u0062":"canary"}}]"#, "twice"),
            (r#"{"a":"canary\u0000"}"#, "NUL"),
            (r#"{"canary\u0000":1}"#, "NUL"),
            (r#"{"a":1}canary"#, "not valid"),
            ("{", "not valid"),
            ("", "not valid"),
        ] {
            let error = storable("x", text).unwrap_err();
            assert_eq!((error.field.as_str(), error.code), ("x", "json"), "{text}");
            assert!(error.detail.contains(why) && !error.detail.contains("canary"), "{error}");
        }
        let deep = "[".repeat(10_000);
        assert!(parse("x", &deep).is_err());
    }
}
