//! What the database can do to us: not be there, be another, be read-only, have the wrong schema, or be full. One clear
//! message, patience where that makes sense, exit code 69 or 78 where not; and nothing is lost.

mod commands;
mod disk;
mod patience;

use crate::kit::{Ground, Lines};

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    commands::prove(ground, lines).await?;
    patience::late_server(ground, lines).await?;
    patience::read_only(ground, lines).await?;
    disk::prove(ground, lines).await
}
