//! A closed switch: nothing is published, the caller commits, and what was there before goes on draining.

use std::time::Duration;

use postrider::{Published, checked_commit, publish_tx};
use serde_json::json;

use super::{CALLERS_ROW, Observer, TENANT, event};
use crate::kit::{Installation, Lines, Sink};

const EARLIER: usize = 100;

pub(super) async fn prove(
    installation: &mut Installation,
    observer: &Observer,
    lines: &mut Lines,
) -> anyhow::Result<()> {
    let mut sink = Sink::start(&installation.folder).await?;
    installation.add_endpoint(&sink.base, "all", TENANT, "*", &[]).await?;
    for number in 0..EARLIER {
        let _ = publish(installation, &format!("earlier-{number}")).await?;
    }
    let mut shut = Vec::new();
    for scope in [&[][..], &["--tenant", TENANT], &["--type", "email.sent"]] {
        let id = format!("closed{}", scope.first().unwrap_or(&"-everything"));
        installation.succeed(&[&["switch", "off"], scope].concat()).await?;
        let from_rust = publish(installation, &id).await?;
        let sql =
            "SELECT outcome FROM postrider.publish(type => 'email.sent', tenant => $1, id => $2)";
        let by_sql: String = observer.0.query_one(sql, &[&TENANT, &id]).await?.get(0);
        let (row, there) = (observer.has_row(&id).await?, observer.has_event(&id).await?);
        if scope.is_empty() {
            // It stays closed while the earlier events drain.
            let worker = installation.worker(&[]).await?;
            installation.drained(Duration::from_secs(30)).await?;
            worker.stop().await?;
        }
        installation.succeed(&[&["switch", "on"], scope].concat()).await?;
        shut.push(from_rust == Published::Disabled && by_sql == "disabled" && row && !there);
    }
    let reopened = publish(installation, "reopened").await? == Published::Inserted;
    let arrived = sink.state().await?.count;
    let good = shut.iter().filter(|shut| **shut).count();
    lines.put(
        good == shut.len() && reopened && arrived == EARLIER as u64,
        "promises.switch",
        format!(
            "{good} of {} closed switches answered Disabled with the caller's row committed and no event; \
             {arrived} of {EARLIER} earlier events arrived meanwhile",
            shut.len()
        ),
        "installation, tenant and type; all earlier events drain",
        json!({ "shut": shut, "reopened": reopened, "earlier": EARLIER, "arrived": arrived }),
    );
    Ok(())
}

/// Publishes one event beside a row of the caller's, and commits.
async fn publish(installation: &Installation, id: &str) -> anyhow::Result<Published> {
    let mut client = installation.client().await?;
    let tx = client.transaction().await?;
    tx.execute(CALLERS_ROW, &[&id]).await?;
    let published = publish_tx(&tx, &event(id)).await?;
    checked_commit(tx).await?;
    Ok(published)
}
