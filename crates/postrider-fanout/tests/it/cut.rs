//! A way to the database that can be cut at the worst moment: when a COMMIT has arrived and before its answer has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postrider_testkit::TestDb;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_postgres::config::Host;

/// Forwards connections to a test database.
pub(crate) struct Cut {
    pub(crate) url: String,
    armed: Arc<AtomicBool>,
    /// Ends, with every connection, when this is dropped.
    _listening: JoinSet<()>,
}

impl Cut {
    pub(crate) async fn before(db: &TestDb) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = db.config();
        let user = config.get_user().unwrap();
        let url = format!("postgres://{user}@127.0.0.1:{port}/{}?sslmode=disable", db.name());
        let armed = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&armed);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (config, armed) = (config.clone(), Arc::clone(&theirs));
                let port = config.get_ports().first().copied().unwrap_or(5432);
                connections.spawn(async move {
                    match &config.get_hosts()[0] {
                        Host::Unix(folder) => {
                            let socket = folder.join(format!(".s.PGSQL.{port}"));
                            forward(client, UnixStream::connect(socket).await.unwrap(), &armed)
                                .await
                        }
                        Host::Tcp(name) => {
                            let server = TcpStream::connect((name.as_str(), port)).await.unwrap();
                            forward(client, server, &armed).await
                        }
                    }
                });
            }
        });
        Self { url, armed, _listening: listening }
    }

    /// The next COMMIT is carried out, and its connection closed without an answer.
    pub(crate) fn at_the_next_commit(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }
}

async fn forward(
    client: TcpStream,
    server: impl AsyncRead + AsyncWrite + Unpin,
    armed: &AtomicBool,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let up = async {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            let commit = bytes[..count].windows(6).any(|word| word == b"COMMIT");
            let cut = commit && armed.swap(false, Ordering::SeqCst);
            if to_server.write_all(&bytes[..count]).await.is_err() {
                return;
            }
            if cut {
                return;
            }
        }
    };
    let down = async { drop(tokio::io::copy(&mut from_server, &mut to_client).await) };
    tokio::select! {
        () = up => {}
        () = down => return,
    }
    // What was sent is carried out; nobody hears of it.
    tokio::time::sleep(Duration::from_millis(300)).await;
}
