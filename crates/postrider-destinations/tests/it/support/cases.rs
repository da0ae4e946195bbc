//! The hostile answers of receivers and name servers, each with the verdict that it must get.

use postrider_core::answer::Answer;
use postrider_core::ids::DeliveryId;
use postrider_core::retry::{Schedule, Verdict, decide};
use serde::Deserialize;
use serde_json::Value;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    group: String,
    pub(crate) name: String,
    pub(crate) input: Value,
    expect: Expect,
}

#[derive(Clone, Debug, Deserialize)]
struct Expect {
    verdict: String,
    code: Option<String>,
    retry: Option<bool>,
    not_before_s: Option<u64>,
    uses_schedule: Option<bool>,
}

pub(crate) fn of_group(group: &str) -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../bad_inputs.json")).unwrap();
    cases.into_iter().filter(|case| case.group == group).collect()
}

impl Case {
    /// Compares what came back with the case's verdict, by way of the decision that the daemon would make.
    pub(crate) fn check(&self, answer: &Answer) {
        let what = format!("{} {}: {answer:?}", self.id, self.name);
        let delivery = DeliveryId::floor(1_700_000_000_000);
        let now = jiff::Timestamp::from_second(1_700_000_000).unwrap();
        let schedule = Schedule::default();
        let verdict =
            decide(&schedule, 1, delivery, answer, now, postrider_core::retry::RETRY_AFTER_CEILING);
        match self.expect.verdict.as_str() {
            "attempt_ok" => assert_eq!(verdict, Verdict::Delivered, "{what}"),
            "block" => assert!(matches!(verdict, Verdict::Rejected { .. }), "{what}"),
            "attempt_failed" if self.expect.retry == Some(false) => {
                assert!(matches!(verdict, Verdict::Rejected { .. }), "{what}");
            }
            "attempt_failed" => {
                let Verdict::Retry { after } = verdict else { panic!("{verdict:?} {what}") };
                let least = self.expect.not_before_s.unwrap_or(0);
                assert!(after.as_secs() >= least, "{after:?} {what}");
                if self.expect.uses_schedule == Some(true) {
                    assert_eq!(Some(after), schedule.delay(1, delivery), "{what}");
                }
            }
            other => panic!("unknown verdict {other}"),
        }
        if let Some(code) = &self.expect.code {
            assert_eq!(answer.error.map(|class| class.as_str()), Some(code.as_str()), "{what}");
        }
    }
}
