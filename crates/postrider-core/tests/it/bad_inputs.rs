//! Every case of `bad_inputs.json` (groups url, header, secret, filter) gets its stated verdict.

use postrider_core::address::AddressPolicy;
use postrider_core::filter::{
    Attributes, Data, EventView, FilterError, Subscription, event_types_from_json,
};
use postrider_core::headers::CustomHeaders;
use postrider_core::input::required_text;
use postrider_core::signing::Secret;
use postrider_core::url::{EndpointUrl, UrlPolicy};
use serde::Deserialize;
use serde_json::Value;

use crate::generator::expand;

/// Cases where the specification says otherwise than the file, each with its reason. There is none.
const SPECIFICATION_WINS: [(&str, &str); 0] = [];

#[derive(Deserialize)]
struct Case {
    id: String,
    group: String,
    name: String,
    input: Value,
    expect: Expectation,
    #[serde(default)]
    secret: bool,
}

#[derive(Deserialize)]
struct Expectation {
    verdict: String,
    code: Option<String>,
    stored: Option<String>,
}

/// What we did with an input.
#[derive(Debug, PartialEq)]
enum Verdict {
    Accepted { stored: Option<String> },
    Refused { code: &'static str, message: String },
    Matched(bool),
}

#[test]
fn every_bad_input_gets_its_stated_verdict() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../bad_inputs.json")).expect("the file is valid");
    assert_eq!(cases.len(), 123, "cases must not get lost");
    let mut wrong = Vec::new();
    for case in cases {
        let input = expand(&case.input);
        let verdict = match case.group.as_str() {
            "url" => url(&input),
            "header" => header(&input),
            "secret" => secret(&input),
            "filter" => filter(&input),
            other => panic!("unknown group {other}"),
        };
        let excused = SPECIFICATION_WINS.iter().any(|(id, _)| *id == case.id);
        if !excused && !is_as_expected(&verdict, &case.expect, &input) {
            wrong.push(format!("{} {}: {verdict:?}", case.id, case.name));
        }
        if let (true, Verdict::Refused { message, .. }) = (case.secret, &verdict) {
            let repeats =
                input.as_str().is_some_and(|text| text.len() > 6 && message.contains(&text[6..]));
            assert!(!repeats, "{} repeats its input", case.id);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_as_expected(verdict: &Verdict, expect: &Expectation, input: &Value) -> bool {
    match (verdict, expect.verdict.as_str()) {
        (Verdict::Accepted { stored: None }, "accept") => true,
        // Accepted means stored as given.
        (Verdict::Accepted { stored }, "accept") => stored.as_deref() == input.as_str(),
        (Verdict::Accepted { stored }, "accept_normalised") => *stored == expect.stored,
        (Verdict::Refused { code, .. }, "reject") => Some(*code) == expect.code.as_deref(),
        (Verdict::Matched(matched), "match") => *matched,
        (Verdict::Matched(matched), "no_match") => !*matched,
        _ => false,
    }
}

fn url(input: &Value) -> Verdict {
    let addresses = AddressPolicy::default();
    let policy = UrlPolicy { allow_http: false, addresses: &addresses };
    let parsed =
        required_text("url", Some(input)).and_then(|text| EndpointUrl::parse(text, policy));
    match parsed {
        Ok(url) => Verdict::Accepted { stored: Some(url.as_str().to_owned()) },
        Err(error) => Verdict::Refused { code: error.code, message: error.to_string() },
    }
}

fn header(input: &Value) -> Verdict {
    match CustomHeaders::parse_json(input.as_object().expect("an object")) {
        Ok(_) => Verdict::Accepted { stored: None },
        Err(error) => Verdict::Refused { code: error.code, message: error.to_string() },
    }
}

fn secret(input: &Value) -> Verdict {
    match Secret::parse(input.as_str().expect("a text")) {
        Ok(secret) => Verdict::Accepted { stored: Some(secret.expose().to_string()) },
        Err(error) => Verdict::Refused { code: error.code, message: error.to_string() },
    }
}

/// The file's document holds event types and filter in one object, and for a match the event beside them.
fn filter(input: &Value) -> Verdict {
    let mut document = input.as_object().expect("an object").clone();
    let event = document.remove("event");
    let subscription = compile(&mut document);
    match (subscription, event) {
        (Err(error), _) => Verdict::Refused { code: error.code, message: error.to_string() },
        (Ok(_), None) => Verdict::Accepted { stored: None },
        (Ok(subscription), Some(event)) => {
            let attributes = Attributes::parse(&event["attributes"].to_string()).expect("valid");
            let view = EventView {
                tenant: "t",
                event_type: "t",
                attributes: &attributes,
                labels: &[],
                data: &Data::NONE,
            };
            Verdict::Matched(subscription.matches(&view))
        }
    }
}

fn compile(document: &mut serde_json::Map<String, Value>) -> Result<Subscription, FilterError> {
    let event_types = document.remove("event_types");
    let event_types = event_types_from_json(event_types.as_ref())?;
    Subscription::compile(&event_types, Some(&Value::Object(document.clone())))
}
