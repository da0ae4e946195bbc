//! `test-pg dir|stop`: where the tests' private PostgreSQL server lies, and the end of it.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let dir = postrider_testkit::test_server_dir();
    match std::env::args().nth(1).as_deref() {
        Some("dir") => {
            println!("{}", dir.display());
            ExitCode::SUCCESS
        }
        Some("stop") if !dir.exists() => ExitCode::SUCCESS,
        Some("stop") => match postrider_embedded_pg::stop_any(&dir).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("test-pg: {error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: test-pg dir|stop");
            ExitCode::from(2)
        }
    }
}
