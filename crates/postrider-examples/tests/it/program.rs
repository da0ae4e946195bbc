//! The program: sources, output, exit codes.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use postrider_testkit::TestDb;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");

fn mail_intake(url: &str, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mail-intake"))
        .env_clear()
        .env("POSTRIDER_DATABASE_URL", url)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program is built");
    // One that ends before it has read everything closes its end.
    let _ = child.stdin.take().expect("it is piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_folder_is_taken_in_and_counted() {
    let db = TestDb::new().await;
    let first = mail_intake(
        db.url(),
        &[SAMPLES, "--tenant", "acme", "--rollback-matching", "Three ships"],
        b"",
    );
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert_eq!(text(&first.stderr), "mail-intake: 18 published, 1 duplicate, 1 rolled back\n");
    assert_eq!(text(&first.stdout).lines().count(), 20);

    let again = mail_intake(db.url(), &[SAMPLES, "--tenant", "acme"], b"");
    assert_eq!(text(&again.stderr), "mail-intake: 1 published, 19 duplicate\n");
}

#[tokio::test]
async fn standard_input_may_be_an_mbox() {
    let db = TestDb::new().await;
    let mbox = b"From a@b Thu Nov 19 10:00:00 2026\nSubject: one\n\nx\n\nFrom a@b Thu Nov 19 10:00:00 2026\nSubject: two\n\ny\n";
    let output = mail_intake(db.url(), &["-", "--json"], mbox);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect();
    let seen: Vec<_> =
        lines.iter().map(|line| (line["outcome"].as_str(), line["subject"].as_str())).collect();
    assert_eq!(seen, [(Some("published"), Some("one")), (Some("published"), Some("two"))]);
}

#[tokio::test]
async fn what_is_no_mail_is_named_and_the_rest_goes_on() {
    let db = TestDb::new().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("a.eml"), b"\x89PNG\r\n").expect("written");
    std::fs::write(folder.path().join("b.eml"), b"Subject: fine\r\n\r\n").expect("written");
    let output = mail_intake(db.url(), &[&folder.path().to_string_lossy()], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("a.eml: not a mail message"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).ends_with("1 published, 1 refused\n"), "{}", text(&output.stderr));
}

#[tokio::test]
async fn every_way_to_fail_has_its_exit_code() {
    let db = TestDb::new().await;
    let empty = TestDb::empty().await;
    let nobody = "postgres://127.0.0.1:1/nothing?connect_timeout=2";
    let secret = "postgres://u:hunter2@127.0.0.1:x/y";
    let missing = Path::new(SAMPLES).join("missing.eml");
    let cases: [(&str, &[&str], i32, &str); 6] = [
        (db.url(), &[], 2, "Usage"),
        ("", &["-"], 2, "which database?"),
        (secret, &["-"], 2, "not one"),
        (nobody, &["-"], 69, "cannot be reached"),
        (empty.url(), &[SAMPLES], 78, "postrider migrate up"),
        (db.url(), &[&missing.to_string_lossy()], 1, "missing.eml"),
    ];
    for (url, arguments, code, says) in cases {
        let output = mail_intake(url, arguments, b"");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{url}: {said}");
        assert!(said.contains(says), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
