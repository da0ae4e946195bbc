//! Requests that the API has to refuse, or to answer without a secret, each with the verdict that it must get: `api_cases.json`.
//! Tried over real sockets, byte by byte, against an API that runs.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CASES: &str = include_str!("api_cases.json");
/// How long an answer may take: longer than the API waits for a body.
const LIMIT: Duration = Duration::from_secs(45);

/// What the cases are tried on. The tenant may have no endpoint but this one.
#[derive(Debug, Clone, Copy)]
pub struct ApiUnderTest<'a> {
    pub address: SocketAddr,
    /// A tenant's key with all scopes.
    pub key: &'a str,
    /// An endpoint of that tenant, as the API writes its id, and its secret.
    pub endpoint: &'a str,
    pub secret: &'a str,
    /// A cursor of `/deliveries` that another tenant was given.
    pub cursor_of_another: &'a str,
}

/// What came of one case.
#[derive(Debug, Clone)]
pub struct ApiCaseVerdict {
    pub id: String,
    /// Requests that were made for it.
    pub requests: usize,
    /// What was answered instead of what had to be.
    pub wrong: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    name: String,
    status: u16,
    code: Option<String>,
    /// The whole request; else it is made of what follows.
    raw: Option<String>,
    #[serde(default)]
    method: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    authorized: bool,
    body: Option<String>,
    content_type: Option<String>,
    /// It is made so often at most, until it is refused.
    repeat: Option<usize>,
    #[serde(default)]
    must_not_contain: Vec<String>,
}

/// Tries every case, one after another.
///
/// # Panics
/// When the table of cases cannot be read.
pub async fn try_api_cases(api: ApiUnderTest<'_>) -> Vec<ApiCaseVerdict> {
    let cases: Vec<Case> = serde_json::from_str(CASES).expect("the table of cases");
    let mut verdicts = Vec::with_capacity(cases.len());
    for case in &cases {
        verdicts.push(judged(&api, case).await);
    }
    verdicts
}

async fn judged(api: &ApiUnderTest<'_>, case: &Case) -> ApiCaseVerdict {
    let request = filled(api, &request(case));
    let mut requests = 0;
    let wrong = loop {
        requests += 1;
        let answered = exchange(api.address, request.as_bytes()).await;
        let again = case.repeat.is_some_and(|most| requests < most);
        match answered.and_then(|text| verdict(api, case, &text)) {
            Err(wrong) if again && wrong.starts_with("201") => {}
            Err(wrong) => break Some(format!("{}: {wrong}", case.name)),
            Ok(()) => break None,
        }
    };
    ApiCaseVerdict { id: case.id.clone(), requests, wrong }
}

fn request(case: &Case) -> String {
    if let Some(raw) = &case.raw {
        return raw.clone();
    }
    let mut text = format!(
        "{} {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n",
        case.method, case.path
    );
    if case.authorized {
        text += "authorization: Bearer $key\r\n";
    }
    if let Some(kind) = &case.content_type {
        text += &format!("content-type: {kind}\r\n");
    }
    let body = case.body.as_deref().unwrap_or_default();
    if case.body.is_some() {
        text += &format!("content-length: {}\r\n", body.len());
    }
    text + "\r\n" + body
}

fn filled(api: &ApiUnderTest<'_>, text: &str) -> String {
    text.replace("$key", api.key)
        .replace("$id", api.endpoint)
        .replace("$cursor_of_tenant_2", api.cursor_of_another)
        .replace("$secret", api.secret)
}

fn verdict(api: &ApiUnderTest<'_>, case: &Case, text: &str) -> Result<(), String> {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse::<u16>().ok()).unwrap_or(0);
    let body: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let code = body["code"].as_str();
    if status != case.status || (case.code.is_some() && code != case.code.as_deref()) {
        return Err(format!(
            "{status} {code:?} instead of {} {:?}: {body}",
            case.status, case.code
        ));
    }
    let head = head.to_ascii_lowercase();
    let names = |name: &str| head.contains(&format!("\r\n{name}: "));
    if status >= 400 && !head.contains("content-type: application/problem+json") {
        return Err(format!("{status} is no problem+json: {head}"));
    }
    if status == 401 && !names("www-authenticate") || status == 405 && !names("allow") {
        return Err(format!("{status} lacks a header: {head}"));
    }
    for secret in &case.must_not_contain {
        if text.contains(&filled(api, secret)) {
            return Err(format!("{status}, but it holds {secret}"));
        }
    }
    Ok(())
}

async fn exchange(address: SocketAddr, request: &[u8]) -> Result<String, String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        read(&mut stream).await
    };
    match tokio::time::timeout(LIMIT, exchange).await {
        Ok(Ok(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Ok(Err(error)) => Err(format!("no answer: {error}")),
        Err(_) => Err(format!("no answer within {LIMIT:?}")),
    }
}

/// Reads until the answer is whole, or the other side has closed.
async fn read(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while !is_whole(&bytes) && stream.read_buf(&mut bytes).await? > 0 {}
    Ok(bytes)
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    length
        .and_then(|length| length.parse::<usize>().ok())
        .is_some_and(|length| body.len() >= length)
}
