//! `postrider endpoints secrets`: what an endpoint's requests are signed with, and how that changes without a gap.

use std::path::PathBuf;
use std::time::Duration;

use postrider_core::ids::EndpointId;
use postrider_core::input::InputError;
use postrider_core::signing::{MAX_LIVE_SECRETS, SecretKind};
use postrider_store::admin::endpoints;
use postrider_store::admin::secrets::{self, Lack, Overlap, Revoked, Rotated};
use serde_json::json;
use uuid::Uuid;

use super::request;
use crate::commands::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::output::{pairs, table, time};
use crate::{input, lookup};

/// How long the secrets before a new one usually go on signing.
const USUAL_OVERLAP: Duration = Duration::from_secs(86_400);

/// What to do with the secrets of an endpoint.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List them, newest first, without the secrets
    List(super::Id),
    /// Add a secret that signs from now on, and give those before it an end
    Rotate(Rotate),
    /// Remove one at once
    Revoke(Revoke),
}

/// Options of `rotate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Rotate {
    /// The endpoint: whk_… or the beginning of it
    #[arg(value_name = "ENDPOINT")]
    id: String,
    /// How long the secrets that have no end yet go on signing; forever: they keep none. Default: 24h; beside an ed25519 key forever
    #[arg(long, value_name = "SPAN", value_parser = overlap)]
    overlap: Option<Overlap>,
    /// The kind of the new one: standard (whsec_…), ed25519 (whsk_…) or opaque
    #[arg(long, value_name = "KIND", default_value = "standard", value_parser = request::kind)]
    kind: SecretKind,
    /// File with a secret of your own, or - for standard input; none: one is made
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// Options of `revoke`.
#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    /// The endpoint: whk_… or the beginning of it
    #[arg(value_name = "ENDPOINT")]
    id: String,
    /// The secret's id, as the list shows it
    #[arg(value_name = "SECRET")]
    secret: Uuid,
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::List(args) => list(context, database, &args.id).await,
        Command::Rotate(args) => rotate(context, database, &args).await,
        Command::Revoke(args) => revoke(context, database, &args).await,
    }
}

async fn list(context: &Context, database: &Database, id: &str) -> Ended {
    let endpoint = lookup::endpoint(&database.db, id).await?;
    let secrets = endpoints::secrets(&database.db, endpoint.id).await?;
    let data: Vec<_> = secrets.iter().map(super::show::secret_document).collect();
    context.out.data(&json!({ "data": data }), || {
        table(
            ["ID", "KIND", "SINCE", "UNTIL", "PUBLIC KEY"],
            secrets.iter().map(|secret| {
                [
                    secret.id.to_string(),
                    secret.kind_name().to_owned(),
                    time(secret.created_at),
                    secret.expires_at.map_or("for ever".to_owned(), time),
                    secret.public_key.clone().unwrap_or_default(),
                ]
            }),
        )
    });
    Ok(Exit::Done)
}

