//! Event types, payloads and tenants: through the library, the SQL function and `events publish`.

use postrider::{DEFAULT_TENANT, Event, EventId, EventType, PublishError, publish_tx};
use serde_json::Value;
use tokio_postgres::types::Type;

use super::Judge;
use super::case::{Answer, Case};
use crate::kit::run;

/// What is published in a case.
pub(super) struct Attempt<'a> {
    pub(super) event_type: &'a str,
    /// `None` is SQL's null; the other doors have no such thing.
    pub(super) tenant: Option<&'a str>,
    pub(super) data: &'a str,
    pub(super) id: String,
}

impl<'a> Attempt<'a> {
    pub(super) fn new() -> Self {
        let id = EventId::random().into();
        Self { event_type: "email.sent", tenant: Some(DEFAULT_TENANT), data: "{}", id }
    }
}

pub(super) async fn try_case(judge: &mut Judge, case: &Case) -> anyhow::Result<()> {
    judge.begin(case);
    let text = case.text().unwrap_or_default();
    let field = if case.group == "payload" { "data" } else { "type" };
    for door in ["library", "SQL", "command"] {
        let mut attempt = Attempt::new();
        if case.group == "payload" {
            attempt.data = text;
        } else {
            attempt.event_type = text;
        }
        try_door(judge, case, door, field, &attempt).await?;
    }
    Ok(())
}

/// Tries one door, if the attempt can pass it at all.
pub(super) async fn try_door(
    judge: &mut Judge,
    case: &Case,
    door: &str,
    field: &str,
    attempt: &Attempt<'_>,
) -> anyhow::Result<()> {
    let before = judge.stored().await?;
    let answer = match door {
        "library" => by_library(judge, attempt).await?,
        "SQL" => by_sql(judge, attempt).await?,
        _ => by_command(judge, attempt).await?,
    };
    let Some(answer) = answer else { return Ok(()) };
    let grown = judge.stored().await? - before;
    let answer = match answer {
        // What was stored is what counts, and of it the part that was tried.
        Answer::Accepted { .. } if case.group == "payload" => {
            Answer::Accepted { stored: Some(stored_data(judge, &attempt.id).await?) }
        }
        other => other,
    };
    judge.answered(case, door, field, &answer, grown);
    Ok(())
}

async fn stored_data(judge: &Judge, id: &str) -> anyhow::Result<String> {
    let sql = "SELECT envelope FROM postrider.webhook_events WHERE id = $1";
    let envelope: String = judge.client.query_one(sql, &[&id]).await?.get(0);
    let data = envelope.split_once("\",\"data\":").map_or("", |(_, data)| data);
    Ok(data.strip_suffix('}').unwrap_or_default().to_owned())
}

async fn by_library(judge: &mut Judge, attempt: &Attempt<'_>) -> anyhow::Result<Option<Answer>> {
    let Some(tenant) = attempt.tenant else { return Ok(None) };
    let event_type = match EventType::parse(attempt.event_type) {
        Ok(event_type) => event_type,
        Err(fault) => return Ok(Some(Answer::Refused { message: fault.to_string() })),
    };
    let event = Event::new(event_type, tenant).id(attempt.id.as_str()).data_text(attempt.data);
    let tx = judge.client.transaction().await?;
    Ok(Some(match publish_tx(&tx, &event).await {
        Ok(published) => {
            tx.commit().await?;
            anyhow::ensure!(published.is_inserted(), "{published:?}");
            Answer::Accepted { stored: None }
        }
        Err(error @ PublishError::Invalid(_)) => Answer::Refused { message: with_causes(&error) },
        Err(error) => return Err(error.into()),
    }))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

async fn by_sql(judge: &Judge, attempt: &Attempt<'_>) -> anyhow::Result<Option<Answer>> {
    // No text of PostgreSQL holds a NUL byte: the statement itself is refused, before any function of ours.
    if attempt.event_type.contains('\0') || attempt.data.contains('\0') {
        return Ok(None);
    }
    let sql = "SELECT outcome FROM postrider.publish(type => $1, tenant => $2, data => $3::text, id => $4)";
    let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] = [
        (&attempt.event_type, Type::TEXT),
        (&attempt.tenant, Type::TEXT),
        (&attempt.data, Type::TEXT),
        (&attempt.id, Type::TEXT),
    ];
    Ok(Some(match judge.client.query_typed(sql, &parameters).await {
        Ok(_) => Answer::Accepted { stored: None },
        Err(error) => match error.as_db_error() {
            Some(refusal) => Answer::Refused {
                message: format!("{} [{}]", refusal.message(), refusal.code().code()),
            },
            None => return Err(error.into()),
        },
    }))
}

async fn by_command(judge: &Judge, attempt: &Attempt<'_>) -> anyhow::Result<Option<Answer>> {
    let Some(tenant) = attempt.tenant else { return Ok(None) };
    if attempt.event_type.contains('\0') {
        return Ok(None); // no argument of a program holds one
    }
    std::fs::write(judge.installation.folder.join("data.json"), attempt.data)?;
    let arguments = [
        "events",
        "publish",
        "--json",
        "--tenant",
        tenant,
        "--data",
        "@data.json",
        "--id",
        &attempt.id,
        "--",
        attempt.event_type,
    ];
    let ran = run(judge.installation.command(&arguments), "postrider events publish").await?;
    if ran.exit == Some(0) {
        return Ok(Some(Answer::Accepted { stored: None }));
    }
    let message = match serde_json::from_str::<Value>(&ran.err) {
        Ok(error) => format!("{} {}", error["error"]["what"], error["error"]["why"]),
        Err(_) => ran.err,
    };
    Ok(Some(Answer::Refused { message: format!("{message} [exit {:?}]", ran.exit) }))
}
