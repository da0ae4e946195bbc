//! Talks with a child process of this program: commands go in as lines, answers come back as JSON lines.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long an answer may take, unless its end is what is waited for.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A child that listens. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Talk {
    name: String,
    /// Killed when this is dropped.
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Talk {
    /// Starts this program again with other arguments. What it says on the error output goes to a log in `folder`.
    pub(crate) fn start(name: &str, arguments: &[&str], folder: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::of(name, command, folder)
    }

    /// Starts any program that talks so.
    pub(crate) fn of(name: &str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join(format!("{name}.log")))?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else { bail!("{name} has no pipes") };
        let output = BufReader::new(output).lines();
        Ok(Self { name: name.to_owned(), child, input, output })
    }

    /// Its process id, while it lives.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Says something that has no answer.
    pub(crate) async fn say(&mut self, line: &str) -> anyhow::Result<()> {
        let doing = || format!("tell {} {line:?}", self.name);
        self.input.write_all(format!("{line}\n").as_bytes()).await.with_context(doing)
    }

    /// Says something and reads the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self, line: &str) -> anyhow::Result<T> {
        self.say(line).await?;
        self.hear(ANSWER_LIMIT).await
    }

    /// Reads the next line that it says.
    pub(crate) async fn hear<T: DeserializeOwned>(&mut self, limit: Duration) -> anyhow::Result<T> {
        let line = tokio::time::timeout(limit, self.output.next_line()).await;
        match line.map_err(|_| anyhow!("{} says nothing", self.name))?? {
            Some(line) => serde_json::from_str(&line)
                .with_context(|| format!("understand what {} said: {line:?}", self.name)),
            None => bail!("{} ended without an answer", self.name),
        }
    }
}

/// Says something to who started this process.
pub(crate) fn answer(what: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(what)?)?;
    Ok(out.flush()?)
}
