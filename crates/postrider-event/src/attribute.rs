//! Routing attributes: what filters look at without reading the payload.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Attributes by name. Sorted, so two events with the same attributes render the same text.
pub(crate) type Attributes = BTreeMap<String, AttributeValue>;

/// The value of an attribute: a JSON scalar.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// A string, at most 1,024 bytes as JSON.
    Text(String),
    /// A whole number.
    Integer(i128),
    /// A number; NaN and the infinities are refused by validation.
    Float(f64),
    /// True or false.
    Bool(bool),
}

impl AttributeValue {
    /// The scalar that `value` holds; `None` for null, which means no attribute, and for arrays and objects.
    #[must_use]
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::String(text) => Some(Self::Text(text.clone())),
            serde_json::Value::Bool(flag) => Some(Self::Bool(*flag)),
            serde_json::Value::Number(number) => {
                number.as_i128().map(Self::Integer).or_else(|| number.as_f64().map(Self::Float))
            }
            _ => None,
        }
    }

    /// Appends the value as JSON.
    pub(crate) fn write_json(&self, out: &mut String) {
        match self {
            Self::Text(text) => write_json_string(text, out),
            Self::Integer(number) => {
                let _ = write!(out, "{number}"); // writing to a String cannot fail
            }
            Self::Float(number) => {
                out.push_str(&serde_json::to_string(number).expect("a float always serialises"));
            }
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        }
    }
}

/// The attributes as a JSON object, names in order.
pub(crate) fn to_json(attributes: &Attributes) -> String {
    let mut out = String::from("{");
    for (name, value) in attributes {
        if out.len() > 1 {
            out.push(',');
        }
        write_json_string(name, &mut out);
        out.push(':');
        value.write_json(&mut out);
    }
    out.push('}');
    out
}

fn write_json_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("a string always serialises"));
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for AttributeValue {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for AttributeValue {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<f64> for AttributeValue {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

macro_rules! from_integers {
    ($($integer:ty),+) => {
        $(impl From<$integer> for AttributeValue {
            fn from(number: $integer) -> Self {
                Self::Integer(i128::from(number))
            }
        })+
    };
}

from_integers!(i8, i16, i32, i64, u8, u16, u32, u64);
