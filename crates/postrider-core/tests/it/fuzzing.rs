//! The fuzz target for filters on the stable compiler: its corpus, and random changes to it.

use std::collections::HashMap;
use std::path::Path;

use crate::filter_body::{Came, run};

/// How many changed inputs are tried.
const TRIES: usize = 20_000;

/// What filters and events are made of.
const PIECES: [&str; 34] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "*",
    "null",
    "true",
    "false",
    "0",
    "-1",
    "2.5",
    "1e400",
    "\n",
    " ",
    "é",
    "\"$or\":[",
    "\"data\":{",
    "\"attributes\":{",
    "\"labels\":[",
    "\"type\":[",
    "\"a\":",
    "\"x\"",
    "{\"prefix\":\"a\"}",
    "{\"suffix\":{\"equals-ignore-case\":\"X\"}}",
    "{\"wildcard\":\"a*\"}",
    "{\"anything-but\":[\"a\"]}",
    "{\"numeric\":[\"<\",1]}",
    "{\"exists\":false}",
    "{\"cidr\":\"::/0\"}",
    "\\ud83d",
];

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/filter");
    let files = std::fs::read_dir(folder).expect("the corpus is there");
    let mut inputs: Vec<_> = files
        .map(|file| file.expect("readable").path())
        .map(|path| (path.display().to_string(), std::fs::read(path).expect("readable")))
        .collect();
    inputs.sort();
    inputs
}

/// Random numbers, the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).expect("small")).expect("small")
    }
}

/// One change: a piece put in, a byte or a stretch taken out, or a stretch of another input put in.
fn change(input: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    match dice.below(4) {
        0 => drop(input.splice(at..at, PIECES[dice.below(PIECES.len())].bytes())),
        1 => {
            let end = (at + 1 + dice.below(4)).min(input.len());
            drop(input.drain(at.min(end)..end));
        }
        2 => {
            let end = (at + dice.below(20)).min(input.len());
            let stretch = input[at..end].to_vec();
            drop(input.splice(at..at, stretch));
        }
        _ => {
            let from = dice.below(other.len());
            let end = (from + dice.below(40)).min(other.len());
            drop(input.splice(at..at, other[from..end].iter().copied()));
        }
    }
}

#[test]
fn every_input_of_the_corpus_comes_through() {
    let mut came = HashMap::new();
    for (name, input) in corpus() {
        came.insert(name.rsplit('/').next().unwrap_or("").to_owned(), run(&input));
    }
    assert!(came.len() >= 16, "{came:?}");
    for matching in
        ["empty", "exact", "short", "ends", "wildcard", "numeric", "cidr", "nested", "or-ok"]
    {
        assert_eq!(came[matching], Came::ToAnswer(true), "{matching}");
    }
    assert_eq!((came["refused"], came["deep"]), (Came::ToRefusal, Came::ToRefusal));
}

#[test]
fn random_changes_of_the_corpus_break_nothing() {
    let (inputs, mut dice) = (corpus(), Dice(0x9e37_79b9_7f4a_7c15));
    let (mut refused, mut answered) = (0, [0, 0]);
    for _ in 0..TRIES {
        let (_, first) = &inputs[dice.below(inputs.len())];
        let (mut input, (_, other)) = (first.clone(), &inputs[dice.below(inputs.len())]);
        for _ in 0..=dice.below(3) {
            change(&mut input, other, &mut dice);
        }
        match run(&input) {
            Came::Nowhere => {}
            Came::ToRefusal => refused += 1,
            Came::ToAnswer(matched) => answered[usize::from(matched)] += 1,
        }
    }
    let least = TRIES / 100;
    assert!(
        refused > least && answered.iter().all(|count| *count > least),
        "{refused} {answered:?}"
    );
}
