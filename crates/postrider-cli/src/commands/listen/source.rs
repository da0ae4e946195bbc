//! Where events are heard: from a server's stream, or from the database itself.

use std::path::PathBuf;

use postrider_core::filter::Subscription;
use postrider_store::follow::{Follow, TICK};
use postrider_store::horizon::Horizon;
use postrider_store::positions::{Interest, PlacedEvent, Position};

use super::server::Server;
use crate::commands::endpoints::check_tenant;
use crate::context::Database;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Options that say what is heard.
#[derive(Debug, clap::Args)]
pub(super) struct SourceArgs {
    /// Only these event types: exact names, or email.*
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Only this tenant's
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Ask this server, instead of the database: http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// File with the API key for the server, or - for standard input
    #[arg(long, value_name = "FILE", requires = "server")]
    pub api_key_file: Option<PathBuf>,
    /// One JSON document a line
    #[arg(long)]
    pub jsonl: bool,
}

/// An event that was heard.
#[derive(Debug)]
pub(super) struct Heard {
    pub id: String,
    pub tenant: String,
    pub event_type: String,
    /// Byte for byte.
    pub envelope: String,
}

/// Where events come from.
pub(super) enum Source {
    Server(Box<Server>),
    Database { follow: Box<Follow>, name: String },
}

impl Source {
    pub(super) fn server(args: &SourceArgs) -> Result<Self, Failure> {
        interest(args)?;
        Ok(Self::Server(Box::new(Server::of(args)?)))
    }

    pub(super) async fn database(args: &SourceArgs, database: &Database) -> Result<Self, Failure> {
        args.tenant.as_deref().map_or(Ok(()), check_tenant)?;
        let db = &database.db;
        let mut follow = Follow::from(
            Horizon::new(db.clone()),
            (db.clone(), db.clone()),
            args.tenant.clone(),
            interest(args)?,
            Position::default(),
        );
        follow.begin_now().await?;
        let name = format!("to {}", database.connect.target());
        Ok(Self::Database { follow: Box::new(follow), name })
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Server(server) => format!("to {}", server.name()),
            Self::Database { name, .. } => name.clone(),
        }
    }

    /// Makes sure that nothing is missed from here on.
    pub(super) async fn open(&mut self, out: &Output) -> Result<(), Failure> {
        match self {
            Self::Server(server) => server.open(out).await,
            Self::Database { .. } => Ok(()),
        }
    }

    /// The next events, when there are any.
    pub(super) async fn next(&mut self, out: &Output) -> Result<Vec<Heard>, Failure> {
        match self {
            Self::Server(server) => server.next(out).await,
            Self::Database { follow, .. } => loop {
                let events = follow.step().await?;
                if !events.is_empty() {
                    return Ok(events.into_iter().map(|(_, event)| heard(event)).collect());
                }
                if !follow.is_reading() {
                    tokio::time::sleep(TICK).await;
                }
            },
        }
    }
}

fn heard(event: PlacedEvent) -> Heard {
    Heard {
        id: event.id,
        tenant: event.tenant,
        event_type: event.event_type,
        envelope: event.envelope,
    }
}

fn interest(args: &SourceArgs) -> Result<Option<Interest>, Failure> {
    if args.types.is_empty() {
        return Ok(None);
    }
    let subscription = Subscription::compile(&args.types, None)
        .map_err(|error| Failure::new(Exit::Usage, format!("--types: {}", error.detail)))?;
    Ok(Some(Interest { subscription, endpoint: None }))
}
