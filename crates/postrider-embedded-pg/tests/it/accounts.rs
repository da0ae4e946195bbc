//! From every kind of account. A test that needs another one runs this program again, as that account, for one of the
//! tests marked `ignored` below.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use postrider_embedded_pg::find_binaries;

use crate::{folder, quick, session, started};

/// Where a re-run test works.
const DIR: &str = "POSTRIDER_TEST_FOLDER";

fn we_are_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// This test program, for one ignored test, started by way of `wrapper` if there is one.
fn again(test: &str, dir: &Path, wrapper: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        [] => Command::new(&program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(&program);
            command
        }
    };
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(DIR, dir).current_dir("/");
    command
}

fn assert_passed(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn as_root_the_server_runs_as_somebody_else() {
    if !we_are_root() {
        return;
    }
    let dir = folder();
    let pg = started(dir.path()).await;
    let owner = std::fs::metadata(format!("/proc/{}", pg.postmaster_pid().unwrap())).unwrap().uid();
    assert_ne!(owner, 0);
    assert_eq!(std::fs::metadata(dir.path().join("pgdata")).unwrap().uid(), owner);
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", pg.postmaster_pid().unwrap())).unwrap();
    let groups = status.lines().find_map(|l| l.strip_prefix("Groups:")).unwrap();
    assert_eq!(groups.trim(), "", "root's groups were taken along");
    pg.stop().await.unwrap();
}

#[test]
fn without_root_it_runs_as_ourselves() {
    if !we_are_root() {
        return; // every other test shows it
    }
    let dir = folder();
    std::os::unix::fs::chown(dir.path(), Some(65534), Some(65534)).unwrap();
    let output =
        again("accounts::ordinary_user", dir.path(), &[]).uid(65534).gid(65534).output().unwrap();
    assert_passed(&output);
}

#[tokio::test]
#[ignore = "run by without_root_it_runs_as_ourselves"]
async fn ordinary_user() {
    let dir = std::env::var(DIR).unwrap();
    let pg = started(Path::new(&dir)).await;
    let ours = std::fs::metadata("/proc/self").unwrap().uid();
    assert_eq!(
        std::fs::metadata(format!("/proc/{}", pg.postmaster_pid().unwrap())).unwrap().uid(),
        ours
    );
    session(&pg).await.batch_execute("CREATE TABLE t ()").await.unwrap();
    pg.stop().await.unwrap();
    let pg = started(Path::new(&dir)).await;
    session(&pg).await.batch_execute("SELECT FROM t").await.unwrap();
    pg.stop().await.unwrap();
}

#[test]
fn a_cluster_of_an_ordinary_user_is_run_by_root_as_that_user_and_refused_to_others() {
    if !we_are_root() {
        return;
    }
    let dir = folder();
    std::os::unix::fs::chown(dir.path(), Some(65534), Some(65534)).unwrap();
    assert_passed(
        &again("accounts::ordinary_user", dir.path(), &[]).uid(65534).gid(65534).output().unwrap(),
    );
    assert_passed(
        &again("accounts::root_on_a_cluster_of_nobody", dir.path(), &[]).output().unwrap(),
    );
    for name in ["start.lock", "users.lock"] {
        std::fs::set_permissions(dir.path().join(name), std::fs::Permissions::from_mode(0o666))
            .unwrap();
    }
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert_passed(
        &again("accounts::stranger", dir.path(), &[]).uid(12345).gid(12345).output().unwrap(),
    );
}

#[tokio::test]
#[ignore = "run by a_cluster_of_an_ordinary_user_is_run_by_root_as_that_user_and_refused_to_others"]
async fn root_on_a_cluster_of_nobody() {
    let pg = started(Path::new(&std::env::var(DIR).unwrap())).await;
    assert_eq!(
        std::fs::metadata(format!("/proc/{}", pg.postmaster_pid().unwrap())).unwrap().uid(),
        65534
    );
    session(&pg).await.batch_execute("SELECT FROM t").await.unwrap();
    pg.stop().await.unwrap();
}

#[tokio::test]
#[ignore = "run by a_cluster_of_an_ordinary_user_is_run_by_root_as_that_user_and_refused_to_others"]
async fn stranger() {
    let error = postrider_embedded_pg::start(quick(Path::new(&std::env::var(DIR).unwrap())))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("belongs to user id 65534"), "{error}");
}

/// Programs that root may run without the right to become somebody else.
const WITHOUT_SETUID: &[&str] =
    &["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid"];

#[test]
fn where_root_may_not_become_another_user_it_uses_a_namespace() {
    if !we_are_root() || !tools_are_there() {
        return;
    }
    let dir = folder();
    assert_passed(&again("accounts::namespace", dir.path(), WITHOUT_SETUID).output().unwrap());
}

#[test]
fn a_data_directory_that_only_root_can_reach_uses_a_namespace() {
    if !we_are_root() || !tools_are_there() {
        return;
    }
    let dir = folder();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let inside = dir.path().join("data");
    assert_passed(&again("accounts::namespace", &inside, &[]).output().unwrap());
}

#[tokio::test]
#[ignore = "run by the tests above"]
async fn namespace() {
    let dir = std::env::var(DIR).unwrap();
    let pg = started(Path::new(&dir)).await;
    assert_eq!(std::fs::metadata(Path::new(&dir).join("pgdata")).unwrap().uid(), 0);
    session(&pg).await.batch_execute("CREATE TABLE t ()").await.unwrap();
    let again = started(Path::new(&dir)).await;
    assert!(again.adopted());
    drop(again);
    pg.stop().await.unwrap();
    let pg = started(Path::new(&dir)).await;
    session(&pg).await.batch_execute("SELECT FROM t").await.unwrap();
    pg.stop().await.unwrap();
}

#[test]
fn where_root_can_become_nobody_else_at_all_it_says_so() {
    if !we_are_root() || !tools_are_there() {
        return;
    }
    let dir = folder();
    // No `unshare` on the path either.
    let without_path = ["env", "PATH=/nowhere"];
    let wrapper = [WITHOUT_SETUID, &without_path].concat();
    assert_passed(&again("accounts::denied", dir.path(), &wrapper).output().unwrap());
}

#[tokio::test]
#[ignore = "run by where_root_can_become_nobody_else_at_all_it_says_so"]
async fn denied() {
    let error = postrider_embedded_pg::start(quick(Path::new(&std::env::var(DIR).unwrap())))
        .await
        .unwrap_err();
    let said = error.to_string();
    for part in
        ["refuses to run as root", "denied (setuid or setgid)", "--database-url", "ordinary user"]
    {
        assert!(said.contains(part), "no {part} in: {said}");
    }
}

#[test]
fn a_folder_without_binaries_is_named_in_the_error() {
    let dir = folder();
    let error = find_binaries(Some(dir.path())).unwrap_err().to_string();
    assert!(
        error.contains(&dir.path().display().to_string()) && error.contains("there is no postgres"),
        "{error}"
    );
}

fn tools_are_there() -> bool {
    let works = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|o| o.status.success())
    };
    works("setpriv", &["--version"])
        && works("unshare", &["--user", "--map-user=65534", "--map-group=65534", "true"])
}
