//! What is asked: every GET of the OpenAPI document that is a list or a detail, each with the parameters that people use, frequent and rare.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio_postgres::Client;

use super::super::stage::Stage;
use crate::kit::Dice;

/// Tenants of the seed, a large one and a small one of each kind, with keys of their own.
const TENANTS: [&str; 4] = ["big", "mid", "tiny", "small-7"];
/// Answers that are sums over many rows: they have a limit of their own, and say so where it is reached.
const SUMS: [&str; 2] = ["/events/stats", "/endpoints/{endpoint_id}/stats"];

/// The routes of the document.
pub(super) struct Routes {
    judged: Vec<String>,
    others: Vec<String>,
}

impl Routes {
    /// # Errors
    /// When there is one for which nothing is known to stand for what its path leaves open.
    pub(super) fn of(document: &Value) -> anyhow::Result<Self> {
        let (mut judged, mut others) = (Vec::new(), Vec::new());
        for (path, operations) in document["paths"].as_object().context("paths")? {
            let get = &operations["get"];
            let Some(path) = path.strip_prefix("/api/v1") else { continue };
            if get.is_null() {
                continue;
            }
            // A stream has no end.
            let streams = get["responses"]["200"]["content"]["text/event-stream"].is_object();
            if streams || SUMS.contains(&path) {
                others.push(path.to_owned());
                continue;
            }
            let placeholders = path.split(['{', '}']).skip(1).step_by(2);
            for placeholder in placeholders {
                if !KNOWN.contains(&placeholder) {
                    bail!("nothing is known for {{{placeholder}}} in {path}: add it to the line");
                }
            }
            judged.push(path.to_owned());
        }
        Ok(Self { judged, others })
    }

    pub(super) fn judged(&self) -> impl Iterator<Item = &str> {
        self.judged.iter().map(String::as_str)
    }

    pub(super) fn others(&self) -> &[String] {
        &self.others
    }
}

/// What the paths leave open.
const KNOWN: [&str; 7] =
    ["event_id", "endpoint_id", "webhook_id", "delivery_id", "job_id", "tenant_id", "event_type"];

/// The route of endpoints that are read, and what they are called here.
const PULL: &str = "/endpoints/{endpoint_id}/events";
const READ: &str = "an endpoint that is read";

/// Things that are there, each with its tenant.
pub(super) struct Sample {
    admin: String,
    keys: BTreeMap<String, String>,
    things: BTreeMap<&'static str, Vec<(String, String)>>,
}

impl Sample {
    pub(super) async fn take(stage: &Stage) -> anyhow::Result<Self> {
        let mut keys = BTreeMap::new();
        for tenant in TENANTS {
            keys.insert(tenant.to_owned(), stage.key_of(tenant).await?);
        }
        let client = stage.installation.client().await?;
        let mut things = BTreeMap::new();
        for (name, sql) in [
            (
                "event_id",
                "SELECT tenant_id, id FROM postrider.webhook_events WHERE seq % 997 = 7 OR (tenant_id = 'tiny' AND seq % 5 = 0) LIMIT 500",
            ),
            (
                "endpoint_id",
                "SELECT tenant_id, 'whk_' || replace(id::text, '-', '') FROM postrider.webhook_endpoints WHERE kind = 'webhook'",
            ),
            (
                READ,
                "SELECT tenant_id, 'whk_' || replace(id::text, '-', '') FROM postrider.webhook_endpoints WHERE kind = 'pull'",
            ),
            (
                "delivery_id",
                "SELECT tenant_id, 'whd_' || replace(id::text, '-', '') FROM postrider.webhook_deliveries WHERE event_seq % 1999 = 7 LIMIT 500",
            ),
            (
                "job_id",
                "SELECT tenant_id, 'job_' || replace(id::text, '-', '') FROM postrider.jobs LIMIT 500",
            ),
        ] {
            things.insert(name, pairs(&client, sql).await?);
        }
        Ok(Self { admin: stage.admin.clone(), keys, things })
    }

    /// A request of a route: the key and the path. `next`: rather this page.
    pub(super) fn request(
        &self,
        route: &str,
        next: Option<(String, String)>,
        dice: &mut Dice,
    ) -> (String, String) {
        if let Some(next) = next {
            return next;
        }
        let (mut path, mut tenant) = (route.to_owned(), None);
        for name in KNOWN {
            let placeholder = format!("{{{name}}}");
            if !path.contains(&placeholder) {
                continue;
            }
            let (of, id) = match name {
                "event_type" => (None, "account.closed".to_owned()),
                "tenant_id" => (None, (*dice.pick(&TENANTS)).to_owned()),
                "webhook_id" => self.thing("endpoint_id", dice),
                "endpoint_id" if route == PULL => self.thing(READ, dice),
                other => self.thing(other, dice),
            };
            path = path.replace(&placeholder, &id);
            tenant = of.or(tenant);
        }
        let key = match tenant {
            // Of a thing of somebody's: with its key where there is one, else an admin's.
            Some(tenant) => self.keys.get(&tenant).filter(|_| dice.per_mille(700)),
            None if ["/api-keys"].contains(&route) || route.contains("tenant") => None,
            None => Some(&self.keys[*dice.pick(&TENANTS)]).filter(|_| dice.per_mille(800)),
        };
        let query = query(route, dice);
        (key.unwrap_or(&self.admin).clone(), format!("{path}{query}"))
    }

