//! One tenant's key against everything of another, by every operation of the API; and the wall in the database alone.

mod routes;
mod wall;

use serde_json::json;

use super::stage::Stage;
use crate::kit::{Ground, Lines};

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let stage = Stage::set(ground, "isolation").await?;
    let field = routes::Field::fill(&stage).await?;
    let tried = routes::try_all(&stage, &field).await?;
    let walled = wall::try_all(&stage.installation.client().await?).await?;
    stage.end().await?;
    lines.put(
        tried.leaks.is_empty() && tried.unfilled.is_empty() && tried.controls > 0,
        "isolation.routes",
        format!(
            "{} requests over {} operations: {} reached something of another tenant{}; {} of its own answered to itself",
            tried.requests,
            tried.operations,
            tried.leaks.len(),
            tried.leaks.first().map(|first| format!(" ({first})")).unwrap_or_default(),
            tried.controls
        ),
        "every operation of the document with every id: 0",
        json!({ "requests": tried.requests, "operations": tried.operations, "leaks": tried.leaks, "not tried": tried.unfilled,
                "controls": tried.controls }),
    );
    lines.put(
        walled.reached.is_empty() && walled.tables > 5 && walled.with_rows > 5,
        "isolation.row-security",
        format!(
            "{} tables and partitions with a tenant_id, {} of them with rows of both: {} statements, {} reached a row of another{}",
            walled.tables,
            walled.with_rows,
            walled.statements,
            walled.reached.len(),
            walled.reached.first().map(|first| format!(" ({first})")).unwrap_or_default()
        ),
        "SELECT, UPDATE, DELETE without WHERE as the API's role: 0 rows of another, and of anybody without a tenant",
        json!({ "tables": walled.tables, "with rows": walled.with_rows, "statements": walled.statements, "reached": walled.reached,
                "denied": walled.denied }),
    );
    Ok(())
}
