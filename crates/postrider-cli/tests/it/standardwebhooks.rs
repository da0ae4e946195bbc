//! The published libraries of Standard Webhooks and of Svix, PyPI's and npm's, verify every kind of request that the daemon
//! sends, during a rotation with three live secrets too, and refuse each once it is changed. They are installed into cargo's target
//! folder, once.
//!
//! Where a library cannot be had (no Python or Node, or no registry), its half is skipped and says so; with
//! `POSTRIDER_REQUIRE_RECEIVERS` set that is a failure.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use postrider_testkit::{Behaviour, Received, Receiver, TestDb};
use serde_json::{Value, json};

use crate::support::{Cli, terminate};

/// What is installed, from where, and what it calls itself.
const LIBRARIES: [Library; 4] = [
    Library { name: "python", from: Registry::PyPi, package: "standardwebhooks", version: "1.1.0" },
    Library { name: "node", from: Registry::Npm, package: "standardwebhooks", version: "1.1.1" },
    Library { name: "python-svix", from: Registry::PyPi, package: "svix", version: "2.9.1" },
    Library { name: "node-svix", from: Registry::Npm, package: "svix", version: "2.5.0" },
];
const REQUIRE: &str = "POSTRIDER_REQUIRE_RECEIVERS";
const LIMIT: Duration = Duration::from_secs(30);
/// A secret of the caller's own, as long as they get: 64 bytes.
const OWN_SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg==";

/// A published library that verifies webhooks.
struct Library {
    /// The folder that it is kept in, and what it is called in what this prints.
    name: &'static str,
    from: Registry,
    package: &'static str,
    version: &'static str,
}

#[derive(Clone, Copy)]
enum Registry {
    PyPi,
    Npm,
}

/// One question to a library: is this request good?
struct Question {
    line: Value,
    good: bool,
}

#[tokio::test]
async fn python_and_node_verify_every_kind_of_request() {
    let requests = requests().await;
    let questions: Vec<Question> = requests.iter().flat_map(questions).collect();
    let mut verified = 0;
    for library in LIBRARIES {
        let name = library.name;
        match library.command() {
            Ok(command) => {
                judge(name, command, &questions);
                verified += 1;
            }
            Err(why) => {
                eprintln!("SKIPPED: {name} verified nothing: {why}");
                assert!(std::env::var_os(REQUIRE).is_none(), "{REQUIRE} is set, and {name}: {why}");
            }
        }
    }
    println!("{verified} of {} libraries asked about {} requests", LIBRARIES.len(), requests.len());
}

/// Asks one library all questions.
fn judge(name: &str, mut command: Command, questions: &[Question]) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect(name);
    let mut input = child.stdin.take().expect("a pipe");
    let text: String = questions.iter().map(|question| format!("{}\n", question.line)).collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("it reads everything");
    assert!(output.status.success(), "{name} ended with {}", output.status);
    let answers = String::from_utf8(output.stdout).expect("words");
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), questions.len(), "{name} answers each question");
    for (question, answer) in questions.iter().zip(&answers) {
        let expected = if question.good { "accepted" } else { "refused" };
        assert_eq!(*answer, expected, "{name}: {}", question.line);
    }
    let accepted = questions.iter().filter(|question| question.good).count();
    println!("{name} accepted {accepted} and refused {}", questions.len() - accepted);
}

