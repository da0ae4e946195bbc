//! Starts a server and waits until it answers; stops one.
//! Writes the server's log. Next: `lib` decides who starts, who adopts and who stops.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::cluster::last_lines;
use crate::error::EmbeddedPgError;
use crate::layout::{Layout, PORT, socket_in};
use crate::postmaster::{self, PidFile, Survey, survey};
use crate::session::{Answer, Door};

/// Crash recovery of a busy server may take minutes; a server that has ended is noticed at once.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(300);
/// How long children of a killed postmaster may take to notice.
const ORPHANS_LIMIT: Duration = Duration::from_secs(60);
/// How long a fast stop, with its last checkpoint, may take before the server is stopped without one.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How long that may take then.
const IMMEDIATE_LIMIT: Duration = Duration::from_secs(10);

/// How often to look.
const PAUSE: Duration = Duration::from_millis(5);

/// How a server of ours is set up, beside what the caller wants.
pub(crate) fn settings(durable: bool, wanted: &[(String, String)]) -> Vec<(String, String)> {
    let mut settings = vec![
        ("log_checkpoints", "off"),
        ("log_timezone", "UTC"),
        ("timezone", "UTC"),
        ("logging_collector", "off"),
    ];
    if durable {
        settings.extend([("fsync", "on"), ("full_page_writes", "on")]);
    } else {
        settings.extend([
            ("fsync", "off"),
            ("full_page_writes", "off"),
            ("wal_level", "minimal"),
            ("max_wal_senders", "0"),
            ("max_connections", "300"),
        ]);
    }
    let mut settings: Vec<(String, String)> =
        settings.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    settings.extend_from_slice(wanted);
    settings
}

/// Waits until nothing is left of a server whose postmaster was killed, and clears away what it left in the files.
/// Returns the server instead, if one runs.
pub(crate) async fn clear(layout: &Layout) -> Result<Option<PidFile>, EmbeddedPgError> {
    let begun = Instant::now();
    loop {
        match survey(&layout.pgdata) {
            Survey::Up(file) => return Ok(Some(file)),
            Survey::Orphans(pids) if begun.elapsed() > ORPHANS_LIMIT => {
                let what = format!(
                    "the processes {pids:?} of a killed server in {} to end",
                    layout.pgdata.display()
                );
                return Err(EmbeddedPgError::TimedOut { what, seconds: ORPHANS_LIMIT.as_secs() });
            }
            Survey::Orphans(_) => sleep(PAUSE).await,
            Survey::Down { misleading_pid_file } => {
                if misleading_pid_file {
                    tracing::info!(path = %layout.pgdata.display(), "removing the postmaster.pid of a dead server: another process has its number");
                    let _ = std::fs::remove_file(layout.pgdata.join("postmaster.pid"));
                }
                return Ok(None);
            }
        }
    }
}

/// Starts the server and waits until it answers.
pub(crate) async fn start(
    layout: &Layout,
    account: &Account,
    binaries: &Binaries,
    settings: &[(String, String)],
    socket_dir: &Path,
) -> Result<(Child, Door), EmbeddedPgError> {
    // No server runs, so these are left from one that was killed, and their numbers may mislead as well.
    let socket = socket_in(socket_dir);
    for left in [socket.with_extension(format!("{PORT}.lock")), socket] {
        let _ = std::fs::remove_file(left);
    }
    let mut log = layout.open_log()?;
    let printed_before = log.seek(SeekFrom::End(0)).unwrap_or_default();
    let failed = |detail: String| EmbeddedPgError::StartFailed { detail, log: layout.log.clone() };
    let (stdout, stderr) = (log.try_clone(), log.try_clone());
    let (Ok(stdout), Ok(stderr)) = (stdout, stderr) else {
        return Err(failed("too few file descriptors".to_owned()));
    };
    let mut command = Command::from(account.command(&binaries.dir.join("postgres")));
    command.arg("-D").arg(&layout.pgdata);
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let listed = format!("\"{}\"", socket_dir.display().to_string().replace('"', "\"\""));
    command.arg("-c").arg(format!("unix_socket_directories={listed}"));
    command
        .args(["-c", "unix_socket_permissions=0700", "-c", "listen_addresses="])
        .arg("-p")
        .arg(PORT.to_string());
    // A process group of its own: Ctrl-C in our terminal is ours to turn into an orderly stop.
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0).kill_on_drop(false);
    let mut child = command.spawn().map_err(|e| failed(format!("postgres cannot be run: {e}")))?;

    let door = Door::new(socket_dir, PORT);
    let ended = tokio::select! {
        answer = wait_for_answer(&door, &layout.pgdata) => return answer.map(|()| (child, door)),
        ended = child.wait() => ended,
    };
    let status = ended.map_or_else(|e| e.to_string(), |s| s.to_string());
    let printed = printed_since(layout, printed_before);
    Err(failed(format!("the server ended ({status}): {}", last_lines(&printed, 3))))
}

