//! The master keys that seal endpoint secrets: configured, or beside the embedded database.
//! Makes `master.key` (mode 0600) in the data folder when the embedded database first needs one; never overwrites it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use postrider_core::seal::{KeyRing, generate_master_key};
use zeroize::Zeroizing;

use crate::config::{Config, Hidden};
use crate::exit::{Exit, Failure};

const FILE: &str = "master.key";

/// The key ring of this installation.
pub(crate) fn ring(config: &Config) -> Result<KeyRing, Failure> {
    if !config.master_keys.is_empty() {
        let texts: Vec<&str> = config.master_keys.iter().map(Hidden::expose).collect();
        return from_texts(&texts, "master_key");
    }
    if config.database.url.is_some() {
        return Err(Failure::new(Exit::Config, "there is no master key")
            .why("endpoint secrets are sealed in the database, and this needs the key")
            .remedy(
                "set POSTRIDER_MASTER_KEY, or POSTRIDER_MASTER_KEY_FILE with the name of a file, to the same key everywhere;\n\
                 \"openssl rand -base64 32\" makes one; keep a copy, nobody can open the secrets without it",
            ));
    }
    let path = config.data_dir.join(FILE);
    let text = read_or_make(&path).map_err(|error| {
        Failure::new(Exit::Config, format!("cannot use the master key {}", path.display()))
            .why(error.to_string())
    })?;
    from_texts(
        &text.split([',', '\n']).map(str::trim).filter(|key| !key.is_empty()).collect::<Vec<_>>(),
        &path.display().to_string(),
    )
}

fn from_texts(texts: &[&str], origin: &str) -> Result<KeyRing, Failure> {
    KeyRing::from_master_keys(texts).map_err(|error| {
        Failure::new(Exit::Config, format!("{origin} holds no usable master key"))
            .why(error.to_string())
    })
}

/// Reads the file. If there is none, writes a new key beside it and links it into place, so that of two processes that
/// do this at once one wins and both read the same.
fn read_or_make(path: &Path) -> io::Result<Zeroizing<String>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read.map(Zeroizing::new),
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let key = Zeroizing::new(generate_master_key(&rand::random()));
    let draft = folder.join(format!("{FILE}.{:016x}", rand::random::<u64>()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let made = file
        .write_all(key.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        });
    fs::remove_file(&draft)?;
    made?;
    fs::File::open(folder)?.sync_all()?;
    tracing::info!(path = %path.display(), "made the master key of the embedded database");
    fs::read_to_string(path).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/master.key");
        let first = read_or_make(&path).unwrap();
        assert_eq!(*read_or_make(&path).unwrap(), *first);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert!(KeyRing::from_master_keys(&[&first]).is_ok());
    }
}
