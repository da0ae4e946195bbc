//! What is known of a server from outside: its `postmaster.pid` and its processes.
//! Reads `postmaster.pid`, `postmaster.opts` and `/proc`; writes nothing. Next: `server` decides what to do about it.
//!
//! A process id alone proves little: it may belong to somebody else by now (in a container soon after a restart), or to
//! a dead process that nobody has waited for. So where there is a `/proc`, a server process is one that stands in the
//! cluster's folder, as every process of a server does.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};

/// The lines of `postmaster.pid` that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PidFile {
    pub(crate) pid: u32,
    pub(crate) port: u16,
    pub(crate) socket_dir: PathBuf,
}

impl PidFile {
    pub(crate) fn read(pgdata: &Path) -> Option<PidFile> {
        PidFile::parse(&std::fs::read_to_string(pgdata.join("postmaster.pid")).ok()?)
    }

    /// Lines: process id, data directory, start time, port, socket folder, and more. A server that has just begun to
    /// start has not written them all.
    fn parse(text: &str) -> Option<PidFile> {
        let lines: Vec<&str> = text.lines().collect();
        let pid = lines.first()?.trim().parse().ok()?;
        let port = lines.get(3).and_then(|l| l.trim().parse().ok()).unwrap_or_default();
        let socket_dir = lines.get(4).copied().unwrap_or_default().into();
        Some(PidFile { pid, port, socket_dir })
    }
}

/// What there is of a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Survey {
    /// Nothing runs. `pid_file` says that a file is left behind whose number is in use by somebody else, which keeps
    /// PostgreSQL from starting until the file is gone.
    Down { misleading_pid_file: bool },
    /// The postmaster runs.
    Up(PidFile),
    /// The postmaster is dead, and these of its children have not noticed yet. No server may start beside them.
    Orphans(Vec<u32>),
}

/// Looks at the cluster in `pgdata`.
pub(crate) fn survey(pgdata: &Path) -> Survey {
    let file = PidFile::read(pgdata);
    let processes = processes(pgdata);
    match file {
        Some(file) if processes.contains(&file.pid) || is_server_by_name(file.pid, pgdata) => {
            Survey::Up(file)
        }
        _ if !processes.is_empty() => Survey::Orphans(processes),
        Some(file) => Survey::Down { misleading_pid_file: exists(file.pid) },
        None => Survey::Down { misleading_pid_file: false },
    }
}

/// The live processes of the server whose cluster is `pgdata`, as far as we may see them.
pub(crate) fn processes(pgdata: &Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbered = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    let mut found: Vec<u32> =
        numbered.filter(|pid| stands_in(*pid, pgdata) && is_live(*pid)).collect();
    found.sort_unstable();
    found
}

/// The program that runs the server, from the command line it left in `postmaster.opts`.
pub(crate) fn program(pgdata: &Path) -> Option<PathBuf> {
    let line = std::fs::read_to_string(pgdata.join("postmaster.opts")).ok()?;
    let program = line.split(" \"").next().map(str::trim).filter(|p| p.starts_with('/'))?;
    Some(PathBuf::from(program))
}

/// Sends a signal to a server process.
pub(crate) fn signal(pid: u32, signal: Signal) -> std::io::Result<()> {
    let pid =
        i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(std::io::ErrorKind::InvalidInput)?;
    rustix::process::kill_process(pid, signal).map_err(Into::into)
}

fn stands_in(pid: u32, dir: &Path) -> bool {
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == dir)
}

/// For where we may not see in which folder a process stands: a postmaster names its cluster on its command line.
fn is_server_by_name(pid: u32, pgdata: &Path) -> bool {
    if !Path::new("/proc/self").exists() {
        return exists(pid);
    }
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let wanted = pgdata.as_os_str().as_encoded_bytes();
    line.split(|byte| *byte == 0).any(|argument| argument == wanted) && is_live(pid)
}

/// Whether the process runs, as opposed to one that is dead and not waited for. The state follows the name, which is in
/// parentheses and may hold some itself.
fn is_live(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    state.is_some_and(|s| !matches!(s, 'Z' | 'X' | 'x'))
}

fn exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_pid_file_is_read_whole_or_half_written() {
        let whole =
            "812\n/data/pgdata\n1700000000\n5432\n/data/socket\n\n  5432001 32768\nready   \n";
        let expected = PidFile { pid: 812, port: 5432, socket_dir: PathBuf::from("/data/socket") };
        assert_eq!(PidFile::parse(whole), Some(expected));
        assert_eq!(
            PidFile::parse("812\n/data/pgdata\n"),
            Some(PidFile { pid: 812, port: 0, socket_dir: PathBuf::new() })
        );
        assert_eq!(PidFile::parse(""), None);
        assert_eq!(PidFile::parse("soon\n"), None);
    }

    #[test]
    fn a_number_taken_by_another_process_is_no_server() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(survey(dir.path()), Survey::Down { misleading_pid_file: false });
        std::fs::write(dir.path().join("postmaster.pid"), format!("{}\n", std::process::id()))
            .unwrap();
        assert_eq!(survey(dir.path()), Survey::Down { misleading_pid_file: true });
        std::fs::write(dir.path().join("postmaster.pid"), "4194303\n").unwrap();
        assert_eq!(survey(dir.path()), Survey::Down { misleading_pid_file: false });
    }

    #[test]
    fn processes_that_stand_in_the_cluster_are_orphans_until_they_end() {
        let dir = tempfile::tempdir().unwrap();
        let pgdata = dir.path().canonicalize().unwrap();
        let mut child = Command::new("sleep")
            .arg("60")
            .current_dir(&pgdata)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        assert_eq!(survey(&pgdata), Survey::Orphans(vec![child.id()]));
        std::fs::write(pgdata.join("postmaster.pid"), format!("{}\n", child.id())).unwrap();
        assert!(matches!(survey(&pgdata), Survey::Up(_)));
        signal(child.id(), Signal::KILL).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while survey(&pgdata) != (Survey::Down { misleading_pid_file: true }) {
            assert!(
                std::time::Instant::now() < deadline,
                "a killed child that was not waited for still counts"
            );
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(survey(&pgdata), Survey::Down { misleading_pid_file: false });
    }

    #[test]
    fn the_program_is_read_from_the_options_file() {
        let dir = tempfile::tempdir().unwrap();
        let line = "/usr/lib/postgresql/15/bin/postgres \"-D\" \"/data/pgdata\"\n";
        std::fs::write(dir.path().join("postmaster.opts"), line).unwrap();
        assert_eq!(program(dir.path()), Some(PathBuf::from("/usr/lib/postgresql/15/bin/postgres")));
    }
}
