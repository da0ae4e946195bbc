//! Each kind of secret is a text of its own; then everything that can go wrong with it is made to. None of them is in a log, an
//! error, a metric, an answer, or unsealed in the database; nor are those of the lines before this one in anything that the whole
//! run said. The same search finds every one that is planted in a control log.

mod grep;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postrider_testkit::{Behaviour, Receiver, Reply};
use serde_json::json;
use tokio::net::TcpListener;

use crate::kit::{Evidence, Ground, Installation, Lines, page};
use grep::Canary;

/// The installation of this line.
const NAME: &str = "canary";

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let mut stage = Stage::set(ground).await?;
    stage.endpoints().await?;
    stage.mistakes().await?;
    stage.deliver().await?;
    stage.questions().await?;
    let (mut canaries, mut texts) = stage.end().await?;
    let (kinds, evidence) = (canaries.len(), ground.evidence());
    // What the lines before this one used as secrets, and what they said.
    let others = evidence.secrets().into_iter().filter(|(installation, _)| installation != NAME);
    canaries.extend(others.map(|(_, text)| Canary::new("secret of another line", text)));
    let logs = evidence.texts()?;
    let (own, files) = (texts.len(), logs.len());
    texts.extend(logs);

    let found = search(&canaries, &texts);
    // A search that finds nothing where there is something would prove nothing.
    let (planted, missed) = plant(&canaries, evidence)?;
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let mut figure = format!(
        "{kinds} kinds of secrets and {} of other lines, {} found in {own} answers and pages and {files} logs of the whole run, \
         {} KiB; {} of {planted} planted ones found",
        canaries.len() - kinds,
        found.len(),
        bytes / 1024,
        planted - missed,
    );
    if !found.is_empty() {
        figure = format!("{figure}: {}", found.join(", "));
    }
    let figures = json!({
        "kinds": canaries[..kinds].iter().map(|canary| canary.kind).collect::<Vec<_>>(),
        "of_other_lines": canaries.len() - kinds,
        "places": texts.iter().map(|(place, _)| place).collect::<Vec<_>>(),
        "bytes": bytes, "found": found, "planted": planted, "missed": missed,
    });
    let passed = found.is_empty() && missed == 0 && bytes > 10_000;
    lines.put(passed, "canary", figure, "0 found, all planted ones found", figures);
    Ok(())
}

/// Which secrets are in which texts.
fn search(canaries: &[Canary], texts: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for canary in canaries {
        let forms = canary.forms();
        for (place, text) in texts {
            if forms.iter().any(|form| text.contains(form.as_str())) {
                found.push(format!("{} in {place}", canary.kind));
            }
        }
    }
    found
}

/// Plants every form of every secret in a log of its own among the others, each in a line, and looks for it there as everywhere:
/// how many were planted, and how many were missed.
fn plant(canaries: &[Canary], evidence: &Evidence) -> anyhow::Result<(usize, usize)> {
    const CONTROL: &str = "control";
    for form in canaries.iter().flat_map(Canary::forms) {
        evidence.keep(CONTROL, &format!("INFO control: a line with {form} in it"))?;
    }
    let control = evidence.texts()?.into_iter().find(|(name, _)| name == "control.log");
    let (_, control) = control.context("the control log")?;
    let (mut planted, mut missed) = (0, 0);
    for canary in canaries {
        for form in canary.forms() {
            planted += 1;
            let line = control.lines().find(|line| line.contains(&format!(" {form} ")));
            missed += usize::from(line.is_none_or(|line| canary.found_in(line) == 0));
        }
    }
    Ok((planted, missed))
}

/// The installation, its secrets, and everything that was said.
struct Stage {
    installation: Installation,
    receiver: Receiver,
    canaries: Vec<Canary>,
    texts: Vec<(String, String)>,
}

impl Stage {
    async fn set(ground: &Ground) -> anyhow::Result<Self> {
        let mut installation = Installation::new(ground, NAME).await?;
        let master: [u8; 32] = unique("master").into_bytes()[..32].try_into()?;
        let master = STANDARD.encode(master);
        installation.set("POSTRIDER_MASTER_KEY", &master);
        installation.set("POSTRIDER_LOG", "debug");
        let canaries = vec![Canary::new("master key", master)];
        Ok(Self { installation, receiver: Receiver::start().await, canaries, texts: Vec::new() })
    }

