//! A receiver process: journals what arrives, verifies its signature, and answers as it is told.
//! Reads commands from standard input and answers there; ends when its input does.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context as _, bail};
use postrider_core::signing::{Secret, verify};
use postrider_testkit::{Behaviour, Received, Receiver};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::kit::{Dice, Listening, SinkState, answer};

/// Options of a receiver process.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where arrivals and answers are written down
    #[arg(long)]
    journal: PathBuf,
}

/// How far the clocks of sender and receiver may be apart: they are one.
const TOLERANCE: Duration = Duration::from_secs(60);

/// How answers are given.
#[derive(Debug, Default)]
struct Manners {
    secrets: HashMap<String, Secret>,
    hold: Duration,
    /// Of a thousand first requests so many are answered with this status.
    fail_first: (u64, u16),
    /// Of a thousand requests so many are answered with this status.
    fail: (u64, u16),
    seen: HashSet<(String, String)>,
    unsigned: u64,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let receiver = Receiver::options().journal(&options.journal).start().await;
    let manners = Arc::new(Mutex::new(Manners::default()));
    let theirs = Arc::clone(&manners);
    let dice = Mutex::new(Dice::new(u64::from(receiver.address().port())));
    receiver.behave_by_default(Behaviour::ask(move |request| {
        let lot = dice.lock().expect("nobody panics with this lock").below(1_000);
        lock(&theirs).answer(request, lot)
    }));
    answer(&Listening { base: receiver.url("").trim_end_matches('/').to_owned() })?;

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["state"] => {
                let unsigned = lock(&manners).unsigned;
                answer(&SinkState { open: receiver.open(), count: receiver.count(), unsigned })?;
                receiver.forget(); // it is in the journal
            }
            ["hold", wait] => lock(&manners).hold = Duration::from_millis(wait.parse()?),
            ["fail-first", share, status] => {
                lock(&manners).fail_first = (share.parse()?, status.parse()?);
            }
            ["fail", share, status] => {
                lock(&manners).fail = (share.parse()?, status.parse()?);
            }
            ["secret", token, secret] => {
                let secret = Secret::parse(secret).context("read a secret")?;
                lock(&manners).secrets.insert(token.to_owned(), secret);
            }
            _ => bail!("no command: {line}"),
        }
    }
    Ok(())
}

fn lock(manners: &Mutex<Manners>) -> MutexGuard<'_, Manners> {
    manners.lock().expect("nobody panics with this lock")
}

impl Manners {
    fn answer(&mut self, request: &Received, lot: u64) -> Behaviour {
        let token = request.path.rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(secret) = self.secrets.get(&token)
            && !is_signed(request, secret)
        {
            self.unsigned += 1;
        }
        let first = self.seen.insert((token, request.id().to_owned()));
        let (share, status) = self.fail_first;
        let status = if lot < self.fail.0 {
            self.fail.1
        } else if first && lot < share {
            status
        } else {
            200
        };
        if self.hold.is_zero() {
            Behaviour::status(status)
        } else {
            Behaviour::Delay(self.hold, Box::new(Behaviour::status(status)))
        }
    }
}

fn is_signed(request: &Received, secret: &Secret) -> bool {
    #[expect(clippy::disallowed_methods, reason = "a receiver has its own clock")]
    let now = jiff::Timestamp::now();
    let (id, timestamp) = (request.id(), request.header("webhook-timestamp"));
    let signature = request.header("webhook-signature");
    let secrets = std::slice::from_ref(secret);
    verify(secrets, id, timestamp, signature, &request.body, now, TOLERANCE).is_ok()
}
