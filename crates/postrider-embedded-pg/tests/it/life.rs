use std::process::Command;
use std::time::{Duration, Instant};

use postrider_embedded_pg::{EmbeddedPgError, Options, Stopped, start, stop_any};

use crate::{folder, quick, session, started};

#[tokio::test]
async fn data_survives_stop_and_restart() {
    let dir = folder();
    let pg = start(Options::new(dir.path().join("a/b"))).await.unwrap();
    assert!(!pg.adopted());
    session(&pg).await.batch_execute("CREATE TABLE t AS SELECT 42 AS n").await.unwrap();
    let bin_dir = pg.bin_dir().to_owned();
    assert_eq!(pg.stop().await.unwrap(), Stopped::Ended);

    let pg = start(Options::new(dir.path().join("a/b"))).await.unwrap();
    let n: i32 = session(&pg).await.query_one("SELECT n FROM t", &[]).await.unwrap().get(0);
    assert_eq!((n, pg.bin_dir()), (42, bin_dir.as_path()));
    assert_eq!(pg.stop().await.unwrap(), Stopped::Ended);
}

#[tokio::test]
async fn the_cluster_is_what_was_promised() {
    let dir = folder();
    let mut options = Options::new(dir.path());
    options.settings.push(("max_connections".to_owned(), "17".to_owned()));
    options.database = "anna's \"mail\"".to_owned();
    let pg = start(options).await.unwrap();
    let client = session(&pg).await;
    let expected = [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", ""),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("unix_socket_permissions", "0700"),
        ("max_connections", "17"),
        ("TimeZone", "UTC"),
        ("lc_collate", "C"),
    ];
    for (name, value) in expected {
        let sql = if name == "lc_collate" {
            "SELECT datcollate::text FROM pg_database WHERE datname = current_database()".to_owned()
        } else {
            format!("SHOW {name}")
        };
        let found: String = client.query_one(&sql, &[]).await.unwrap().get(0);
        assert_eq!(found, value, "{name}");
    }
    let database: String =
        client.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
    assert_eq!(database, "anna's \"mail\"");
    pg.stop().await.unwrap();
}

#[tokio::test]
async fn the_socket_folder_is_private_and_short_enough() {
    use std::os::unix::fs::MetadataExt;
    let dir = folder();
    let deep = dir.path().join("d".repeat(60)).join("e".repeat(60));
    for data_dir in [dir.path().to_owned(), deep] {
        let pg = started(&data_dir).await;
        session(&pg).await.batch_execute("SELECT 1").await.unwrap();
        let socket_dir = pg.socket_dir().to_owned();
        assert_eq!(std::fs::metadata(&socket_dir).unwrap().mode() & 0o777, 0o700);
        assert!(socket_dir.join(".s.PGSQL.5432").as_os_str().len() <= 107);
        pg.stop().await.unwrap();
        if !socket_dir.starts_with(dir.path()) {
            std::fs::remove_dir(&socket_dir).unwrap();
        }
    }
}

#[tokio::test]
async fn a_running_server_is_adopted_and_its_last_user_stops_it() {
    let dir = folder();
    let first = started(dir.path()).await;
    session(&first).await.batch_execute("CREATE TABLE t ()").await.unwrap();
    let second = started(dir.path()).await;
    assert!(second.adopted() && !first.adopted());
    assert_eq!((second.url(), second.bin_dir()), (first.url(), first.bin_dir()));
    session(&second).await.batch_execute("SELECT FROM t").await.unwrap();
    assert_eq!(first.stop().await.unwrap(), Stopped::LeftRunning);
    session(&second).await.batch_execute("SELECT FROM t").await.unwrap();
    assert_eq!(second.stop().await.unwrap(), Stopped::Ended);
}

#[tokio::test]
async fn a_server_outlives_who_forgot_it_and_is_adopted_later() {
    let dir = folder();
    let pid = started(dir.path()).await.postmaster_pid();
    let again = started(dir.path()).await;
    assert!(again.adopted() && again.postmaster_pid() == pid && pid.is_some());
    assert_eq!(again.stop().await.unwrap(), Stopped::Ended);
}

#[tokio::test]
async fn keep_running_leaves_it_for_the_next() {
    let dir = folder();
    let pg = start(Options { keep_running: true, ..quick(dir.path()) }).await.unwrap();
    assert_eq!(pg.stop().await.unwrap(), Stopped::LeftRunning);
    let pg = started(dir.path()).await;
    assert!(pg.adopted());
    stop_any(dir.path()).await.unwrap();
    assert_eq!(pg.postmaster_pid(), None);
    assert_eq!(pg.stop().await.unwrap(), Stopped::Ended);
}