    fn thing(&self, name: &str, dice: &mut Dice) -> (Option<String>, String) {
        match self.things.get(name).filter(|things| !things.is_empty()) {
            Some(things) => {
                let (tenant, id) = dice.pick(things);
                (Some(tenant.clone()), id.clone())
            }
            None => (None, "none".to_owned()),
        }
    }
}

async fn pairs(client: &Client, sql: &str) -> anyhow::Result<Vec<(String, String)>> {
    Ok(client.query(sql, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// By what the lists are narrowed.
fn query(route: &str, dice: &mut Dice) -> String {
    let (kind, user) = (dice.below(15), dice.below(20_000));
    let narrowed: Vec<String> = match route {
        "/events" => vec![
            String::new(),
            "limit=100".to_owned(),
            format!("type=order.kind_{kind}&limit=10&order=desc"),
            format!("type=order.kind_{kind}&within=30d&order=asc"),
            "type=account.closed&within=30d".to_owned(),
            "type=no.such.type&within=30d".to_owned(),
            format!("distinct_id=user-{user}&within=30d"),
            format!("distinct_id=user-{user}&type=order.kind_{kind}&within=30d&order=asc"),
            "attribute.plan=plan-2".to_owned(),
            "attribute.plan=none&within=30d".to_owned(),
            "label=vip&within=30d".to_owned(),
            "type=order.*&limit=100&within=30d".to_owned(),
            "state=failed&within=30d".to_owned(),
        ],
        "/events/exists" => vec![
            "type=account.closed&within=30d".to_owned(),
            "type=no.such.type&within=30d".to_owned(),
            format!("type=order.kind_{kind}&distinct_id=user-{user}&within=30d"),
            format!("type=order.kind_{kind}&attribute.plan=plan-1&within=24h"),
        ],
        "/deliveries" | "/endpoints/{endpoint_id}/deliveries" => {
            let month = "since=2020-01-01T00:00:00Z";
            vec![
                String::new(),
                "limit=100".to_owned(),
                "status=pending".to_owned(),
                month.to_owned(),
                format!("status=delivered&{month}"),
                format!("status=exhausted&{month}"),
                format!("status=rejected&{month}"),
                format!("status=expired&{month}"),
            ]
        }
        "/audit" => vec![
            String::new(),
            "limit=100".to_owned(),
            "action=endpoint.deleted".to_owned(),
            "subject=whk_00000000000000000000000000000000".to_owned(),
        ],
        PULL => vec!["after=start".to_owned(), "after=start&limit=100".to_owned()],
        "/endpoints" | "/jobs" | "/api-keys" => vec![String::new(), "limit=100".to_owned()],
        _ => vec![String::new()],
    };
    let chosen = dice.pick(&narrowed);
    if chosen.is_empty() { String::new() } else { format!("?{chosen}") }
}

/// The page after an answer, if there is one.
pub(super) fn next_page(key: &str, path: &str, body: &Value) -> Option<(String, String)> {
    let cursor = body["next_cursor"].as_str()?;
    let is_pull = path.starts_with("/endpoints/") && path.contains("/events");
    let name = if is_pull { "after" } else { "cursor" };
    let path = path.split(&format!("{name}=")).next().unwrap_or(path).trim_end_matches(['?', '&']);
    let sign = if path.contains('?') { '&' } else { '?' };
    Some((key.to_owned(), format!("{path}{sign}{name}={cursor}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_route_that_nobody_knows_is_no_route_that_passed() {
        let of = |path: &str| Routes::of(&json!({ "paths": { path: { "get": {} } } }));
        let routes = of("/api/v1/endpoints/{endpoint_id}").unwrap();
        assert_eq!(routes.judged().collect::<Vec<_>>(), ["/endpoints/{endpoint_id}"]);
        assert_eq!(of("/api/v1/events/stats").unwrap().others().len(), 1);
        assert!(of("/api/v1/things/{thing_id}").is_err());
    }

    #[test]
    fn the_next_page_has_the_cursor_of_the_last_one_alone() {
        let page = json!({ "next_cursor": "x" });
        let next = |path: &str| next_page("k", path, &page).unwrap().1;
        assert_eq!(next("/events"), "/events?cursor=x");
        assert_eq!(next("/events?type=a"), "/events?type=a&cursor=x");
        assert_eq!(next("/events?type=a&cursor=y"), "/events?type=a&cursor=x");
        assert_eq!(next("/events?cursor=y"), "/events?cursor=x");
        assert!(next_page("k", "/events", &json!({ "next_cursor": null })).is_none());
    }
}