/// The requests of all kinds, each with the secrets of its endpoint.
async fn requests() -> Vec<(Received, Vec<String>)> {
    let db = TestDb::new().await;
    let receiver = Receiver::start().await;
    let cli = Cli::at(&db);
    let own = cli.file("secret", OWN_SECRET);
    let daemon = cli.start(&["run", "--dev", "--admin-listen", "off"]);
    while cli.run(&["status", "--json"]).await.exits(0).json()["workers"] == json!([]) {}
    let mut secrets = Vec::new();
    for (path, options) in [
        ("/plain", &[][..]),
        ("/headers", &["--header", "X-Team: blue", "--header", "Authorization: Bearer t0p"]),
        ("/own", &["--secret-file", &own]),
        ("/rotating", &["--secret-file", &own]),
        ("/retried", &["--retry-schedule", "1s,1s"]),
        // As many as there are payloads, so that all go in one request. Lines are no JSON, which the libraries read at once.
        ("/batch", &["--batch-max-events", "7", "--batch-max-wait", "1m"]),
    ] {
        let args = ["endpoints", "add", &receiver.url(path), "--dev", "--json"];
        let added = cli.run(&[&args[..], options].concat()).await.exits(0).json();
        let secret = added["secret"].as_str().unwrap_or(OWN_SECRET).to_owned();
        let mut live = vec![secret];
        if path == "/rotating" {
            live.extend(rotate_twice(&cli, added["id"].as_str().expect("an id")).await);
        }
        if path == "/plain" {
            cli.run(&["endpoints", "test", added["id"].as_str().unwrap()]).await.exits(0);
        }
        secrets.push((path, live));
    }
    receiver.behave("/retried", Behaviour::statuses([500, 503, 200]));
    let payloads = payloads();
    for (number, payload) in payloads.iter().enumerate() {
        let data = cli.file("data.json", payload);
        let mut args = vec!["events", "publish", "email.sent", "--data"];
        let (data, key) = (format!("@{data}"), format!("k{number}"));
        args.push(&data);
        match number % 3 {
            0 => args.extend(["--key", &key]),
            1 => args.extend(["--id", &key]),
            _ => args.extend([
                "--traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ]),
        }
        cli.run(&args).await.exits(0);
    }
    // The test event, every payload at every endpoint without batches, two retries, and a batch.
    let expected = 1 + payloads.len() * (secrets.len() - 1) + 2 + 1;
    let received = receiver.wait_for(expected as u64, LIMIT).await;
    terminate(&daemon);
    assert!(received.iter().any(|request| request.header("webhook-attempt") == "2"), "a retry");
    assert_eq!(received.iter().filter(|request| request.id().starts_with("btc_")).count(), 1);
    let secrets_of = |request: &Received| {
        let found = secrets.iter().find(|(path, _)| *path == request.path);
        found.unwrap_or_else(|| panic!("nobody asked for {}", request.path)).1.clone()
    };
    received.into_iter().map(|request| (request.clone(), secrets_of(&request))).collect()
}

fn payloads() -> Vec<String> {
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(200_000));
    let texts = [
        "{}",
        r#"{"subject":"Grüße 🦔","from":"a@b"}"#,
        r#"{"a":"\ud83e\udd94","b":1E2,"c":9007199254740993}"#,
        "null",
        "[1, 2,\n 3]",
        r#"{"b":1,"a":2,"a":"<script>\u001b[31m"}"#,
        &large,
    ];
    texts.map(str::to_owned).to_vec()
}

/// Rotates an endpoint's secret twice within the overlap, so that three are live; the two new ones.
async fn rotate_twice(cli: &Cli, endpoint: &str) -> [String; 2] {
    let rotate = ["endpoints", "secrets", "rotate", endpoint, "--json"];
    let first = cli.run(&rotate).await.exits(0).json();
    let second = cli.run(&rotate).await.exits(0).json();
    [first, second].map(|rotated| rotated["secret"].as_str().expect("a secret").to_owned())
}

/// The request with each of its secrets, and changed in every part that the signature covers.
fn questions((request, secrets): &(Received, Vec<String>)) -> Vec<Question> {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers = |changed: Option<(&str, String)>| -> Value {
        let value = |name: &str| match &changed {
            Some((which, value)) if *which == name => value.clone(),
            _ => request.header(name).to_owned(),
        };
        names.iter().map(|name| ((*name).to_owned(), json!(value(name)))).collect()
    };
    let body = String::from_utf8(request.body.to_vec()).expect("UTF-8");
    let ask = |secret: &str, body: &str, changed: Option<(&str, String)>, good: bool| Question {
        line: json!({ "secret": secret, "body": body, "headers": headers(changed) }),
        good,
    };
    let mut questions: Vec<Question> =
        secrets.iter().map(|secret| ask(secret, &body, None, true)).collect();
    let first = secrets[0].as_str();
    let later: i64 = request.header("webhook-timestamp").parse().expect("whole seconds");
    let changes = [
        ("webhook-id", format!("{}x", request.id())),
        ("webhook-timestamp", (later + 1).to_string()),
        ("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=".to_owned()),
    ];
    questions.extend(changes.into_iter().map(|change| ask(first, &body, Some(change), false)));
    questions.push(ask(first, &format!("{body} "), None, false));
    questions.push(ask("whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", &body, None, false));
    questions
}

impl Library {
    /// The command that verifies with it. It is installed where it is missing.
    fn command(&self) -> Result<Command, String> {
        let folder = receivers().join(self.name);
        match self.from {
            Registry::PyPi => self.python(&folder),
            Registry::Npm => self.node(&folder),
        }
    }

    fn python(&self, folder: &Path) -> Result<Command, String> {
        if !folder.join(self.package).is_dir() {
            let package = format!("{}=={}", self.package, self.version);
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--target"]).arg(folder).arg(package);
            install(pip)?;
        }
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", folder).env("PYTHONUTF8", "1");
        command.arg(script("verify.py")).arg(self.package);
        Ok(command)
    }

    fn node(&self, folder: &Path) -> Result<Command, String> {
        if !folder.join("node_modules").join(self.package).is_dir() {
            std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
            let mut npm = Command::new("npm");
            npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(folder);
            npm.arg(format!("{}@{}", self.package, self.version)).current_dir(folder);
            install(npm)?;
        }
        let mut command = Command::new("node");
        command.arg(script("verify.mjs")).arg(folder).arg(self.package);
        Ok(command)
    }
}

fn install(mut command: Command) -> Result<(), String> {
    let tool = command.get_program().display().to_string();
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{tool}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{tool} cannot install it: {}", said.lines().last().unwrap_or("no reason given")))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standardwebhooks").join(name)
}

/// Where the packages are kept: beside what cargo keeps.
fn receivers() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_postrider"));
    binary.ancestors().nth(2).unwrap_or(binary).join("receivers")
}
