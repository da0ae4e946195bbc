//! The publisher processes of a campaign.

use std::time::Duration;

use super::{Plan, TENANTS};
use crate::child::publisher::Report;
use crate::kit::{Installation, Talk};

const PROCESSES: u64 = 4;
/// How long they may take when they need not wait any more.
const FINISH_LIMIT: Duration = Duration::from_secs(600);

/// Publishers at work.
pub(super) struct Publishers(Vec<Talk>);

impl Publishers {
    /// Starts them so that they are busy for about `time`.
    pub(super) fn start(
        installation: &Installation,
        plan: &Plan,
        time: Duration,
    ) -> anyhow::Result<Self> {
        let share = plan.events / PROCESSES;
        // One transaction in ten is rolled back, and each takes a while by itself.
        let transactions = u32::try_from(share * 10 / 9)?.max(1);
        let gap = (time / transactions).saturating_sub(Duration::from_millis(2));
        let mut processes = Vec::new();
        for number in 0..PROCESSES {
            let events = if number == 0 { share + plan.events % PROCESSES } else { share };
            let name = format!("publisher-{number}");
            let journal = installation.folder.join(format!("{name}.jsonl"));
            let arguments = [
                ("--url", installation.server.url().to_owned()),
                ("--journal", journal.display().to_string()),
                ("--name", format!("p{number}")),
                ("--events", events.to_string()),
                ("--tenants", TENANTS.join(",")),
                ("--gap", gap.as_micros().to_string()),
                ("--seed", (plan.seed + number).to_string()),
            ];
            let mut words = vec!["publisher"];
            words.extend(arguments.iter().flat_map(|(option, value)| [*option, value.as_str()]));
            processes.push(Talk::start(&name, &words, &installation.folder)?);
        }
        Ok(Self(processes))
    }

    /// Lets them do the rest without gaps, waits for their end, and adds up what they did.
    pub(super) async fn finish(&mut self) -> anyhow::Result<Report> {
        for publisher in &mut self.0 {
            // One that has ended already does not listen any more.
            let _ = publisher.say("hurry").await;
        }
        let mut sum = Report::default();
        for publisher in &mut self.0 {
            let report: Report = publisher.hear(FINISH_LIMIT).await?;
            sum.committed += report.committed;
            sum.rolled_back += report.rolled_back;
            sum.in_doubt += report.in_doubt;
            sum.interrupted += report.interrupted;
        }
        Ok(sum)
    }
}
