//! Each kind of secret is a text of its own; then everything that can go wrong with it is made to. None of them is in a log, an
//! error, a metric, an answer, or unsealed in the database; nor are those of the lines before this one in anything that the whole
//! run said. The same search finds every one that is planted in a control log.

mod grep;
mod stage;
mod trouble;

use anyhow::Context as _;
use serde_json::json;

use crate::kit::{Evidence, Ground, Lines};
use grep::Canary;
use stage::Stage;

/// The installation of this line.
const NAME: &str = "canary";

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let mut stage = Stage::set(ground).await?;
    stage.endpoints().await?;
    stage.mistakes().await?;
    stage.proxy().await?;
    stage.deliver().await?;
    stage.questions().await?;
    let (mut canaries, mut texts) = stage.end().await?;
    let (kinds, evidence) = (canaries.len(), ground.evidence());
    // What the lines before this one used as secrets, and what they said.
    let others = evidence.secrets().into_iter().filter(|(installation, _)| installation != NAME);
    canaries.extend(others.map(|(_, text)| Canary::new("secret of another line", text)));
    let logs = evidence.texts()?;
    let (own, files) = (texts.len(), logs.len());
    texts.extend(logs);

    let found = search(&canaries, &texts);
    // A search that finds nothing where there is something would prove nothing.
    let (planted, missed) = plant(&canaries, evidence)?;
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let mut figure = format!(
        "{kinds} kinds of secrets and {} of other lines, {} found in {own} answers and pages and {files} logs of the whole run, \
         {} KiB; {} of {planted} planted ones found",
        canaries.len() - kinds,
        found.len(),
        bytes / 1024,
        planted - missed,
    );
    if !found.is_empty() {
        figure = format!("{figure}: {}", found.join(", "));
    }
    let figures = json!({
        "kinds": canaries[..kinds].iter().map(|canary| canary.kind).collect::<Vec<_>>(),
        "of_other_lines": canaries.len() - kinds,
        "places": texts.iter().map(|(place, _)| place).collect::<Vec<_>>(),
        "bytes": bytes, "found": found, "planted": planted, "missed": missed,
    });
    let passed = found.is_empty() && missed == 0 && bytes > 10_000;
    lines.put(passed, "canary", figure, "0 found, all planted ones found", figures);
    Ok(())
}

/// Which secrets are in which texts.
fn search(canaries: &[Canary], texts: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for canary in canaries {
        let forms = canary.forms();
        for (place, text) in texts {
            if forms.iter().any(|form| text.contains(form.as_str())) {
                found.push(format!("{} in {place}", canary.kind));
            }
        }
    }
    found
}

/// Plants every form of every secret in a log of its own among the others, each in a line, and looks for it there as everywhere:
/// how many were planted, and how many were missed.
fn plant(canaries: &[Canary], evidence: &Evidence) -> anyhow::Result<(usize, usize)> {
    const CONTROL: &str = "control";
    for form in canaries.iter().flat_map(Canary::forms) {
        evidence.keep(CONTROL, &format!("INFO control: a line with {form} in it"))?;
    }
    let control = evidence.texts()?.into_iter().find(|(name, _)| name == "control.log");
    let (_, control) = control.context("the control log")?;
    let (mut planted, mut missed) = (0, 0);
    for canary in canaries {
        for form in canary.forms() {
            planted += 1;
            let line = control.lines().find(|line| line.contains(&format!(" {form} ")));
            missed += usize::from(line.is_none_or(|line| canary.found_in(line) == 0));
        }
    }
    Ok((planted, missed))
}
