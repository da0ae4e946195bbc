//! Runs the real binary in an environment that a test chooses whole.

use std::process::Stdio;
use std::time::Duration;

use postrider_testkit::TestDb;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

/// A master key for tests.
pub(crate) const MASTER_KEY: &str =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
/// No command of a test takes longer.
const LIMIT: Duration = Duration::from_secs(90);

/// A way to call the binary: a working directory of its own and no variables but those given.
pub(crate) struct Cli {
    pub(crate) folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What a finished process left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Cli {
    /// Knows no database.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut environment = Vec::new();
        for name in ["PATH", "POSTRIDER_PG_BIN_DIR"] {
            if let Ok(value) = std::env::var(name) {
                environment.push((name.to_owned(), value));
            }
        }
        environment.push(("HOME".to_owned(), folder.path().display().to_string()));
        Self { folder, environment }
    }

    /// Uses this database, with a master key.
    pub(crate) fn at(db: &TestDb) -> Self {
        Self::new()
            .with("POSTRIDER_DATABASE_URL", db.url())
            .with("POSTRIDER_MASTER_KEY", MASTER_KEY)
    }

    /// The same with one more variable, or another value for it.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file in the working directory; its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("a file can be written");
        path.display().to_string()
    }

    /// Runs one command line to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        self.run_with_input(args, "").await
    }

    /// The same, with something on standard input.
    pub(crate) async fn run_with_input(&self, args: &[&str], input: &str) -> Ran {
        let mut child = self.command(args).spawn().expect("the binary can be started");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        // A process that reads nothing closes the pipe.
        drop(stdin.write_all(input.as_bytes()).await);
        drop(stdin);
        finished(child, args).await
    }

    /// Starts a command that goes on by itself.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let mut child = self.command(args).spawn().expect("the binary can be started");
        drop(child.stdin.take());
        child
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
        command.args(args).env_clear().envs(self.environment.iter().cloned());
        command.current_dir(self.folder.path()).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Waits for the end of a process.
pub(crate) async fn finished(child: Child, args: &[&str]) -> Ran {
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
    let output =
        output.unwrap_or_else(|_| panic!("{args:?} does not end")).expect("it can be waited for");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        err: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// Asks a process to stop, as an init system does.
pub(crate) fn terminate(child: &Child) {
    let pid = child.id().expect("it runs").to_string();
    let sent = std::process::Command::new("kill").args(["-TERM", &pid]).status();
    assert!(sent.expect("kill can be started").success());
}

impl Ran {
    /// Demands this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\nstdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// Demands a text on stderr.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is not in:\n{}", self.err);
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error} in {:?}\nstderr: {}", self.out, self.err))
    }
}
