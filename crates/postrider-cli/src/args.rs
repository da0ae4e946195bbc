//! The command line: one tree, noun then verb. Each command's own options are beside the command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    api, api_keys, apply, audit, completions, config, deliveries, demo, egress, endpoints, events,
    explain, failed, filters, jobs, keys, listen, man, migrate, prune, recover, run, sign, sink,
    switch, tenants, trigger, types, verify,
};
use crate::config::Flags;
use crate::exit;
use crate::output::Color;

/// Publish webhook events inside your own PostgreSQL transactions; deliver them signed, with retries, until accepted.
#[derive(Debug, Parser)]
#[command(name = "postrider", version, after_long_help = exit::HELP, propagate_version = true, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Database to use, as postgres://user:password@host:port/database; none: an embedded server in the data folder
    #[arg(long, short = 'd', global = true, value_name = "URL", help_heading = "Everywhere")]
    pub database_url: Option<String>,
    /// Configuration file; none: ./postrider.toml, then /etc/postrider/postrider.toml
    #[arg(long, short = 'c', global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<PathBuf>,
    /// Folder of the embedded database
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub data_dir: Option<PathBuf>,
    /// Folder of the PostgreSQL server binaries for the embedded database
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub pg_bin_dir: Option<PathBuf>,
    /// Answer with one JSON document
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// Say nothing but what was asked for, and errors
    #[arg(long, short, global = true, help_heading = "Everywhere")]
    pub quiet: bool,
    /// Log more; twice: much more
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
    /// Do not ask before destroying anything
    #[arg(long, short, global = true, help_heading = "Everywhere")]
    pub yes: bool,
    /// When to colour
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Everywhere"
    )]
    pub color: Color,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon: fan events out, deliver them, keep the tables tidy
    Run(run::Args),
    /// Look after the database schema
    #[command(subcommand)]
    Migrate(migrate::Command),
    /// Where tenants want events sent
    #[command(subcommand)]
    Endpoints(Box<endpoints::Command>),
    /// What was published
    #[command(subcommand)]
    Events(events::Command),
    /// What is owed to endpoints, and what came of it
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// Send an endpoint once more what it failed to get, or missed
    Recover(recover::Args),
    /// Bulk work in the background
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Why an event went to an endpoint of its tenant, or did not
    Explain(explain::Args),
    /// What a filter says of events
    #[command(subcommand)]
    Filters(filters::Command),
    /// Make tenants and endpoints what a file says they are
    Apply(apply::Args),
    /// Events that could not be fanned out, and best-effort publishes that failed
    #[command(subcommand)]
    Failed(failed::Command),
    /// Where requests of single tenants may go, and what becomes of a URL
    #[command(subcommand)]
    Egress(egress::Command),
    /// What is set of single tenants, above all what they may do at once
    #[command(subcommand)]
    Tenants(tenants::Command),
    /// The catalog of event types: what they are, and what their payloads look like
    #[command(subcommand)]
    Types(types::Command),
    /// Publish the example that the catalog has of an event type
    Trigger(trigger::Args),
    /// The kill switch of publishing
    #[command(subcommand)]
    Switch(switch::Command),
    /// Who may ask the API
    #[command(subcommand)]
    ApiKeys(api_keys::Command),
    /// What was changed, by whom, from where
    #[command(subcommand)]
    Audit(audit::Command),
    /// The master keys that seal secrets
    #[command(subcommand)]
    Keys(keys::Command),
    /// How the installation stands, on one screen
    Status,
    /// Look at the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Remove what is older than the configured retention
    Prune(prune::Args),
    /// Ask the API of a daemon, here or elsewhere, for anything that it has
    Api(api::Args),
    /// Hear events as they are committed, and post them to a receiver on this machine
    Listen(listen::Args),
    /// Receive webhooks on this machine, verify them, and fail on purpose
    Sink(sink::Args),
    /// Sign a body as postrider does
    Sign(sign::Args),
    /// Verify a signature, and say what is wrong with it
    Verify(verify::Args),
    /// Show the whole job in one process
    Demo(demo::Args),
    /// Print the version
    Version,
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page, or write one for each command
    Man(man::Args),
}