    /// An endpoint with each kind of secret; each answers 500, and a second token server refuses.
    async fn endpoints(&mut self) -> anyhow::Result<()> {
        self.receiver.behave_by_default(Behaviour::status(500));
        let token = self.secret("oauth2 token", unique("token"));
        let granted =
            Reply::new(200).body(json!({ "access_token": token, "expires_in": 3600 }).to_string());
        self.receiver.behave("/token", Behaviour::Reply(granted));
        let refused = Reply::new(401).body(json!({ "error": "invalid_client" }).to_string());
        self.receiver.behave("/refuse", Behaviour::Reply(refused));

        // What a key's base64 stands for must not be found either.
        let bytes = self.secret("bytes of the standard secret", unique("key")[..48].to_owned());
        let standard = format!("whsec_{}", STANDARD.encode(&bytes));
        let standard = self.secret("standard secret", standard);
        let bytes = self.secret("bytes of the ed25519 key", unique("key")[..32].to_owned());
        let ed25519 = self.secret("ed25519 key", format!("whsk_{}", STANDARD.encode(&bytes)));
        let opaque = self.secret("opaque secret", unique("opaque"));
        for (path, kind, secret, more) in [
            ("/standard", "standard", standard, &[][..]),
            ("/pair", "ed25519", ed25519, &[]),
            ("/opaque", "opaque", opaque, &["--sign", "stripe,github,hmac-hex=X-Sig"]),
        ] {
            let file = self.file(&secret)?;
            let options = [&["--secret-kind", kind, "--secret-file", &file], more].concat();
            self.add(path, &options).await?;
        }
        let header = self.secret("header value", unique("header"));
        let file = self.file(&json!({ "X-Key": header }).to_string())?;
        self.add("/header", &["--header-file", &file]).await?;

        let (password, bearer) = (
            self.secret("basic password", unique("basic")),
            self.secret("bearer token", unique("bearer")),
        );
        let client = self.secret("oauth2 client secret", unique("client"));
        let oauth = |url: String| json!({ "type": "oauth2", "token_url": url, "client_id": "id", "client_secret": client });
        for (path, auth) in [
            ("/basic", json!({ "type": "basic", "user": "us", "password": password })),
            ("/bearer", json!({ "type": "bearer", "token": bearer })),
            ("/oauth2", oauth(self.receiver.url("/token"))),
            ("/refused", oauth(self.receiver.url("/refuse"))),
            ("/unreachable", oauth("http://127.0.0.1:1025/token".to_owned())),
        ] {
            let file = self.file(&auth.to_string())?;
            self.add(path, &["--auth-file", &file]).await?;
        }
        let key = rcgen::KeyPair::generate()?;
        let certificate =
            rcgen::CertificateParams::new(vec!["us".to_owned()])?.self_signed(&key)?;
        let middle = key.serialize_pem().lines().nth(1).context("a PEM body")?.to_owned();
        self.secret("client certificate's key", middle);
        let (certificate, key) = (self.file(&certificate.pem())?, self.file(&key.serialize_pem())?);
        self.add("/certificate", &["--client-cert", &certificate, "--client-key", &key]).await
    }

    /// Secrets in the wrong places and in broken files: the errors name them no more than the logs do.
    async fn mistakes(&mut self) -> anyhow::Result<()> {
        for canary in self.canaries.clone() {
            let text = &canary.text;
            let broken = self.file(&format!("{{\"type\":\"{text}\",\"token\":\"{text}\""))?;
            let other = self.file(&json!({ "type": "bearer", text: [text] }).to_string())?;
            let line = self.file(&format!("{text}\u{7f}"))?;
            for options in [
                ["--auth-file", &broken].as_slice(),
                &["--auth-file", &other],
                &["--header-file", &line],
                &["--secret-file", &line],
                &["--secret-kind", "ed25519", "--secret-file", &line],
                &["--secret-kind", "opaque", "--secret-file", &line],
                &["--client-cert", &line, "--client-key", &line],
                &["--endpoint-ca", &line],
            ] {
                let add = ["endpoints", "add", "https://example.com/h"];
                self.say(&[&add[..], options].concat()).await?;
            }
        }
        Ok(())
    }

