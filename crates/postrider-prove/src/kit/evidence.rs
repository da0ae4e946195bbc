//! What a whole run said, and the secrets that none of it may show: kept while the lines are proved, searched by the last one.
//! The logs of workers and servers lie in the run's folder anyway; what commands said and workers showed as metrics joins them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use serde_json::Value;

use super::installation::Ran;

/// So many secrets of one installation are searched for: each costs a search of everything, in a dozen forms.
const MOST_OF_ONE: usize = 8;
/// What of a login is secret.
const SECRET_KEYS: [&str; 3] = ["password", "token", "client_secret"];

/// The evidence of one run. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Evidence(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    folder: PathBuf,
    collects: bool,
    secrets: Mutex<Vec<(String, String)>>,
}

impl Evidence {
    /// Keeps it in this folder, the run's own; or nothing of it, where nobody is going to look.
    pub(crate) fn new(folder: &Path, collects: bool) -> Self {
        Self(Arc::new(Kept { folder: folder.to_owned(), collects, secrets: Mutex::default() }))
    }

    /// Whether anything is kept.
    pub(crate) fn collects(&self) -> bool {
        self.0.collects
    }

    /// Notes a secret of an installation.
    pub(crate) fn secret(&self, installation: &str, text: &str) {
        let mut secrets = self.0.secrets.lock().expect("nobody panics with this lock");
        let known = secrets.iter().filter(|(of, _)| of == installation).count();
        let entry = (installation.to_owned(), text.to_owned());
        if self.0.collects && known < MOST_OF_ONE && !text.is_empty() && !secrets.contains(&entry) {
            secrets.push(entry);
        }
    }

    /// The secrets of all installations, each with its installation's name.
    pub(crate) fn secrets(&self) -> Vec<(String, String)> {
        self.0.secrets.lock().expect("nobody panics with this lock").clone()
    }

    /// Keeps what a command said, and notes what it was given in files. What it says of a new secret is where that is shown, this
    /// once.
    pub(crate) fn said(
        &self,
        installation: &str,
        arguments: &[&str],
        ran: &Ran,
    ) -> anyhow::Result<()> {
        if !self.0.collects {
            return Ok(());
        }
        for (option, file) in arguments.iter().zip(arguments.iter().skip(1)) {
            let text = || std::fs::read_to_string(file).unwrap_or_default();
            match *option {
                "--secret-file" => self.secret(installation, text().trim()),
                "--auth-file" => {
                    let login: Value = serde_json::from_str(&text()).unwrap_or_default();
                    for key in SECRET_KEYS {
                        self.secret(installation, login[key].as_str().unwrap_or_default());
                    }
                }
                _ => {}
            }
        }
        let answer: Value = serde_json::from_str(&ran.out).unwrap_or_default();
        let shown = answer["secret"].as_str();
        shown.inspect(|secret| self.secret(installation, secret));
        let out = if shown.is_some() { "" } else { &ran.out };
        self.keep("answers", &format!("{}\n{out}{}", arguments.join(" "), ran.err))
    }

    /// Adds a text to those that are searched.
    pub(crate) fn keep(&self, name: &str, text: &str) -> anyhow::Result<()> {
        if !self.0.collects {
            return Ok(());
        }
        let path = self.0.folder.join(format!("{name}.log"));
        let file = std::fs::File::options().create(true).append(true).open(&path);
        let mut file = file.with_context(|| format!("open {}", path.display()))?;
        Ok(writeln!(file, "{text}")?)
    }

    /// Every log below the run's folder, with its name.
    pub(crate) fn texts(&self) -> anyhow::Result<Vec<(String, String)>> {
        let (mut folders, mut texts) = (vec![self.0.folder.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(&folder);
            for entry in entries.with_context(|| format!("read {}", folder.display()))? {
                let (path, kind) =
                    entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
                if kind.is_dir() {
                    // A cluster's own files; its log lies beside them.
                    if !path.ends_with("pgdata") {
                        folders.push(path);
                    }
                } else if path.extension().is_some_and(|end| end == "log") {
                    let text = std::fs::read(&path)?;
                    let name = path.strip_prefix(&self.0.folder).unwrap_or(&path);
                    texts.push((name.display().to_string(), String::from_utf8_lossy(&text).into()));
                }
            }
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_secret_that_is_shown_once_is_noted_and_not_kept_and_all_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let evidence = Evidence::new(folder.path(), true);
        let login = folder.path().join("login");
        std::fs::write(&login, r#"{"type":"bearer","token":"t0ken"}"#).unwrap();
        let (out, err) =
            (r#"{"id":"whk_1","secret":"whsec_x"}"#.to_owned(), "a warning".to_owned());
        let ran = Ran { exit: Some(0), out, err, took: Duration::ZERO };
        let add = ["endpoints", "add", "--auth-file", &login.display().to_string()];
        evidence.said("one", &add, &ran).unwrap();
        let secrets = evidence.secrets();
        assert_eq!(
            secrets,
            [("one", "t0ken"), ("one", "whsec_x")].map(|(a, b)| (a.into(), b.into()))
        );
        std::fs::create_dir_all(folder.path().join("one/pgdata")).unwrap();
        std::fs::write(folder.path().join("one/worker-1.log"), "a line").unwrap();
        std::fs::write(folder.path().join("one/pgdata/other.log"), "not ours").unwrap();
        let mut texts = evidence.texts().unwrap();
        texts.sort();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts[0].1.contains("a warning") && !texts[0].1.contains("whsec_x"), "{texts:?}");
        assert_eq!(texts[1], ("one/worker-1.log".to_owned(), "a line".to_owned()));
    }
}
