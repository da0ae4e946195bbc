//! No request reaches a forbidden address, whatever the URL, the name server, a redirect or a proxy say: a worker inside a
//! network of its own, whose interface owns such addresses and accepts every connection. A control run with the guard off
//! shows that the same URLs do connect.

pub(crate) mod forms;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use self::forms::{Form, PUBLIC_V4, PUBLIC_V6};
use crate::child::guard_lab::{ENVIRONMENTS_PROXY, HTTP_PROXY, NAME_SERVER, SOCKS_PROXY};
use crate::kit::{Ground, Installation, Lab, LabSeen, Lines};

/// So many forms there must be, and so many of them must connect without the guard.
const FORMS: usize = 150;
const CONTROL: usize = 100;
/// Events of a run: a name that changes its answer is asked more than once.
const EVENTS: i64 = 3;
/// A run may take so long.
const LIMIT: Duration = Duration::from_secs(90);
const TENANT: &str = "guard";

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let forms = forms::all();
    let after = forms.last().map_or(forms::FIRST_PORT, |form| form.port + 1);
    let redirects = forms::redirects(after);
    let tokens = forms::tokens(after + u16::try_from(redirects.len())?);
    let ports = u16::try_from(forms.len() + redirects.len() + tokens.len())?;
    let mut installation = Installation::new(ground, "address-guard").await?;
    let mut lab = Lab::start(&installation.folder, forms::FIRST_PORT, ports).await?;
    add_endpoints(&installation, forms.iter().chain(&redirects)).await?;
    add_token_endpoints(&installation, &tokens).await?;

    let control =
        run(&mut installation, &mut lab, &[("POSTRIDER_EGRESS_ALLOW_CIDRS", "0.0.0.0/0,::/0")])
            .await?;
    let connected = forms.iter().filter(|form| forbidden(&control.seen, form.port) > 0).count();
    let fetched = tokens.iter().filter(|(form, _)| forbidden(&control.seen, form.port) > 0).count();
    lines.put(
        connected >= CONTROL && forms.len() >= FORMS && fetched == tokens.len(),
        "address-guard.control",
        format!("without the guard {connected} of {} forms reach a forbidden address, and {fetched} of {} token URLs ({} addresses owned)", forms.len(),
            tokens.len(), lab.owned),
        format!("≥ {CONTROL} of ≥ {FORMS}"),
        json!({ "forms": forms.len(), "connected": connected, "owned_addresses": lab.owned }),
    );

    let guarded = run(&mut installation, &mut lab, &[]).await?;
    let reached: Vec<&str> = forms
        .iter()
        .chain(&redirects)
        .chain(tokens.iter().map(|(form, _)| form))
        .filter(|form| forbidden(&guarded.seen, form.port) > 0)
        .map(|form| form.url.as_str())
        .collect();
    let redirected =
        redirects.iter().filter(|form| guarded.seen.accepted.contains_key(&form.port)).count();
    let from_environment = accepted(&guarded.seen, ENVIRONMENTS_PROXY);
    lines.put(
        reached.is_empty() && redirected == redirects.len() && from_environment == 0 && guarded.attempts >= FORMS,
        "address-guard",
        format!(
            "{} forms, {} redirects and {} token URLs, {} attempts: {} reached a forbidden address; the environment's proxy was asked {from_environment} times; rules recorded: {}",
            forms.len(), redirects.len(),
            tokens.len(), guarded.attempts, reached.len(), guarded.rules_text(),
        ),
        "0",
        json!({ "reached": reached, "redirects_answered": redirected, "attempts": guarded.attempts, "rules": guarded.rules }),
    );
    put_unrecorded(lines, &guarded);
    for (scheme, port) in [("http", HTTP_PROXY), ("socks5", SOCKS_PROXY)] {
        let proxy = format!("{scheme}://127.0.0.1:{port}");
        let run = run(&mut installation, &mut lab, &[("POSTRIDER_EGRESS_PROXY", &proxy)]).await?;
        put_proxied(lines, scheme, &run);
    }
    installation.end().await
}

