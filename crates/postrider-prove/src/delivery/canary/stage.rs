//! The installation of the line: a secret of every kind, at endpoints that answer with all that they were sent.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postrider_testkit::{Behaviour, Received, Receiver, Reply};
use serde_json::json;

use super::NAME;
use super::grep::Canary;
use crate::kit::{Ground, Installation, Ran};

/// The installation, its secrets, and everything that was said.
pub(super) struct Stage {
    pub(super) installation: Installation,
    pub(super) receiver: Receiver,
    pub(super) canaries: Vec<Canary>,
    pub(super) texts: Vec<(String, String)>,
}

impl Stage {
    pub(super) async fn set(ground: &Ground) -> anyhow::Result<Self> {
        let mut installation = Installation::new(ground, NAME).await?;
        let master: [u8; 32] = unique("master").into_bytes()[..32].try_into()?;
        let master = STANDARD.encode(master);
        installation.set("POSTRIDER_MASTER_KEY", &master);
        installation.set("POSTRIDER_LOG", "trace");
        // The server believes everybody on its socket; what the password is does not matter to it.
        let password = unique("database").replace("+/", "-");
        let url = format!("{}&password={password}", installation.server.url());
        installation.set("POSTRIDER_DATABASE_URL", url);
        let canaries =
            vec![Canary::new("master key", master), Canary::new("database password", password)];
        Ok(Self { installation, receiver: Receiver::start().await, canaries, texts: Vec::new() })
    }

    /// An endpoint with each kind of secret; each answers 500 and with all that it was sent, and a second token server refuses so.
    pub(super) async fn endpoints(&mut self) -> anyhow::Result<()> {
        self.receiver.behave_by_default(Behaviour::ask(|request| echo(500, request)));
        let token = self.secret("oauth2 token", unique("token"));
        let granted =
            Reply::new(200).body(json!({ "access_token": token, "expires_in": 3600 }).to_string());
        self.receiver.behave("/token", Behaviour::Reply(granted));
        self.receiver.behave("/refuse", Behaviour::ask(|request| echo(401, request)));

        // What a key's base64 stands for must not be found either.
        let bytes = self.secret("bytes of the standard secret", unique("key")[..48].to_owned());
        let standard = format!("whsec_{}", STANDARD.encode(&bytes));
        let standard = self.secret("standard secret", standard);
        let bytes = self.secret("bytes of the ed25519 key", unique("key")[..32].to_owned());
        let ed25519 = self.secret("ed25519 key", format!("whsk_{}", STANDARD.encode(&bytes)));
        let opaque = self.secret("opaque secret", unique("opaque"));
        let shared = self.secret("shared secret", unique("shared"));
        for (path, kind, secret, more) in [
            ("/standard", "standard", standard, &[][..]),
            ("/pair", "ed25519", ed25519, &[]),
            ("/opaque", "opaque", opaque, &["--sign", "stripe,github,hmac-hex=X-Sig"]),
            ("/shared", "opaque", shared, &["--sign", "shared-secret"]),
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
        let posted = self.secret("oauth2 client secret in a form", unique("form"));
        let by = |how: &str, secret: &str, url: String| json!({ "type": "oauth2", "token_url": url, "client_id": "id", "client_secret": secret, "client_auth": how });
        let oauth = |url: String| by("basic", &client, url);
        for (path, auth) in [
            ("/basic", json!({ "type": "basic", "user": "us", "password": password })),
            ("/bearer", json!({ "type": "bearer", "token": bearer })),
            ("/oauth2", oauth(self.receiver.url("/token"))),
            ("/refused", oauth(self.receiver.url("/refuse"))),
            ("/form", by("post", &posted, self.receiver.url("/token"))),
            ("/refused-form", by("post", &posted, self.receiver.url("/refuse"))),
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

    pub(super) async fn end(self) -> anyhow::Result<(Vec<Canary>, Vec<(String, String)>)> {
        self.installation.end().await?;
        Ok((self.canaries, self.texts))
    }

    pub(super) async fn ids(&self, what: &str) -> anyhow::Result<Vec<String>> {
        let listed = self.installation.ask(&[what, "list"]).await?;
        let ids = listed["data"].as_array().into_iter().flatten();
        Ok(ids.filter_map(|entry| entry["id"].as_str().map(str::to_owned)).collect())
    }

    pub(super) async fn add(&mut self, path: &str, options: &[&str]) -> anyhow::Result<()> {
        let url = self.receiver.url(path);
        let add = ["endpoints", "add", &url, "--dev", "--retry-schedule", "1s,1s"];
        let ran = self.installation.succeed(&[&add[..], options].concat()).await?;
        self.texts.push((format!("endpoints add {path}"), ran.out + &ran.err));
        Ok(())
    }

    /// Runs a command, however it ends, and keeps what it says.
    pub(super) async fn say(&mut self, words: &[&str]) -> anyhow::Result<()> {
        let ran = self.installation.run(words).await?;
        let what = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        self.texts.push((what, ran.out + &ran.err));
        Ok(())
    }

    pub(super) fn secret(&mut self, kind: &'static str, text: String) -> String {
        self.canaries.push(Canary::new(kind, text.clone()));
        text
    }

    /// Keeps what a command said that was run in another way.
    pub(super) fn keep(&mut self, what: &str, ran: Ran) {
        self.texts.push((what.to_owned(), ran.out + &ran.err));
    }

    pub(super) fn file(&self, text: &str) -> anyhow::Result<String> {
        let path =
            self.installation.folder.join(format!("{}.secret", uuid::Uuid::new_v4().simple()));
        std::fs::write(&path, text).context("write a secret")?;
        Ok(path.display().to_string())
    }
}

/// Answers with everything that came, and with what a login stands for.
pub(super) fn echo(status: u16, request: &Received) -> Behaviour {
    let mut text = String::new();
    for (name, value) in &request.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        text += &format!("{name}: {value}\n");
        if let Some(pair) = value.strip_prefix("Basic ").and_then(|pair| STANDARD.decode(pair).ok())
        {
            text += &format!("{}\n", String::from_utf8_lossy(&pair));
        }
    }
    text += &String::from_utf8_lossy(&request.body);
    Behaviour::Reply(Reply::new(status).body(text))
}

/// A text that is nowhere else.
pub(super) fn unique(what: &str) -> String {
    format!("{what}+/{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}
