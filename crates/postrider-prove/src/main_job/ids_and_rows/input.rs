//! Random inputs of a publish, with what is special to somebody: the id's delimiters, SQL, arrays, JSON, other scripts.

use std::time::Duration;

use postrider::{AttributeValue, Event, EventType, InvalidEvent};
use serde_json::{Map, Value, json};

use crate::kit::Dice;

const PIECES: [&str; 32] = [
    "|",
    "\\",
    "\\|",
    "||",
    "\\\\",
    "'",
    "''",
    "\"",
    "{",
    "}",
    ",",
    "NULL",
    "%",
    "$1",
    "--",
    ";",
    "\n",
    "\t",
    "\u{1}",
    "é",
    "e\u{301}",
    "漢字",
    "русский",
    "עברית",
    "🦔",
    "👩‍👩‍👧",
    "\u{7f}",
    "\u{feff}",
    "\u{2028}",
    "a",
    "word",
    " ",
];
const NAME: &[u8] = b"ABCXYZabcxyz0189_";

/// What is published.
#[derive(Debug)]
pub(super) struct Input {
    /// Unique among the inputs.
    pub(super) tenant: String,
    pub(super) event_type: String,
    pub(super) key: Vec<String>,
    pub(super) data: String,
    pub(super) labels: Option<Vec<String>>,
    pub(super) ordering_key: Option<String>,
    pub(super) traceparent: Option<String>,
    attributes: Vec<(String, Value)>,
    expires_after_ms: Option<u64>,
}

impl Input {
    /// So many different inputs.
    pub(super) fn some(dice: &mut Dice, count: usize) -> Vec<Self> {
        (0..count).map(|number| Self::one(dice, number)).collect()
    }

    fn one(dice: &mut Dice, number: usize) -> Self {
        let words = 1 + dice.below(3);
        let labels = list(dice, 5, |dice| format!("x{}", text(dice)));
        let attributes = list(dice, 5, |dice| (format!("x{}", text(dice)), scalar(dice)));
        Self {
            tenant: format!("t{number}.{}", name(dice)),
            event_type: (0..words).map(|_| name(dice)).collect::<Vec<_>>().join("."),
            key: (0..1 + dice.below(4)).map(|_| text(dice)).collect(),
            data: json_text(dice, 3),
            labels: (!labels.is_empty()).then_some(labels),
            ordering_key: dice.per_mille(400).then(|| format!("k{}", text(dice))),
            traceparent: dice.per_mille(300).then(|| {
                format!("00-{:016x}{:016x}-{:016x}-01", dice.next(), dice.next(), dice.next())
            }),
            attributes,
            expires_after_ms: dice.per_mille(300).then(|| 1 + dice.below(1_000_000_000)),
        }
    }

    /// Whether it holds a character that somebody might treat otherwise than a letter.
    pub(super) fn is_special(&self) -> bool {
        let texts = self.key.iter().chain([&self.data]);
        texts.flat_map(|text| text.chars()).any(|c| !c.is_ascii() || "|\\'".contains(c))
    }

    /// The same as the library takes it.
    pub(super) fn event(&self) -> Result<Event, InvalidEvent> {
        let event_type = EventType::parse(self.event_type.as_str())?;
        let mut event = Event::new(event_type, self.tenant.as_str()).id_from(&self.key);
        for (name, value) in &self.attributes {
            event = event.attribute_opt(name, AttributeValue::from_json(value));
        }
        if let Some(labels) = &self.labels {
            event = event.labels(labels.iter());
        }
        if let Some(key) = &self.ordering_key {
            event = event.ordering_key(key);
        }
        if let Some(ms) = self.expires_after_ms {
            event = event.expires_after(Duration::from_millis(ms));
        }
        if let Some(traceparent) = &self.traceparent {
            event = event.traceparent(traceparent);
        }
        Ok(event.data_text(self.data.as_str()))
    }

    /// The attributes as SQL takes them.
    pub(super) fn attributes_json(&self) -> Option<String> {
        let attributes: Map<String, Value> = self.attributes.iter().cloned().collect();
        (!attributes.is_empty()).then(|| Value::Object(attributes).to_string())
    }

    /// The expiry as SQL takes it.
    pub(super) fn expires_after(&self) -> Option<String> {
        self.expires_after_ms.map(|ms| format!("{ms} milliseconds"))
    }
}

fn text(dice: &mut Dice) -> String {
    (0..dice.below(7)).map(|_| *dice.pick(&PIECES)).collect()
}

fn name(dice: &mut Dice) -> String {
    (0..1 + dice.below(8)).map(|_| char::from(*dice.pick(NAME))).collect()
}

fn list<T>(dice: &mut Dice, most: u64, item: impl Fn(&mut Dice) -> T) -> Vec<T> {
    (0..dice.below(most)).map(|_| item(dice)).collect()
}

fn scalar(dice: &mut Dice) -> Value {
    match dice.below(5) {
        0 => json!(dice.next().cast_signed()),
        1 => json!(dice.next()),
        2 => json!(dice.per_mille(500)),
        3 => json!(f64::from(u32::try_from(dice.below(1 << 31)).unwrap_or(0)) / 1_000.0),
        _ => json!(text(dice)),
    }
}

/// JSON as a person or a program might write it: spaces, duplicate keys, escapes, numbers of any spelling.
fn json_text(dice: &mut Dice, depth: u64) -> String {
    let space = *dice.pick(&["", "", " ", "\n\t"]);
    match dice.below(if depth == 0 { 4 } else { 7 }) {
        0 => (*dice.pick(&[
            "null",
            "true",
            "-0",
            "1E2",
            "1e400",
            "9007199254740993",
            "0.10",
            "-1.50e-7",
        ]))
        .to_owned(),
        1..4 => Value::from(text(dice)).to_string(),
        4 => r#""\ud83e\udd94\u00e9\/""#.to_owned(),
        5 => format!("[{space}{}]", list(dice, 4, |dice| json_text(dice, depth - 1)).join(",")),
        _ => {
            let member = |dice: &mut Dice| {
                format!("{}:{space}{}", Value::from(text(dice)), json_text(dice, depth - 1))
            };
            format!("{{{}{space}}}", list(dice, 4, member).join(","))
        }
    }
}