/// Whether every refusal says which rule it was.
fn put_unrecorded(lines: &mut Lines, run: &Run) {
    lines.put(
        run.unexplained == 0 && run.kinds() >= 10,
        "address-guard.recorded",
        format!(
            "{} refusals without their rule, {} different rules recorded",
            run.unexplained,
            run.kinds()
        ),
        "0, ≥ 10",
        json!({ "rules": run.rules }),
    );
}

/// Through a proxy: whom it was asked for, and that nothing but it was dialled.
fn put_proxied(lines: &mut Lines, scheme: &str, run: &Run) {
    let public = |target: &&String| {
        target.starts_with(&format!("{PUBLIC_V4}:"))
            || target.starts_with(&format!("[{PUBLIC_V6}]:"))
    };
    let asked = run.seen.tunnels.len();
    let wrong: Vec<&String> = run.seen.tunnels.iter().filter(|target| !public(target)).collect();
    let accepted: usize = run.seen.accepted.values().map(Vec::len).sum();
    lines.put(
        wrong.is_empty() && asked > 0 && accepted <= asked,
        &format!("address-guard.{scheme}-proxy"),
        format!("asked for {asked} permitted and {} forbidden targets; {accepted} connections, all its own", wrong.len()),
        "0 forbidden",
        json!({ "asked": asked, "forbidden": wrong, "accepted": accepted }),
    );
}

/// One endpoint for each form. The command refuses such URLs, as it must, so they are put in its place afterwards.
async fn add_endpoints(
    installation: &Installation,
    forms: impl Iterator<Item = &Form>,
) -> anyhow::Result<()> {
    let client = installation.client().await?;
    client
        .batch_execute("UPDATE postrider.installation SET max_endpoints_per_tenant = 100000")
        .await?;
    let urls: Vec<&str> = forms.map(|form| form.url.as_str()).collect();
    let ids: Vec<Uuid> = stream::iter(0..urls.len())
        .map(|number| async move {
            let token = number.to_string();
            let endpoint = installation.add_endpoint(
                "https://example.com",
                &token,
                TENANT,
                "*",
                &["--timeout", "2s"],
            );
            anyhow::Ok(endpoint.await?.id)
        })
        .buffered(4)
        .try_collect()
        .await?;
    let sql = "UPDATE postrider.webhook_endpoints e SET url = n.url FROM unnest($1::uuid[], $2::text[]) n (id, url) WHERE e.id = n.id";
    ensure!(
        client.execute(sql, &[&ids, &urls]).await? == urls.len() as u64,
        "an endpoint is missing"
    );
    Ok(())
}

/// Endpoints that log in with a token, which they are told to fetch from a forbidden place.
async fn add_token_endpoints(
    installation: &Installation,
    tokens: &[(Form, String)],
) -> anyhow::Result<()> {
    for (form, token_url) in tokens {
        let file = installation.folder.join(format!("auth-{}.json", form.port));
        let auth = json!({ "type": "oauth2", "token_url": token_url, "client_id": "id", "client_secret": "secret" });
        std::fs::write(&file, auth.to_string()).context("write a login")?;
        let file = file.display().to_string();
        let options = ["--timeout", "2s", "--auth-file", &file];
        installation.add_endpoint(&form.url, "hook", TENANT, "*", &options).await?;
    }
    Ok(())
}

/// What came of one run.
struct Run {
    seen: LabSeen,
    attempts: usize,
    /// How often each rule refused.
    rules: Value,
    unexplained: usize,
}

