//! Rust and SQL agree on ids and rows, the formula is e2a's, and the ten crates asked for are used.
//! The same random inputs are published from Rust and, on emptied tables, by SQL; then every column of every row is
//! compared but `seq` and `created_at`.

mod crates;
mod input;

use anyhow::ensure;
use postrider::{EMAIL_BOUNCED, EMAIL_RECEIVED, EventId, EventType, publish_many_tx};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio_postgres::{Client, Statement};

use self::input::Input;
use crate::kit::{Dice, Ground, Installation, Lines};

const SEED: u64 = 0x1d5_a9d_705;
/// How many are published in one transaction.
const BATCH: usize = 250;

/// All columns of the three tables but `seq` and `created_at`, in the order of tenants; times as their distance from it.
const ROWS: &str = "
    SELECT l.tenant_id, jsonb_build_object(
        'ledger', to_jsonb(l) - 'seq' - 'created_at',
        'body', to_jsonb(b) - 'seq' - 'created_at' - 'expires_at' - 'envelope',
        'envelope', overlay(b.envelope PLACING 'T' FROM position('\"created_at\"' IN b.envelope) + 14 FOR 27),
        'expires', b.expires_at - b.created_at,
        'pending', to_jsonb(p) - 'seq' - 'created_at' - 'next_attempt_at',
        'due', p.next_attempt_at - p.created_at)::text
    FROM postrider.webhook_event_ids l
    JOIN postrider.webhook_events b ON b.seq = l.seq AND b.created_at = l.created_at
    JOIN postrider.webhook_events_pending p ON p.seq = l.seq AND p.created_at = l.created_at
    ORDER BY l.tenant_id";

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let inputs = Input::some(&mut Dice::new(SEED), ground.size(10_000, 500));
    let installation = Installation::new(ground, "ids-and-rows").await?;
    let mut client = installation.client().await?;

    let ids_by_rust = publish_from_rust(&mut client, &inputs).await?;
    let rows_by_rust = rows(&client).await?;
    client
        .batch_execute(
            "TRUNCATE postrider.webhook_event_ids, postrider.webhook_events, postrider.webhook_events_pending",
        )
        .await?;
    let ids_by_sql = publish_by_sql(&mut client, &inputs).await?;
    let rows_by_sql = rows(&client).await?;

    let differ = |a: &[String], b: &[String]| a.iter().zip(b).filter(|(a, b)| a != b).count();
    let (ids, rows) = (differ(&ids_by_rust, &ids_by_sql), differ(&rows_by_rust, &rows_by_sql));
    let complete = rows_by_rust.len() == inputs.len() && rows_by_sql.len() == inputs.len();
    let special = inputs.iter().filter(|input| input.is_special()).count();
    lines.put(
        ids == 0 && rows == 0 && complete,
        "ids-and-rows",
        format!(
            "{} inputs, {special} with | \\ quotes or other scripts: {ids} ids and {rows} rows differ",
            inputs.len()
        ),
        "none differs",
        json!({ "inputs": inputs.len(), "special": special, "ids_that_differ": ids, "rows_that_differ": rows,
                "rows_from_rust": rows_by_rust.len(), "rows_from_sql": rows_by_sql.len(), "seed": SEED }),
    );
    formula(&client, lines).await?;
    crates::prove(ground, lines).await?;
    installation.end().await
}

async fn publish_from_rust(client: &mut Client, inputs: &[Input]) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::with_capacity(inputs.len());
    for batch in inputs.chunks(BATCH) {
        let events: Vec<_> = batch.iter().map(Input::event).collect::<Result<_, _>>()?;
        let tx = client.transaction().await?;
        let published = publish_many_tx(&tx, &events).await?;
        ensure!(published.iter().all(|answer| answer.is_inserted()), "an input was there already");
        tx.commit().await?;
        ids.extend(events.iter().map(|event| event.id().to_owned()));
    }
    Ok(ids)
}

async fn publish_by_sql(client: &mut Client, inputs: &[Input]) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::with_capacity(inputs.len());
    let publish = prepare(client).await?;
    for batch in inputs.chunks(BATCH) {
        let tx = client.transaction().await?;
        for input in batch {
            let attributes = input.attributes_json();
            let row = tx
                .query_one(
                    &publish,
                    &[
                        &input.event_type,
                        &input.tenant,
                        &input.data,
                        &input.key,
                        &attributes,
                        &input.labels,
                        &input.ordering_key,
                        &input.expires_after(),
                        &input.traceparent,
                    ],
                )
                .await?;
            ensure!(row.get::<_, &str>(1) == "inserted", "SQL answered {}", row.get::<_, &str>(1));
            ids.push(row.get(0));
        }
        tx.commit().await?;
    }
    Ok(ids)
}

async fn prepare(client: &Client) -> anyhow::Result<Statement> {
    let sql = "SELECT event_id, outcome FROM postrider.publish(type => $1, tenant => $2, data => $3::text, key => $4,
                   attributes => $5::text::jsonb, labels => $6, ordering_key => $7,
                   expires_after => $8::text::interval, traceparent => $9)";
    Ok(client.prepare(sql).await?)
}

async fn rows(client: &Client) -> anyhow::Result<Vec<String>> {
    client.batch_execute("SET jit = off; ANALYZE postrider.webhook_events").await?;
    let rows = client.query(ROWS, &[]).await?;
    Ok(rows.iter().map(|row| row.get(1)).collect())
}

/// e2a's formula, computed here from its words.
async fn formula(client: &Client, lines: &mut Lines) -> anyhow::Result<()> {
    let cases: [(&EventType, &[&str], &str); 2] = [
        (&EMAIL_RECEIVED, &["m1"], "m1|email.received"),
        (&EMAIL_BOUNCED, &["m1", "ses1"], "m1|email.bounced|ses1"),
    ];
    let (mut right, mut shown) = (true, Vec::new());
    for (event_type, key, text) in cases {
        let expected = format!("evt_{}", hex::encode(&Sha256::digest(text)[..16]));
        let in_rust = EventId::derive(event_type, key)?;
        let sql = "SELECT postrider.event_id_v1($1, $2)";
        let in_sql: String = client.query_one(sql, &[&event_type.as_str(), &key]).await?.get(0);
        right &= in_rust.as_str() == expected && in_sql == expected;
        shown.push(json!({ "hashed": text, "expected": expected, "rust": in_rust.as_str(), "sql": in_sql }));
    }
    lines.put(
        right,
        "ids-and-rows.formula",
        format!("{} is {}", cases[0].2, shown[0]["rust"].as_str().unwrap_or_default()),
        "evt_ + 32 hex of SHA-256, in Rust and SQL, with two and three parts",
        json!(shown),
    );
    Ok(())
}
