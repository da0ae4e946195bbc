//! Who runs the server. PostgreSQL refuses to run as root, so root lends it another account: `postgres`, else `nobody`,
//! else (where changing the user is denied) a user namespace in which we are nobody. Everybody else runs it as themselves.
//! Reads `/etc/passwd`; writes nothing. Next: `cluster` and `server` make every command through [`Account::command`].

use std::fmt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The account that runs `initdb` and the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Account {
    /// The one that we run as.
    Ours,
    /// Another one, which root takes on for the child. Its supplementary groups are given up by the standard library.
    Other { name: String, uid: u32, gid: u32 },
    /// `nobody` inside a user namespace; outside, its files belong to us.
    Namespace,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Account::Ours => f.write_str("our own account"),
            Account::Other { name, .. } => write!(f, "the account {name}"),
            Account::Namespace => f.write_str("a user namespace"),
        }
    }
}

/// Inside the namespace: an id that is in `/etc/passwd` nearly everywhere, which `initdb` demands.
const NOBODY: u32 = 65534;

impl Account {
    /// The accounts that may run the server, best first. `owner` is whose cluster is there already, as user and group.
    pub(crate) fn candidates(owner: Option<(u32, u32)>) -> Vec<Account> {
        if effective_uid() != 0 {
            return vec![Account::Ours];
        }
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        candidates_of_root(&passwd, owner)
    }

    /// A command of this account: without our PostgreSQL settings and from a folder that everybody can enter.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Account::Namespace => {
                let mut command = Command::new("unshare");
                command.args([
                    "--user",
                    &format!("--map-user={NOBODY}"),
                    &format!("--map-group={NOBODY}"),
                    "--",
                ]);
                command.arg(program);
                command
            }
            Account::Ours | Account::Other { .. } => Command::new(program),
        };
        if let Account::Other { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
        command
    }

    /// User and group that own the cluster's files, seen from here.
    pub(crate) fn owner(&self) -> (u32, u32) {
        match self {
            Account::Other { uid, gid, .. } => (*uid, *gid),
            Account::Ours | Account::Namespace => {
                (effective_uid(), rustix::process::getegid().as_raw())
            }
        }
    }

    /// Whether this account can be taken on and enter `dir`; if not, why.
    pub(crate) fn check(&self, dir: &Path) -> Result<(), String> {
        if *self == Account::Ours {
            return Ok(());
        }
        let output = match self
            .command(Path::new("/bin/sh"))
            .args(["-c", r#"cd "$1""#, "sh"])
            .arg(dir)
            .output()
        {
            Ok(output) => output,
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(format!("{self}: taking it on is denied (setuid or setgid)"));
            }
            Err(e) => return Err(format!("{self}: cannot be taken on: {e}")),
        };
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or_default().trim();
        if said.starts_with("unshare:") {
            return Err(format!("{self}: denied ({said})"));
        }
        Err(format!("{self}: cannot enter {}", dir.display()))
    }
}

/// The user that this process acts as.
pub(crate) fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn candidates_of_root(passwd: &str, owner: Option<(u32, u32)>) -> Vec<Account> {
    match owner {
        // Made inside a namespace, where our files look like nobody's.
        Some((0, _)) => vec![Account::Namespace],
        Some((uid, gid)) => {
            let name = name_of(passwd, uid).unwrap_or_else(|| format!("with user id {uid}"));
            vec![Account::Other { name, uid, gid }]
        }
        None => {
            let named = ["postgres", "nobody"].iter().filter_map(|name| find(passwd, name));
            named.chain([Account::Namespace]).collect()
        }
    }
}

fn find(passwd: &str, wanted: &str) -> Option<Account> {
    let (name, uid, gid) = passwd.lines().filter_map(entry).find(|(name, _, _)| *name == wanted)?;
    (uid != 0).then(|| Account::Other { name: name.to_owned(), uid, gid })
}

fn name_of(passwd: &str, wanted: u32) -> Option<String> {
    passwd
        .lines()
        .filter_map(entry)
        .find(|(_, uid, _)| *uid == wanted)
        .map(|(name, _, _)| name.to_owned())
}

/// `name:password:uid:gid:…`
fn entry(line: &str) -> Option<(&str, u32, u32)> {
    let mut fields = line.split(':');
    let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    Some((name, uid.parse().ok()?, gid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\npostgres:x:101:104::/:/bin/sh\nann:x:1000:1000::/:/bin/sh\n";

    fn other(name: &str, uid: u32, gid: u32) -> Account {
        Account::Other { name: name.to_owned(), uid, gid }
    }

    #[test]
    fn root_lends_postgres_then_nobody_then_a_namespace() {
        let all = candidates_of_root(PASSWD, None);
        assert_eq!(
            all,
            [other("postgres", 101, 104), other("nobody", 65534, 65534), Account::Namespace]
        );
        assert_eq!(candidates_of_root("root:x:0:0::/:/bin/sh\n", None), [Account::Namespace]);
        assert_eq!(candidates_of_root("postgres:x:0:0::/:/bin/sh\n", None), [Account::Namespace]);
    }

    #[test]
    fn a_cluster_that_is_there_is_run_by_its_owner() {
        assert_eq!(candidates_of_root(PASSWD, Some((1000, 1000))), [other("ann", 1000, 1000)]);
        assert_eq!(candidates_of_root(PASSWD, Some((7, 7))), [other("with user id 7", 7, 7)]);
        assert_eq!(candidates_of_root(PASSWD, Some((0, 0))), [Account::Namespace]);
    }
}
