//! URLs and headers: through `endpoints add` and through the library that it uses.

use postrider_core::address::AddressPolicy;
use postrider_core::headers::CustomHeaders;
use postrider_core::input::required_text;
use postrider_core::url::{EndpointUrl, UrlPolicy};
use serde_json::{Value, json};

use super::case::{Answer, Case};
use super::{Judge, TENANT};
use crate::kit::run;

const URL: &str = "https://example.com/h";
/// The longest argument that Linux passes to a program.
const MAX_ARGUMENT: usize = 128 * 1024;

pub(super) async fn try_case(judge: &mut Judge, case: &Case) -> anyhow::Result<()> {
    judge.begin(case);
    let field = if case.group == "url" { "url" } else { "header" };
    let answer = by_library(case);
    judge.answered(case, "library", field, &answer, 0);
    let Some((arguments, file)) = arguments(case) else { return Ok(()) };
    if let Some(headers) = file {
        std::fs::write(judge.installation.folder.join("headers.json"), headers)?;
    }
    let before = judge.stored().await?;
    let answer = by_command(judge, &arguments).await?;
    let grown = judge.stored().await? - before;
    judge.answered(case, "command", field, &answer, grown);
    Ok(())
}

fn by_library(case: &Case) -> Answer {
    let addresses = AddressPolicy::default();
    let parsed = if case.group == "url" {
        let policy = UrlPolicy { allow_http: false, addresses: &addresses };
        required_text("url", Some(&case.input))
            .and_then(|text| EndpointUrl::parse(text, policy))
            .map(|url| Some(url.as_str().to_owned()))
    } else {
        let none = serde_json::Map::new();
        CustomHeaders::parse_json(case.input.as_object().unwrap_or(&none)).map(|_| None)
    };
    match parsed {
        Ok(stored) => Answer::Accepted { stored },
        Err(error) => Answer::Refused { message: error.to_string() },
    }
}

/// The command's arguments, and what its file of headers holds. `None` where an input cannot stand on a command line at
/// all: no text, a NUL byte, or more than the system passes on.
fn arguments(case: &Case) -> Option<(Vec<String>, Option<String>)> {
    let words = |url: &str, more: &[&str]| -> Vec<String> {
        let words = ["endpoints", "add", "--tenant", TENANT, "--json"].iter().chain(more);
        words.map(|word| (*word).to_owned()).chain(["--".to_owned(), url.to_owned()]).collect()
    };
    if case.group == "header" {
        let headers = json!(case.input).to_string();
        return Some((words(URL, &["--header-file", "headers.json"]), Some(headers)));
    }
    let url = case.text().filter(|url| !url.contains('\0') && url.len() < MAX_ARGUMENT)?;
    Some((words(url, &[]), None))
}

async fn by_command(judge: &Judge, arguments: &[String]) -> anyhow::Result<Answer> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = run(judge.installation.command(&words), "postrider endpoints add").await?;
    if ran.exit != Some(0) {
        let message = match serde_json::from_str::<Value>(&ran.err) {
            Ok(error) => error["error"]["what"].as_str().unwrap_or_default().to_owned(),
            Err(_) => ran.err,
        };
        return Ok(Answer::Refused { message: format!("{message} [exit {:?}]", ran.exit) });
    }
    let answer: Value = serde_json::from_str(&ran.out)?;
    let stored = judge
        .client
        .query_one(
            "SELECT url FROM postrider.webhook_endpoints ORDER BY created_at DESC LIMIT 1",
            &[],
        )
        .await?
        .get::<_, String>(0);
    let asked_for_url = answer["url"] != URL;
    Ok(Answer::Accepted { stored: asked_for_url.then_some(stored) })
}
