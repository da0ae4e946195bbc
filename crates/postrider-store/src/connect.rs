//! Where the database is and how to get there: one URL, TLS by rustls, time-outs on every connection.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Socket;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::StoreError;

/// What connecting to one host may take, with TLS and everything.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);

type Connection =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// How to reach one database. Cheap to clone; its `Debug` never shows the password.
#[derive(Clone)]
pub struct Connect {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect").field("target", &self.target()).finish()
    }
}

impl Connect {
    /// Reads a `postgres://` URL or a `key=value` connection string.
    ///
    /// A server that is not local is spoken to over verified TLS unless the URL names another `sslmode`; `ca_file` (PEM)
    /// replaces the system's roots.
    ///
    /// # Errors
    /// When the text is no connection string, or the certificate file cannot be read. The password is never in the message.
    pub fn parse(
        url: &str,
        application_name: &str,
        ca_file: Option<&Path>,
    ) -> Result<Self, StoreError> {
        let mut config: tokio_postgres::Config =
            url.parse().map_err(|error| StoreError::new("reading the database URL", error))?;
        config
            .application_name(application_name)
            .connect_timeout(Duration::from_secs(5))
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(10));
        let remote = config.get_hosts().iter().any(|host| match host {
            Host::Tcp(name) => !matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
            Host::Unix(_) => false,
        });
        if remote && !url.contains("sslmode") {
            config.ssl_mode(SslMode::Require);
        }
        Ok(Self { config, tls: tls(ca_file)? })
    }

    /// Whether a text can be read as a way to a database.
    #[must_use]
    pub fn is_readable(text: &str) -> bool {
        text.parse::<tokio_postgres::Config>().is_ok()
    }

    /// `user@host:port/database`, for messages: never the password.
    #[must_use]
    pub fn target(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let user = self.config.get_user().unwrap_or("(default user)");
        format!("{user}@{host}:{port}/{}", self.config.get_dbname().unwrap_or(user))
    }

    /// Whether the way to a remote server is unencrypted because the URL says so.
    #[must_use]
    pub fn is_plain_remote(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Disable
            && self.config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if name != "localhost" && name != "127.0.0.1" && name != "::1"))
    }

    /// A connection and its driver. The time-out covers the handshake too: a port may accept and then say nothing.
    pub(crate) async fn open(
        &self,
        doing: &'static str,
    ) -> Result<(tokio_postgres::Client, Connection), StoreError> {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(1).max(1);
        let limit = HANDSHAKE.saturating_mul(hosts);
        tokio::time::timeout(limit, self.config.connect(self.tls.clone()))
            .await
            .map_err(|_| StoreError::silence(doing, limit))?
            .map_err(|error| StoreError::new(doing, error))
    }

    pub(crate) fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    pub(crate) fn tls(&self) -> &MakeRustlsConnect {
        &self.tls
    }

    /// One plain connection without session settings, driven by a task that ends with it: for migrations and tools.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses us.
    pub async fn client(&self) -> Result<tokio_postgres::Client, StoreError> {
        let (client, connection) = self.open("connecting to the database").await?;
        // The task ends when the client is dropped or the server goes away; its error reaches the client's next call.
        #[expect(
            clippy::disallowed_methods,
            reason = "a connection's driver lives exactly as long as its client"
        )]
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a database connection ended");
            }
        });
        Ok(client)
    }
}

fn tls(ca_file: Option<&Path>) -> Result<MakeRustlsConnect, StoreError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| {
                StoreError::other(
                    "reading database.ca_file",
                    format!("{}: {error}", path.display()),
                )
            })?;
        roots.add_parsable_certificates(certificates);
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .map_err(|error| StoreError::other("setting up TLS", error.to_string()))?
    .with_root_certificates(roots)
    .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