    /// Sends to all of them, twice, in a worker that logs all it can; then in one that has another master key.
    async fn deliver(&mut self) -> anyhow::Result<()> {
        let listen = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.to_string();
        self.say(&["events", "publish", "email.sent", "--data", "{}"]).await?;
        let worker = self.installation.worker(&[("POSTRIDER_ADMIN_LISTEN", &listen)]).await?;
        tokio::time::sleep(Duration::from_secs(4)).await;
        for path in ["/metrics", "/readyz", "/healthz"] {
            let page = page(&listen, path).await?;
            self.texts.push((path.to_owned(), page));
        }
        // Who was never sent anything proves nothing.
        for path in [
            "standard",
            "pair",
            "opaque",
            "header",
            "basic",
            "bearer",
            "oauth2",
            "token",
            "refuse",
            "certificate",
        ] {
            let came = self.receiver.received_at(&format!("/{path}")).len();
            ensure!(came > 0, "nothing was sent to /{path}");
        }
        self.texts.push(("the worker's log".to_owned(), worker.printed()));
        worker.stop().await?;
        let other = ("POSTRIDER_MASTER_KEY", "ff".repeat(32));
        self.say(&["events", "publish", "email.sent", "--data", "{}"]).await?;
        let stranger = self.installation.worker(&[(other.0, &other.1)]).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.texts.push(("a stranger's log".to_owned(), stranger.printed()));
        stranger.stop().await?;
        Ok(())
    }

    /// Every answer that the commands give about them, and what is in the tables.
    async fn questions(&mut self) -> anyhow::Result<()> {
        for json in [&[][..], &["--json", "-vv"]] {
            for line in [
                "endpoints list",
                "deliveries list",
                "events list",
                "status",
                "config show",
                "config check",
                "failed list",
                "keys list",
                "keys rotate --dry-run",
                "keys rotate",
            ] {
                let words: Vec<&str> = line.split(' ').collect();
                self.say(&[&words[..], json].concat()).await?;
            }
            for id in self.ids("endpoints").await? {
                for words in
                    [&["endpoints", "show", &id][..], &["endpoints", "secrets", "list", &id]]
                {
                    self.say(&[words, json].concat()).await?;
                }
            }
            for id in self.ids("deliveries").await? {
                self.say(&[&["deliveries", "show", &id][..], json].concat()).await?;
            }
        }
        let client = self.installation.client().await?;
        for table in [
            "webhook_endpoints",
            "webhook_endpoint_secrets",
            "webhook_attempts",
            "webhook_deliveries",
        ] {
            let sql = format!(
                "SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM postrider.{table} t"
            );
            let rows: String = client.query_one(&sql, &[]).await?.get(0);
            self.texts.push((format!("the table {table}"), rows));
        }
        Ok(())
    }

    async fn end(self) -> anyhow::Result<(Vec<Canary>, Vec<(String, String)>)> {
        self.installation.end().await?;
        Ok((self.canaries, self.texts))
    }

    async fn ids(&self, what: &str) -> anyhow::Result<Vec<String>> {
        let listed = self.installation.ask(&[what, "list"]).await?;
        let ids = listed["data"].as_array().into_iter().flatten();
        Ok(ids.filter_map(|entry| entry["id"].as_str().map(str::to_owned)).collect())
    }

    async fn add(&mut self, path: &str, options: &[&str]) -> anyhow::Result<()> {
        let url = self.receiver.url(path);
        let add = ["endpoints", "add", &url, "--dev", "--retry-schedule", "1s,1s"];
        let ran = self.installation.succeed(&[&add[..], options].concat()).await?;
        self.texts.push((format!("endpoints add {path}"), ran.out + &ran.err));
        Ok(())
    }

    /// Runs a command, however it ends, and keeps what it says.
    async fn say(&mut self, words: &[&str]) -> anyhow::Result<()> {
        let ran = self.installation.run(words).await?;
        let what = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        self.texts.push((what, ran.out + &ran.err));
        Ok(())
    }

    fn secret(&mut self, kind: &'static str, text: String) -> String {
        self.canaries.push(Canary::new(kind, text.clone()));
        text
    }

    fn file(&self, text: &str) -> anyhow::Result<String> {
        let path =
            self.installation.folder.join(format!("{}.secret", uuid::Uuid::new_v4().simple()));
        std::fs::write(&path, text).context("write a secret")?;
        Ok(path.display().to_string())
    }
}

/// A text that is nowhere else.
fn unique(what: &str) -> String {
    format!("{what}+/{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}
