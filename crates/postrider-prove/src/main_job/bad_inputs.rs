//! Hostile and odd inputs get their stated verdict through every door that reaches them: the library, SQL and the command
//! line. A refusal names field and code, and stores nothing; what is accepted is stored byte for byte.

mod case;
mod endpoints;
mod events;
mod ids;

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::json;
use tokio_postgres::Client;

use self::case::{Answer, Case};
use crate::kit::{Ground, Installation, Lines, note};

/// A tenant of this proof alone.
const TENANT: &str = "t1";

/// Where the specification settles otherwise what the table leaves to the product: a payload is any JSON value.
const SETTLED_OTHERWISE: [&str; 2] = ["payload-017", "payload-018"];

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let installation = Installation::new(ground, "bad-inputs").await?;
    let mut judge = Judge::new(installation).await?;
    for case in case::all()? {
        match case.group.as_str() {
            "url" | "header" => endpoints::try_case(&mut judge, &case).await?,
            "event_type" | "payload" => events::try_case(&mut judge, &case).await?,
            "id" => ids::try_case(&mut judge, &case).await?,
            _ => {}
        }
    }
    judge.put(lines);
    judge.installation.end().await
}

/// Collects what the doors answered.
struct Judge {
    installation: Installation,
    client: Client,
    /// Cases and tries by group.
    counts: BTreeMap<String, (u64, u64)>,
    wrong: Vec<String>,
}

impl Judge {
    async fn new(installation: Installation) -> anyhow::Result<Self> {
        let client = installation.client().await?;
        // No publisher is to wait for a worker's wake-up here, and endpoints of one tenant are many.
        client
            .batch_execute("UPDATE postrider.installation SET max_endpoints_per_tenant = 1000")
            .await?;
        Ok(Self { installation, client, counts: BTreeMap::new(), wrong: Vec::new() })
    }

    /// Begins a case.
    fn begin(&mut self, case: &Case) {
        self.counts.entry(case.group.clone()).or_default().0 += 1;
    }

    /// How many events and endpoints are stored.
    async fn stored(&self) -> anyhow::Result<i64> {
        let sql = "SELECT (SELECT count(*) FROM postrider.webhook_event_ids) + (SELECT count(*) FROM postrider.webhook_endpoints)";
        Ok(self.client.query_one(sql, &[]).await.context("count what is stored")?.get(0))
    }

    /// Takes a door's answer. `grown` says by how much what is stored has grown meanwhile.
    fn answered(&mut self, case: &Case, door: &str, field: &str, answer: &Answer, grown: i64) {
        self.counts.entry(case.group.clone()).or_default().1 += 1;
        let settled_otherwise = SETTLED_OTHERWISE.contains(&case.id.as_str());
        let wrong = match answer {
            Answer::Accepted { .. } if settled_otherwise => None,
            Answer::Accepted { stored } => case.accepted(stored.as_deref()),
            Answer::Refused { .. } if settled_otherwise => Some("it is refused".to_owned()),
            Answer::Refused { .. } if grown != 0 => Some("it is refused, and stored".to_owned()),
            Answer::Refused { message } => case.refused(field, message),
        };
        if let Some(why) = wrong {
            self.fail(case, door, &why);
        }
    }

    fn fail(&mut self, case: &Case, door: &str, why: &str) {
        let line = format!("{} ({}) by {door}: {why}", case.id, case.name);
        note(format!("bad-inputs: {line}"));
        self.wrong.push(line);
    }

    fn put(&self, lines: &mut Lines) {
        let (cases, tries) = self
            .counts
            .values()
            .fold((0, 0), |(cases, tries), (more, times)| (cases + more, tries + times));
        let groups: BTreeMap<&String, u64> =
            self.counts.iter().map(|(group, (cases, _))| (group, *cases)).collect();
        lines.put(
            self.wrong.is_empty() && cases > 0,
            "bad-inputs",
            format!("{cases} inputs tried {tries} times: {} got another verdict than stated", self.wrong.len()),
            "none; ids, types, payloads, URLs, headers, by library, SQL and command line",
            json!({ "cases": groups, "tries": tries, "wrong": self.wrong, "settled_otherwise": SETTLED_OTHERWISE }),
        );
    }
}
