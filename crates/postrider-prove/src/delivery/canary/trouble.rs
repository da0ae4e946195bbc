//! What goes wrong with the secrets, and every question about it.

use std::time::Duration;

use anyhow::ensure;
use postrider_testkit::{Behaviour, Receiver};
use serde_json::json;
use tokio::net::TcpListener;

use super::stage::{Stage, echo, unique};
use crate::kit::{page, run};

impl Stage {
    /// Secrets in the wrong places and in broken files: the errors name them no more than the logs do.
    pub(super) async fn mistakes(&mut self) -> anyhow::Result<()> {
        for canary in self.canaries.clone() {
            let text = &canary.text;
            let broken = self.file(&format!("{{\"type\":\"{text}\",\"token\":\"{text}\""))?;
            let other = self.file(&json!({ "type": "bearer", text: [text] }).to_string())?;
            let line = self.file(&format!("{text}\u{7f}"))?;
            let colonless = self.file(&format!("X-Key {text}:def"))?;
            let named = self.file(&json!({ format!("X-Key {text}"): "def" }).to_string())?;
            for options in [
                ["--auth-file", &broken].as_slice(),
                &["--auth-file", &other],
                &["--header-file", &line],
                &["--header-file", &colonless],
                &["--header-file", &named],
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
        // A database that is not there, one that does not answer, and a URL that is none.
        let url = self.installation.server.url().to_owned();
        let password = self.canaries[1].text.clone();
        for url in [
            format!("{}&password={password}", url.replacen("postgres:///", "postgres:///no", 1)),
            format!("postgres://us:{password}@127.0.0.1:1/postrider?sslmode=disable"),
            format!("postgres//us:{password}@127.0.0.1"),
        ] {
            for words in [&["status"][..], &["config", "show"], &["config", "check"]] {
                let mut command = self.installation.command(words);
                command.env("POSTRIDER_DATABASE_URL", &url);
                let ran = run(command, "postrider with a wrong database").await?;
                self.keep("a wrong database", ran);
            }
        }
        Ok(())
    }

    /// Sends by way of a proxy that wants its own login, shows it, and lets nobody through.
    pub(super) async fn proxy(&mut self) -> anyhow::Result<()> {
        let password = unique("proxy").replace("+/", "-");
        let password = self.secret("proxy password", password);
        let proxy = Receiver::start().await;
        proxy.behave_by_default(Behaviour::ask(|request| echo(407, request)));
        let url = proxy.url("").replacen("http://", &format!("http://us:{password}@"), 1);
        self.say(&["events", "publish", "email.sent", "--data", "{}"]).await?;
        let worker = self.installation.worker(&[("POSTRIDER_EGRESS_PROXY", &url)]).await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.texts.push(("the log of a worker behind a proxy".to_owned(), worker.printed()));
        worker.stop().await?;
        let asked = proxy.received();
        ensure!(
            asked.iter().any(|request| request.header("proxy-authorization").starts_with("Basic ")),
            "the proxy was never logged in to: {} requests",
            asked.len()
        );
        for words in
            [&["config", "show"][..], &["config", "check"], &["config", "show", "--json", "-vv"]]
        {
            for url in [url.clone(), url.replacen("http://", "https://", 1)] {
                let mut command = self.installation.command(words);
                command.env("POSTRIDER_EGRESS_PROXY", &url);
                let ran = run(command, "postrider with a proxy").await?;
                self.keep("the proxy's settings", ran);
            }
        }
        Ok(())
    }

    /// Sends to all of them, twice, in a worker that logs all it can; then in one that has another master key.
    pub(super) async fn deliver(&mut self) -> anyhow::Result<()> {
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
            "shared",
            "header",
            "basic",
            "bearer",
            "oauth2",
            "form",
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
    pub(super) async fn questions(&mut self) -> anyhow::Result<()> {
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
}