#[tokio::test]
async fn a_killed_postmaster_is_replaced_and_what_was_committed_is_there() {
    let dir = folder();
    let pg = start(Options::new(dir.path())).await.unwrap();
    let client = session(&pg).await;
    client.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)").await.unwrap();
    kill(pg.postmaster_pid().unwrap());
    // Nobody has waited for the dead process, and its children may still be there.
    let again = start(Options::new(dir.path())).await.unwrap();
    assert!(!again.adopted());
    let n: i64 =
        session(&again).await.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(n, 1);
    assert_eq!(again.stop().await.unwrap(), Stopped::LeftRunning); // `pg` still counts as a user
    assert_eq!(pg.stop().await.unwrap(), Stopped::Ended);
}

#[tokio::test]
async fn all_processes_killed_at_once_lose_nothing_committed() {
    let dir = folder();
    let pg = start(Options::new(dir.path())).await.unwrap();
    session(&pg)
        .await
        .batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
        .await
        .unwrap();
    let processes = pg.processes();
    assert!(
        processes.len() > 3 && processes.contains(&pg.postmaster_pid().unwrap()),
        "{processes:?}"
    );
    processes.iter().copied().for_each(kill);
    drop(pg);
    let again = start(Options::new(dir.path())).await.unwrap();
    let n: i64 =
        session(&again).await.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(n, 1);
    again.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_file_whose_number_is_in_use_does_not_keep_the_server_down() {
    let dir = folder();
    started(dir.path()).await.stop().await.unwrap();
    // A process of the server's own account: PostgreSQL itself would refuse to start.
    let mut command = Command::new("sleep");
    command.arg("60");
    #[cfg(unix)]
    {
        use std::os::unix::{fs::MetadataExt, process::CommandExt};
        let owner = std::fs::metadata(dir.path().join("pgdata")).unwrap();
        command.uid(owner.uid()).gid(owner.gid());
    }
    let mut sleeper = command.spawn().unwrap();
    let text = format!(
        "{}\n{}\n1\n5432\n{}\n\n",
        sleeper.id(),
        dir.path().join("pgdata").display(),
        dir.path().join("socket").display()
    );
    std::fs::write(dir.path().join("pgdata/postmaster.pid"), &text).unwrap();
    std::fs::write(dir.path().join("socket/.s.PGSQL.5432.lock"), &text).unwrap();
    let pg = started(dir.path()).await;
    assert!(!pg.adopted());
    pg.stop().await.unwrap();
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[tokio::test]
async fn an_interrupted_initdb_leaves_nothing_in_the_way() {
    let dir = folder();
    std::fs::create_dir_all(dir.path().join("pgdata.new/base")).unwrap();
    std::fs::write(dir.path().join("pgdata.new/PG_VERSION"), "15\n").unwrap();
    started(dir.path()).await.stop().await.unwrap();
}

#[tokio::test]
async fn concurrent_starts_give_one_server() {
    let dir = folder();
    let starts = (0..6).map(|_| start(quick(dir.path())));
    let all: Vec<_> =
        futures_util::future::join_all(starts).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(all.iter().filter(|pg| !pg.adopted()).count(), 1);
    let mut ends = Vec::new();
    for pg in all {
        ends.push(pg.stop().await.unwrap());
    }
    assert_eq!(ends.iter().filter(|e| **e == Stopped::Ended).count(), 1);
    assert_eq!(ends.last(), Some(&Stopped::Ended));
}

#[tokio::test]
async fn a_start_that_cannot_succeed_says_why_at_once() {
    let dir = folder();
    let mut options = quick(dir.path());
    options.settings.push(("shared_buffers".to_owned(), "soon".to_owned()));
    let begun = Instant::now();
    let error = start(options).await.unwrap_err().to_string();
    assert!(error.contains("shared_buffers") && error.contains("server.log"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_folder_with_something_else_in_it_is_left_alone() {
    let dir = folder();
    std::fs::create_dir(dir.path().join("pgdata")).unwrap();
    std::fs::write(dir.path().join("pgdata/letter.txt"), "dear").unwrap();
    let error = start(quick(dir.path())).await.unwrap_err();
    assert!(matches!(error, EmbeddedPgError::NotACluster { .. }), "{error}");
    assert!(dir.path().join("pgdata/letter.txt").exists());
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_refused() {
    let dir = folder();
    std::fs::create_dir(dir.path().join("pgdata")).unwrap();
    std::fs::write(dir.path().join("pgdata/PG_VERSION"), "99\n").unwrap();
    let error = start(quick(dir.path())).await.unwrap_err().to_string();
    assert!(error.contains("made by PostgreSQL 99") || error.contains("belongs to"), "{error}");
}

fn kill(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(status.success());
}
