//! The two helpers of a run as real processes: the bare loop posts, the sink counts.
#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_postrider-bench");

struct Sink {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    address: String,
}

impl Sink {
    fn start() -> Self {
        let mut child = Command::new(PROGRAM)
            .arg("sink")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut sink = Self { child, commands, answers, address: String::new() };
        sink.address = sink.line();
        sink
    }

    fn ask(&mut self, command: &str) -> Value {
        writeln!(self.commands, "{command}").unwrap();
        serde_json::from_str(&self.line()).unwrap()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn post(&self, path: &str, in_flight: u32, requests: u32) -> Child {
        Command::new(PROGRAM)
            .arg("bare")
            .arg(format!("http://{}{path}", self.address))
            .args([in_flight.to_string(), requests.to_string()])
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// The sink ends with its standard input.
    fn end(self) {
        let Self { mut child, commands, .. } = self;
        drop(commands);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn every_request_of_the_bare_loop_is_counted_once() {
    let mut sink = Sink::start();
    assert!(sink.post("/hook", 8, 1_000).wait().unwrap().success());
    let tally = sink.ask("wait 1000 5000");
    assert_eq!(tally["count"], 1_000);
    assert!(tally["first_ns"].as_u64() < tally["last_ns"].as_u64());
    assert_eq!(sink.ask("arrivals"), serde_json::json!([]), "nothing is listed unless asked for");
    sink.end();
}

#[test]
fn arrivals_are_listed_by_event_when_asked_for_and_forgotten_at_a_reset() {
    let mut sink = Sink::start();
    assert_eq!(sink.ask("reset true")["count"], 0);
    assert!(sink.post("/hook", 2, 10).wait().unwrap().success());
    let arrivals = sink.ask("arrivals");
    assert_eq!(arrivals.as_array().map(Vec::len), Some(10));
    assert_eq!(arrivals[0][0], "evt_00112233445566778899aabbccddeeff");
    assert_eq!(sink.ask("reset true")["count"], 0);
    assert_eq!(sink.ask("arrivals"), serde_json::json!([]));
    sink.end();
}

#[test]
fn a_hanging_path_is_never_answered_and_not_counted() {
    let mut sink = Sink::start();
    let mut hung = sink.post("/hang", 3, 3);
    let began = std::time::Instant::now();
    let tally = loop {
        let tally = sink.ask("wait 1 50");
        if tally["hung"] == 3 || began.elapsed().as_secs() > 10 {
            break tally;
        }
    };
    assert_eq!((&tally["hung"], &tally["count"]), (&3.into(), &0.into()));
    assert!(hung.try_wait().unwrap().is_none(), "it still waits for an answer");
    hung.kill().unwrap();
    hung.wait().unwrap();
    sink.end();
}