/// Waits until the server behind `door` answers and says that its cluster is `pgdata`.
pub(crate) async fn wait_for_answer(door: &Door, pgdata: &Path) -> Result<(), EmbeddedPgError> {
    let begun = Instant::now();
    let (mut said_at, mut pause) = (begun, PAUSE);
    loop {
        match door.ask().await? {
            Answer::Cluster(dir) if dir == pgdata => return Ok(()),
            Answer::Cluster(dir) => {
                let what = format!(
                    "{} to answer on {}, where {} answers",
                    pgdata.display(),
                    door.url_of("postgres"),
                    dir.display()
                );
                return Err(EmbeddedPgError::TimedOut { what, seconds: begun.elapsed().as_secs() });
            }
            Answer::NotYet => {}
        }
        if begun.elapsed() > START_LIMIT {
            let what = format!("the server in {} to answer", pgdata.display());
            return Err(EmbeddedPgError::TimedOut { what, seconds: START_LIMIT.as_secs() });
        }
        if said_at.elapsed() > Duration::from_secs(10) {
            said_at = Instant::now();
            tracing::info!(path = %pgdata.display(), waited_s = begun.elapsed().as_secs(), "the private PostgreSQL server is still starting");
        }
        sleep(pause).await;
        pause = (pause * 2).min(8 * PAUSE); // each question costs a recovering server a process
    }
}

/// Stops the server that runs in `pgdata`, if one does: sessions are ended, what is committed is kept.
pub(crate) async fn stop(pgdata: &Path, mut child: Option<Child>) -> Result<(), EmbeddedPgError> {
    let Survey::Up(PidFile { pid, .. }) = survey(pgdata) else { return Ok(()) };
    for (how, limit) in [(Signal::INT, STOP_LIMIT), (Signal::QUIT, IMMEDIATE_LIMIT)] {
        match postmaster::signal(pid, how) {
            Ok(()) => {}
            Err(_) if !is_up(pgdata) => return Ok(()),
            Err(source) => return Err(EmbeddedPgError::Signal { pid, source }),
        }
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(child) = &mut child {
                let _ = child.try_wait(); // so that it does not stay behind as a dead process
            }
            if !is_up(pgdata) {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        tracing::warn!(pid, "the private PostgreSQL server has not stopped in time");
    }
    let what = format!("the server process {pid} to end");
    Err(EmbeddedPgError::TimedOut { what, seconds: (STOP_LIMIT + IMMEDIATE_LIMIT).as_secs() })
}

fn is_up(pgdata: &Path) -> bool {
    matches!(survey(pgdata), Survey::Up(_))
}

fn printed_since(layout: &Layout, position: u64) -> String {
    let mut text = Vec::new();
    if let Ok(mut log) = std::fs::File::open(&layout.log) {
        let _ = log
            .seek(SeekFrom::Start(position))
            .and_then(|_| log.take(64 * 1024).read_to_end(&mut text));
    }
    String::from_utf8_lossy(&text).into_owned()
}
