//! Where messages come from: a Maildir, a folder of `.eml` files, an mbox, one message, or standard input.
//! Reads files one at a time, in the order of their names. `mail` parses what this yields.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use mail_parser::mailbox::mbox;

/// No real message is larger than this; the rest of the file is not read.
const MESSAGE_LIMIT: u64 = 64 * 1024 * 1024;

/// One message as it lay there.
pub struct Found {
    /// File name, and in an mbox the number of the message.
    pub place: String,
    /// Its bytes.
    pub raw: Vec<u8>,
}

/// The messages behind one argument of the command line: a path, or `-` for standard input.
/// Fails at once where the path does not exist, and later, message by message, where one cannot be read.
pub fn open(source: &Path) -> io::Result<Box<dyn Iterator<Item = io::Result<Found>>>> {
    if source == Path::new("-") {
        return one_or_many("(stdin)".to_owned(), BufReader::new(io::stdin()));
    }
    if source.is_dir() {
        let files = files_of(source)?;
        return Ok(Box::new(files.into_iter().map(|path| {
            Ok(Found { raw: whole(File::open(&path)?)?, place: path.display().to_string() })
        })));
    }
    one_or_many(source.display().to_string(), BufReader::new(File::open(source)?))
}

/// An mbox begins with `From ` and a blank; a message never does.
fn one_or_many(
    place: String,
    mut reader: impl BufRead + 'static,
) -> io::Result<Box<dyn Iterator<Item = io::Result<Found>>>> {
    let mut start = Vec::new();
    reader.by_ref().take(5).read_to_end(&mut start)?;
    let is_mbox = start == b"From ";
    let reader = Cursor::new(start).chain(reader);
    if !is_mbox {
        return Ok(Box::new(std::iter::once(whole(reader).map(|raw| Found { place, raw }))));
    }
    let messages = mbox::MessageIterator::new(reader).zip(1..);
    Ok(Box::new(messages.map(move |(message, number)| {
        Ok(Found { place: format!("{place}:{number}"), raw: message?.unwrap_contents() })
    })))
}

fn whole(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    reader.take(MESSAGE_LIMIT + 1).read_to_end(&mut raw)?;
    if raw.len() as u64 > MESSAGE_LIMIT {
        return Err(io::Error::other(format!("larger than {} MiB", MESSAGE_LIMIT >> 20)));
    }
    Ok(raw)
}

/// A Maildir has `cur` and `new`, and other Maildirs inside; every other folder is asked for its `.eml` files.
fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_maildir = |folder: &Path| folder.join("cur").is_dir() && folder.join("new").is_dir();
    let mut files = Vec::new();
    if !is_maildir(folder) {
        files = entries(folder)?;
        files.retain(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("eml")));
        return Ok(files);
    }
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for inside in ["cur", "new"] {
            let hidden = |path: &PathBuf| path.file_name().is_some_and(starts_with_dot);
            files.extend(entries(&folder.join(inside))?.into_iter().filter(|p| !hidden(p)));
        }
        folders.extend(entries(&folder)?.into_iter().filter(|path| is_maildir(path)));
    }
    files.retain(|path| path.is_file());
    Ok(files)
}

fn starts_with_dot(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(source: &Path) -> Vec<(String, String)> {
        let folder = source.display().to_string();
        let found = open(source).expect("it is there").map(|found| found.expect("readable"));
        found
            .map(|found| {
                let place = found.place.replace(&folder, "");
                (place, String::from_utf8(found.raw).expect("ascii"))
            })
            .collect()
    }

    fn pair(place: &str, raw: &str) -> (String, String) {
        (place.to_owned(), raw.to_owned())
    }

    #[test]
    fn a_maildir_yields_cur_new_and_its_folders() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in [
            ("cur/1:2,S", "a"),
            ("new/2", "b"),
            ("tmp/3", "half"),
            ("cur/.hidden", "no"),
            (".Sent/cur/4", "c"),
            (".Sent/new/none/x", "no"),
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("inside")).expect("made");
            fs::write(path, text).expect("written");
        }
        let expected = [pair("/cur/1:2,S", "a"), pair("/new/2", "b"), pair("/.Sent/cur/4", "c")];
        assert_eq!(places(dir.path()), expected);
    }

    #[test]
    fn a_plain_folder_yields_its_eml_files() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in ["b.eml", "a.EML", "notes.txt"] {
            fs::write(dir.path().join(name), name).expect("written");
        }
        assert_eq!(places(dir.path()), [pair("/a.EML", "a.EML"), pair("/b.eml", "b.eml")]);
    }

    #[test]
    fn a_file_is_an_mbox_or_one_message() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mbox = dir.path().join("mbox");
        fs::write(&mbox, "From a@b Thu Nov 19 10:00:00 2026\nSubject: 1\n\n>From me\n\nFrom c@d Thu Nov 19 11:00:00 2026\nSubject: 2\n\nx\n").expect("written");
        assert_eq!(
            places(&mbox),
            [pair(":1", "Subject: 1\n\nFrom me\n\n"), pair(":2", "Subject: 2\n\nx\n")]
        );
        let single = dir.path().join("single");
        fs::write(&single, "Fr").expect("written");
        assert_eq!(places(&single), [pair("", "Fr")]);
        assert!(open(&dir.path().join("absent")).is_err());
    }
}
