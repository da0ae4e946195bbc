//! An event's routing attributes, read from their JSON text into a form that is quick to look up.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use super::any_of::ValueHash;

/// One value of an attribute or of a filter's list. Values of different kinds are never equal: the number 1 is not the
/// text "1". Numbers are equal when they are the same number, however they are written (1, 1.0, 1e0).
#[derive(Clone, Debug)]
pub enum Scalar {
    /// true or false.
    Bool(bool),
    /// A whole number from -2⁶³ to 2⁶⁴-1.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(Box<str>),
}

/// The attributes of an event that have a value, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    // Sorted by name, names distinct.
    pairs: Box<[Pair]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    name: Box<str>,
    value: Scalar,
    hash: ValueHash,
}

/// The text is no JSON object of scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "attributes are not a JSON object of texts, numbers, booleans and nulls (line {line}, column {column})"
)]
pub struct AttributesError {
    line: usize,
    column: usize,
}

impl Attributes {
    /// Reads a JSON object. An attribute that is null has no value and is left out; of two with one name the last counts.
    pub fn parse(json_text: &str) -> Result<Self, AttributesError> {
        if json_text == "{}" {
            return Ok(Self::default());
        }
        serde_json::from_str(json_text)
            .map_err(|error| AttributesError { line: error.line(), column: error.column() })
    }

    /// The value of this attribute.
    pub fn get(&self, name: &str) -> Option<&Scalar> {
        Some(self.find(name)?.0)
    }

    /// The value of this attribute with its hash.
    pub(super) fn find(&self, name: &str) -> Option<(&Scalar, ValueHash)> {
        let index = self.pairs.binary_search_by(|pair| (*pair.name).cmp(name)).ok()?;
        Some((&self.pairs[index].value, self.pairs[index].hash))
    }

    /// How many attributes have a value.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of scalars")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
        let mut pairs: Vec<(Box<str>, Option<Scalar>)> = Vec::new();
        while let Some((name, raw)) = map.next_entry::<Box<str>, &RawValue>()? {
            let value = Scalar::from_raw(raw.get())
                .map_err(|NotScalar| A::Error::custom("an attribute is not a scalar"))?;
            pairs.push((name, value));
        }
        // The sort keeps equal names in their order, so the last of them is the first of the reversed list.
        pairs.reverse();
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        pairs.dedup_by(|(later, _), (earlier, _)| later == earlier);
        let with_value = pairs.into_iter().filter_map(|(name, value)| {
            let value = value?;
            Some(Pair { name, hash: ValueHash::of(&value), value })
        });
        Ok(Attributes { pairs: with_value.collect() })
    }
}

pub(super) struct NotScalar;

impl Scalar {
    /// Reads one JSON value; null is none. Takes the raw text because numbers of any size are legal JSON.
    pub(super) fn from_raw(text: &str) -> Result<Option<Self>, NotScalar> {
        Ok(Some(match text.as_bytes().first() {
            Some(b'n') => return Ok(None),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'"') => Self::Text(serde_json::from_str(text).map_err(|_| NotScalar)?),
            Some(b'-' | b'0'..=b'9') => match text.parse::<i128>() {
                Ok(int) if is_json_int(int) => Self::Int(int),
                _ => Self::from_f64(text.parse().map_err(|_| NotScalar)?),
            },
            _ => return Err(NotScalar),
        }))
    }

    /// The scalar of a parsed JSON value; none for null, lists and objects.
    pub(super) fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Bool(*value)),
            Value::Number(number) => Self::from_number(number),
            Value::String(text) => Some(Self::Text(text.as_str().into())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn from_number(number: &Number) -> Option<Self> {
        let int = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        int.map(Self::Int).or_else(|| number.as_f64().map(Self::from_f64))
    }

    fn from_f64(number: f64) -> Self {
        let int = number as i128;
        if number.fract() == 0.0 && is_json_int(int) { Self::Int(int) } else { Self::Float(number) }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Bool(_) => 0,
            Self::Int(_) => 1,
            Self::Float(_) => 2,
            Self::Text(_) => 3,
        }
    }
}

fn is_json_int(number: i128) -> bool {
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number)
}

/// A total order for sorting and searching; it has no other meaning.
impl Ord for Scalar {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Scalar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Bool(value) => value.hash(state),
            Self::Int(number) => number.hash(state),
            Self::Float(number) => number.to_bits().hash(state),
            Self::Text(text) => text.hash(state),
        }
    }
}