/// Publishes events to all endpoints, one after the other, and lets a worker in the lab make an attempt at each.
async fn run(
    installation: &mut Installation,
    lab: &mut Lab,
    settings: &[(&str, &str)],
) -> anyhow::Result<Run> {
    let client = installation.client().await?;
    let since: String = client.query_one("SELECT clock_timestamp()::text", &[]).await?.get(0);
    lab.forget().await?;
    let mut command = installation.command(&["run"]);
    command.env("POSTRIDER_EGRESS_ALLOW_HTTP", "true");
    command.env("POSTRIDER_EGRESS_DNS_SERVERS", format!("127.0.0.1:{NAME_SERVER}"));
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
    {
        command.env(name, format!("http://127.0.0.1:{ENVIRONMENTS_PROXY}"));
    }
    command.envs(settings.iter().copied());
    let worker = installation.worker_by(lab.inside(&command)).await?;
    for _ in 0..EVENTS {
        let sql = "SELECT event_id FROM postrider.publish(type => 'guard.form', tenant => $1, data => '{}')";
        let event = client.query_one(sql, &[&TENANT]).await.context("publish an event")?;
        attempted(&client, event.get(0)).await?;
    }
    worker.stop().await?;
    let seen = lab.seen().await?;
    // What failed waits for another attempt, which belongs to no run.
    client.execute("DELETE FROM postrider.webhook_deliveries_open", &[]).await?;
    // Nor does the bad opinion that the workers have of such endpoints by now.
    client.execute("DELETE FROM postrider.webhook_endpoint_health", &[]).await?;
    recorded(&client, &since, seen).await
}

/// Waits until every delivery of the event has had its attempt.
async fn attempted(client: &Client, event: &str) -> anyhow::Result<()> {
    let sql = "SELECT count(*) FILTER (WHERE d.attempts = 0 AND d.open), count(*) FROM postrider.webhook_deliveries d \
               JOIN postrider.webhook_events e ON e.seq = d.event_seq WHERE e.id = $1 AND e.tenant_id = $2";
    let begun = Instant::now();
    loop {
        let row = client.query_one(sql, &[&event, &TENANT]).await?;
        let (waiting, all): (i64, i64) = (row.get(0), row.get(1));
        if all > 0 && waiting == 0 {
            return Ok(());
        }
        if begun.elapsed() > LIMIT {
            bail!("after {} s {waiting} of {all} deliveries had no attempt", LIMIT.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn recorded(client: &Client, since: &str, seen: LabSeen) -> anyhow::Result<Run> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE error = 'blocked_address' AND detail IS NULL) \
               FROM postrider.webhook_attempts WHERE started_at >= $1::text::timestamptz";
    let row = client.query_one(sql, &[&since]).await?;
    let (attempts, unexplained): (i64, i64) = (row.get(0), row.get(1));
    let sql = "SELECT detail, count(*) FROM postrider.webhook_attempts \
               WHERE started_at >= $1::text::timestamptz AND error = 'blocked_address' AND detail IS NOT NULL GROUP BY 1 ORDER BY 2 DESC";
    let rules = client.query(sql, &[&since]).await?;
    let rules = rules.iter().map(|row| (row.get(0), json!(row.get::<_, i64>(1)))).collect();
    Ok(Run {
        seen,
        attempts: usize::try_from(attempts)?,
        rules: Value::Object(rules),
        unexplained: usize::try_from(unexplained)?,
    })
}

impl Run {
    fn kinds(&self) -> usize {
        self.rules.as_object().map_or(0, serde_json::Map::len)
    }

    fn rules_text(&self) -> String {
        let rules = self.rules.as_object().into_iter().flatten();
        rules.map(|(rule, count)| format!("{rule} {count}")).collect::<Vec<_>>().join(", ")
    }
}

/// Connections that were accepted on the port at an address that is not one of the permitted ones.
fn forbidden(seen: &LabSeen, port: u16) -> usize {
    let permitted = [IpAddr::V4(PUBLIC_V4), IpAddr::V6(PUBLIC_V6)];
    seen.accepted
        .get(&port)
        .into_iter()
        .flatten()
        .filter(|address| !permitted.contains(address))
        .count()
}

fn accepted(seen: &LabSeen, port: u16) -> usize {
    seen.accepted.get(&port).map_or(0, Vec::len)
}