impl Global {
    /// What the global options say about the configuration.
    pub(crate) fn flags(&self) -> Flags {
        let mut flags = Flags { file: self.config.clone(), ..Flags::default() };
        let path = |path: &PathBuf| path.display().to_string();
        flags.set("database.url", "--database-url", self.database_url.clone());
        flags.set("data_dir", "--data-dir", self.data_dir.as_ref().map(path));
        flags.set("pg_bin_dir", "--pg-bin-dir", self.pg_bin_dir.as_ref().map(path));
        flags
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_anywhere() {
        let before =
            Cli::try_parse_from(["postrider", "--json", "-d", "postgres://h/x", "status"]).unwrap();
        let after =
            Cli::try_parse_from(["postrider", "status", "--json", "-d", "postgres://h/x"]).unwrap();
        for cli in [before, after] {
            assert!(cli.global.json);
            assert_eq!(
                cli.global.flags().values,
                [("database.url", "--database-url", "postgres://h/x".to_owned())]
            );
        }
    }

    #[test]
    fn every_command_of_the_tree_parses() {
        for line in [
            "run --once --role fanout,delivery --dev --migrate",
            "migrate up",
            "migrate status",
            "migrate print",
            "endpoints add https://example.com/h --tenant acme --types email.*,order.paid --header X-A:1",
            "endpoints add --types email.* --types x https://example.com/h",
            "endpoints list --tenant acme",
            "endpoints show whk_0",
            "endpoints update whk_0 --url https://example.com/x",
            "endpoints delete whk_0 --yes",
            "endpoints test whk_0",
            "endpoints enable whk_0",
            "endpoints secrets list whk_0",
            "endpoints secrets rotate whk_0 --overlap 1h --kind ed25519",
            "endpoints secrets rotate whk_0 --overlap forever --kind opaque --secret-file -",
            "endpoints secrets revoke whk_0 00000000-0000-0000-0000-000000000000",
            "endpoints add https://example.com/h --format raw --sign stripe=X-E2A-Signature,github --auth-file f",
            "endpoints update whk_0 --sign none --no-auth --no-tls",
            "keys list",
            "keys rotate --dry-run --json",
            "endpoints disable whk_0",
            "endpoints pause whk_0 --reason maintenance",
            "endpoints resume whk_0",
            "tenants list",
            "tenants show acme",
            "tenants set acme --max-in-flight 5 --capture-engagement-events true",
            "audit export --tenant acme --since 1d",
            "events publish email.sent --key m1 --key x --data {}",
            "events list --since 2h --type email.*",
            "events show evt_0",
            "events tail --types email.* --jsonl",
            "events wait evt_0 --for fanned-out --timeout 5s",
            "listen --forward-to localhost:3000/hook --types a,b.* --print headers,body --fail-first 2",
            "listen --server http://127.0.0.1:8080 --api-key-file - --jsonl --expect 3",
            "endpoints add --pull --types email.*",
            "endpoints add https://example.com/h --backfill-since 7d --backfill-rate 100",
            "deliveries list --status exhausted",
            "deliveries show whd_0",
            "deliveries retry whd_0",
            "deliveries cancel whd_0",
            "events redeliver evt_0 --endpoint whk_0 --tenant acme",
            "explain evt_0 --tenant acme",
            "recover whk_0 --since 2h --missed --type email.*,order.paid --rate 100 --dry-run",
            "recover whk_0 --since 2026-11-21T10:00:00Z --status exhausted,rejected --reason outage --wait --yes",
            "jobs list --tenant acme",
            "jobs show job_0123456789abcdef0123456789abcdef",
            "jobs stop job_0123456789abcdef0123456789abcdef",
            "api-keys create ci --tenant acme --scope read,publish --expires-in 90d",
            "api-keys create ops --admin",
            "api-keys list --tenant acme",
            "api-keys revoke key_0123456789abcdef0123456789abcdef",
            "audit list --tenant acme --action endpoint.updated --since 1d",
            "failed list",
            "failed requeue --all",
            "egress set acme --allow-cidrs 10.1.0.0/16,fd00::/8 --deny-cidrs 9.9.9.9 --ports 443,8443",
            "egress clear acme",
            "egress list --tenant acme",
            "egress check https://example.com/h --tenant acme",
            "tenants limits set acme --max-in-flight 20 --rate-limit none",
            "tenants limits clear acme",
            "tenants limits show",
            "types list --undeclared --limit 10 --after a.b",
            "types show user.signed_up",
            "types set user.signed_up --description x --schema @s.json --example {} --check enforce",
            "types set user.signed_up --no-schema --no-example",
            "types delete user.signed_up --yes",
            "types import catalog.json --dry-run",
            "types export --out catalog.json",
            "types gen --lang rust --out events.rs",
            "types gen --lang typescript",
            "types strict on",
            "types strict",
            "trigger user.signed_up --tenant acme --set user.id=7 --set tags.0=vip --count 10 --rate 5 --json",
            "switch off --tenant acme --reason x",
            "switch on",
            "switch list",
            "status",
            "config check",
            "config show",
            "prune --dry-run",
            "sink --port 0 --expect 1 --timeout 5s",
            "sign --id evt_1 --secret-file x",
            "verify --id evt_1 --timestamp 1 --signature v1,x --secret-file x",
            "demo --once",
            "version",
            "completions bash",
            "man --dir pages",
            "apply -f postrider-endpoints.toml --prune --dry-run --json",
            "filters test --types order.* --filter {} --last 200 --tenant acme",
            "filters test --event {} --json",
        ] {
            let words = std::iter::once("postrider").chain(line.split(' '));
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
        }
    }
}
