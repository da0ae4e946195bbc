//! `mail-intake DIR|FILE…|-`: feeds real mail to a database with Postrider in it.
//! Reads messages, calls `postrider_examples::intake` for each, prints what became of them.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use postrider_examples::mailbox::{self, Found};
use postrider_examples::{Ending, IntakeError, Intaken, Outcome, create_table, intake};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_postgres::{Client, Config, NoTls};

/// Stores mail in the table mail_messages and publishes email.received, in one transaction for each message
#[derive(Parser)]
#[command(
    version,
    after_help = "\
Exit codes: 0 done; 1 some message was not taken in; 2 wrong usage; 69 the database cannot be reached;
78 the database has no Postrider schema (postrider migrate up).
The connection is made without TLS: this is an example for a database nearby."
)]
struct Arguments {
    /// A Maildir, a folder of .eml files, an mbox, a single message, or - for standard input
    #[arg(required = true, value_name = "DIR|FILE|-")]
    sources: Vec<PathBuf>,
    /// Where to store and publish; else POSTRIDER_DATABASE_URL, else DATABASE_URL
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Whose mail it is
    #[arg(long, default_value = "default")]
    tenant: String,
    /// Roll the transaction of a message back if its subject or id contains TEXT: nothing is stored, nothing is sent
    #[arg(long, value_name = "TEXT")]
    rollback_matching: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// A reason to stop: what to say, and the exit code.
struct Stop(u8, String);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(refused) => ExitCode::from(u8::from(refused > 0)),
        Err(Stop(code, message)) => {
            eprintln!("mail-intake: {message}");
            ExitCode::from(code)
        }
    }
}

/// Takes in everything; returns how many messages were refused.
async fn run(arguments: &Arguments) -> Result<usize, Stop> {
    let mut connection = JoinSet::new();
    let mut client = connect(arguments, &mut connection).await?;
    create_table(&client).await.map_err(|error| stop(&client, &error))?;

    let mut counts = [
        Outcome::Published,
        Outcome::Duplicate,
        Outcome::Conflict,
        Outcome::Disabled,
        Outcome::RolledBack,
    ]
    .map(|outcome| (outcome, 0_usize));
    let mut refused = 0;
    for source in &arguments.sources {
        let messages = mailbox::open(source);
        let messages =
            messages.map_err(|error| Stop(1, format!("{}: {error}", source.display())))?;
        for found in messages {
            match take(&mut client, arguments, found).await? {
                Some(outcome) => {
                    counts.iter_mut().filter(|(o, _)| *o == outcome).for_each(|(_, n)| *n += 1)
                }
                None => refused += 1,
            }
        }
    }
    let counted = counts.iter().filter(|(_, n)| *n > 0);
    let mut words: Vec<_> =
        counted.map(|(outcome, n)| format!("{n} {}", spoken(*outcome))).collect();
    if refused > 0 {
        words.push(format!("{refused} refused"));
    }
    eprintln!(
        "mail-intake: {}",
        if words.is_empty() { "no messages".to_owned() } else { words.join(", ") }
    );
    Ok(refused)
}

/// Takes in one message and prints what became of it; `None` if the message, and not the database, is at fault.
async fn take(
    client: &mut Client,
    arguments: &Arguments,
    found: std::io::Result<Found>,
) -> Result<Option<Outcome>, Stop> {
    let Found { place, raw } = match found {
        Ok(found) => found,
        Err(error) => {
            eprintln!("mail-intake: cannot read a message: {error}");
            return Ok(None);
        }
    };
    let ending = ending(arguments.rollback_matching.as_deref(), &raw);
    match intake(client, &arguments.tenant, &raw, ending).await {
        Ok(taken) => {
            print(&place, &taken, arguments.json)?;
            Ok(Some(taken.outcome))
        }
        Err(error @ (IntakeError::NotMail(_) | IntakeError::Event(_))) => {
            eprintln!("mail-intake: {place}: {}", with_causes(&error));
            Ok(None)
        }
        Err(error) => Err(stop(client, &error)),
    }
}

fn ending(rollback_matching: Option<&str>, raw: &[u8]) -> Ending {
    let (Some(text), Ok(mail)) = (rollback_matching, postrider_examples::mail::Mail::parse(raw))
    else {
        return Ending::Commit;
    };
    let matches = mail.message_id.contains(text)
        || mail.subject.is_some_and(|subject| subject.contains(text));
    if matches { Ending::RollBack } else { Ending::Commit }
}

fn print(place: &str, taken: &Intaken, as_json: bool) -> Result<(), Stop> {
    let (outcome, event_id, mail) = (taken.outcome.as_str(), &taken.event_id, &taken.mail);
    let line = if as_json {
        json!({
            "place": place, "outcome": outcome, "event_id": event_id, "message_id": mail.message_id,
            "from": mail.from, "subject": mail.subject, "attachments": mail.attachments.len(),
        })
        .to_string()
    } else {
        format!("{:<11}  {event_id}  {mail}", spoken(taken.outcome))
    };
    writeln!(std::io::stdout(), "{line}")
        .map_err(|error| Stop(1, format!("standard output: {error}")))
}

fn spoken(outcome: Outcome) -> String {
    outcome.as_str().replace('_', " ")
}

async fn connect(arguments: &Arguments, connection: &mut JoinSet<()>) -> Result<Client, Stop> {
    let from_environment = || {
        ["POSTRIDER_DATABASE_URL", "DATABASE_URL"]
            .into_iter()
            .find_map(|key| std::env::var(key).ok().filter(|url| !url.is_empty()))
    };
    let url = arguments.database_url.clone().or_else(from_environment);
    let url = url.ok_or_else(|| {
        Stop(2, "which database? Give --database-url, or set POSTRIDER_DATABASE_URL".to_owned())
    })?;
    // The URL may hold a password, so no message repeats it.
    let mut config: Config = url.parse().map_err(|error| {
        Stop(2, format!("the database URL is not one: {}", with_causes(&error)))
    })?;
    config.application_name("mail-intake");
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(10));
    }
    let connected = config.connect(NoTls).await;
    let (client, driver) = connected.map_err(|error| {
        Stop(69, format!("the database cannot be reached: {}", with_causes(&error)))
    })?;
    connection.spawn(async move {
        // What goes wrong here comes back as the error of the statement that waits for it.
        let _ = driver.await;
    });
    Ok(client)
}

fn stop(client: &Client, error: &IntakeError) -> Stop {
    let why = with_causes(error);
    if client.is_closed() {
        Stop(69, format!("the database has gone: {why}"))
    } else if error.is_schema_missing() {
        Stop(
            78,
            format!("this database has no Postrider schema ({why})\n  do: postrider migrate up"),
        )
    } else {
        Stop(1, why)
    }
}

/// The error and its causes in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
