//! A case of the table: what is given, and what must come of it.

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The table's groups about events, and those about endpoints.
const TABLES: [&str; 2] = [
    include_str!("../../../../postrider-event/tests/bad_inputs.json"),
    include_str!("../../../../postrider-core/tests/bad_inputs.json"),
];

#[derive(Debug, Deserialize)]
struct Table {
    cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) group: String,
    pub(super) name: String,
    pub(super) input: Value,
    pub(super) expect: Expected,
    #[serde(default)]
    pub(super) kind: String,
    /// Its input must never be repeated.
    #[serde(default)]
    pub(super) secret: bool,
}

/// What must come of it.
#[derive(Debug, Deserialize)]
pub(super) struct Expected {
    pub(super) verdict: String,
    pub(super) code: Option<String>,
    stored: Option<String>,
}

/// What a door answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// Accepted; `stored` is what was stored, where that can be compared.
    Accepted { stored: Option<String> },
    /// Refused with this message.
    Refused { message: String },
}

/// All cases, their generators expanded.
pub(super) fn all() -> anyhow::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for text in TABLES {
        // One file is an object that holds the list, the other the list alone.
        let value: Value = serde_json::from_str(text).context("read the table of bad inputs")?;
        let table: Table = match value {
            Value::Array(_) => Table { cases: serde_json::from_value(value)? },
            other => serde_json::from_value(other)?,
        };
        cases.extend(table.cases);
    }
    for case in &mut cases {
        case.input = expand(&case.input).with_context(|| case.id.clone())?;
    }
    Ok(cases)
}

impl Case {
    /// The input as a text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        self.input.as_str()
    }

    /// Why accepting it was wrong.
    pub(super) fn accepted(&self, stored: Option<&str>) -> Option<String> {
        let given = match self.expect.verdict.as_str() {
            "accept" | "accept_or_reject" => self.text(),
            "accept_normalised" => self.expect.stored.as_deref(),
            _ => return Some("it is accepted".to_owned()),
        };
        match (stored, given) {
            (Some(stored), Some(given)) if stored != given => {
                Some(format!("it is stored as {}", shortened(stored)))
            }
            _ => None,
        }
    }

    /// Why refusing it, with this message, was wrong.
    pub(super) fn refused(&self, field: &str, message: &str) -> Option<String> {
        let code = self.expect.code.as_deref().unwrap_or_default();
        let said = shortened(message);
        if !matches!(self.expect.verdict.as_str(), "reject" | "accept_or_reject") {
            Some(format!("it is refused: {said}"))
        } else if !message.contains(&format!("({code})")) {
            Some(format!("the message lacks the code {code}: {said}"))
        } else if !message.contains(field) {
            Some(format!("the message does not name {field}: {said}"))
        } else if self.secret && self.text().is_some_and(|text| message.contains(text)) {
            Some("the message repeats a secret".to_owned())
        } else {
            None
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(160).collect()
}

/// Turns a generator of the table into the value that it stands for.
fn expand(input: &Value) -> anyhow::Result<Value> {
    let Value::Object(object) = input else { return Ok(input.clone()) };
    let Some((name, argument)) = object.iter().next().filter(|(name, _)| name.starts_with('$'))
    else {
        let expanded = object.iter().map(|(name, value)| Ok((name.clone(), expand(value)?)));
        return Ok(Value::Object(expanded.collect::<anyhow::Result<_>>()?));
    };
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
    let count = |value: &Value| {
        value.as_u64().and_then(|number| usize::try_from(number).ok()).context("a count")
    };
    Ok(match name.as_str() {
        "$json" => argument.clone(),
        "$repeat" => text(&argument[0])?.repeat(count(&argument[1])?).into(),
        "$concat" => {
            let parts = argument.as_array().context("a list")?;
            let texts = parts.iter().map(|part| text(&expand(part)?));
            texts.collect::<anyhow::Result<String>>()?.into()
        }
        "$b64" => String::from_utf8(STANDARD.decode(text(argument)?)?)?.into(),
        "$headers" => {
            let header = |number| (format!("x-{number}"), json!("v"));
            Value::Object((0..count(argument)?).map(header).collect::<Map<_, _>>())
        }
        "$keys" => {
            let keys = (0..count(argument)?).map(|number| format!("\"k{number}\":{number}"));
            format!("{{{}}}", keys.collect::<Vec<_>>().join(",")).into()
        }
        // Of groups that are not tried here.
        "$strings" | "$nest" | "$secret_bytes" => Value::Null,
        other => return Err(anyhow!("no generator is called {other}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_case_gets_lost() {
        let cases = all().unwrap();
        let count = |group: &str| cases.iter().filter(|case| case.group == group).count();
        let counts = ["event_type", "payload", "id", "url", "header"].map(count);
        assert_eq!(counts, [11, 18, 13, 83, 20]);
    }
}