async fn rotate(context: &Context, database: &Database, args: &Rotate) -> Ended {
    let (secret, brought) = request::secret(args.kind, args.secret_file.as_deref())?;
    let endpoint = lookup::endpoint(&database.db, &args.id).await?;
    super::fields::check_sent_to(&endpoint)?;
    let keys = context.keys()?;
    let overlap = args.overlap();
    let rotated = secrets::rotate(&database.db, &keys, endpoint.id, &secret, overlap).await?;
    let (id, created_at) = match rotated {
        Rotated::Added { id, created_at } => (id, created_at),
        Rotated::Full => {
            return Err(Failure::new(
                Exit::Failed,
                format!("{} has {MAX_LIVE_SECRETS} live secrets already", endpoint.id),
            )
            .remedy("wait until one has ended, or \"postrider endpoints secrets revoke\" one"));
        }
        Rotated::Lacking(lack) => return Err(lacking(lack, "kind", endpoint.id)),
        Rotated::Gone => {
            return Err(Failure::new(
                Exit::Missing,
                format!("there is no endpoint {}", endpoint.id),
            ));
        }
    };
    // Nobody but us needs the private half of a key pair.
    let shown = (!brought && secret.is_symmetric()).then(|| secret.expose());
    let shown = shown.as_ref().map(|text| text.as_str());
    let public_key = secret.public_key();
    let document = json!({
        "id": id, "endpoint": endpoint.id, "kind": args.kind.as_str(), "created_at": created_at,
        "secret": shown, "public_key": public_key,
    });
    context.out.data(&document, || {
        pairs([
            ("id", id.to_string()),
            ("endpoint", endpoint.id.to_string()),
            ("kind", args.kind.to_string()),
            ("since", time(created_at)),
            match (&public_key, shown) {
                (Some(key), _) => ("public key", key.clone()),
                (None, shown) => {
                    ("secret", shown.unwrap_or("yours, as it is in the file").to_owned())
                }
            },
        ])
    });
    if shown.is_some() {
        context.out.note("\nThe secret is shown this once. Both it and those before it sign until those have ended.");
    }
    if overlap == Overlap::Forever {
        context.out.note("\nThe secrets before it stay until each is revoked or has reached the end that it had.");
    }
    Ok(Exit::Done)
}

impl Rotate {
    /// A key pair comes beside the other secrets: what they sign, it cannot.
    fn overlap(&self) -> Overlap {
        self.overlap.unwrap_or(match self.kind {
            SecretKind::Ed25519 => Overlap::Forever,
            SecretKind::Standard | SecretKind::Opaque => Overlap::For(USUAL_OVERLAP),
        })
    }
}

async fn revoke(context: &Context, database: &Database, args: &Revoke) -> Ended {
    let endpoint = lookup::endpoint(&database.db, &args.id).await?;
    context.confirm(&format!("remove the secret {} of {} at once", args.secret, endpoint.id))?;
    match secrets::revoke(&database.db, endpoint.id, args.secret).await? {
        Revoked::Done { kept } => {
            let document = json!({ "id": args.secret, "revoked": true, "kept": kept });
            context.out.data(&document, || match kept {
                Some(kept) => format!("revoked {}; {kept} has no end any more", args.secret),
                None => format!("revoked {}", args.secret),
            });
            Ok(Exit::Done)
        }
        Revoked::Last => Err(Failure::new(Exit::Failed, "it is the only live secret")
            .why("without one nothing could be signed")
            .remedy(format!("postrider endpoints secrets rotate {} --overlap 0s", endpoint.id))),
        Revoked::Lacking(lack) => Err(lacking(lack, "secret", endpoint.id)),
        Revoked::Gone => Err(Failure::new(
            Exit::Missing,
            format!("{} has no secret {}", endpoint.id, args.secret),
        )),
    }
}

/// What is refused because requests would lack a signature, and the field that would bring it about.
fn lacking(lack: Lack, field: &str, endpoint: EndpointId) -> Failure {
    let (code, detail, remedy) = match lack {
        Lack::Signature => (
            "signing.unsigned",
            "only opaque secrets would be left, which sign profiles and nothing else, and there is no profile: \
             its requests would have no signature",
            format!(
                "name a profile with \"postrider endpoints update {endpoint} --sign …\", or give it a standard or ed25519 secret"
            ),
        ),
        Lack::Profiles => (
            "signing.secret",
            "only key pairs would be left, which sign no profile: its requests would lose the headers of theirs",
            format!(
                "keep the others with --overlap forever, rotate a standard secret in, \
                 or take the profiles away with \"postrider endpoints update {endpoint} --sign none\""
            ),
        ),
    };
    Failure::from(InputError::new(field, code, detail)).remedy(remedy)
}

/// For clap: a length of time, or `forever`.
fn overlap(text: &str) -> Result<Overlap, String> {
    if text == "forever" {
        return Ok(Overlap::Forever);
    }
    let span = input::span(text)?;
    match span <= Duration::from_secs(366 * 86_400) {
        true => Ok(Overlap::For(span)),
        false => Err("must be at most 366d, or forever".to_owned()),
    }
}
