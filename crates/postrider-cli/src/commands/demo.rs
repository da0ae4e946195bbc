//! `postrider demo`: the whole job in one process, on real parts: database, daemon, receiver, and twenty mails.
//!
//! Each mail is stored and published in one transaction. One transaction is rolled back, one message comes twice, and the
//! receiver fails once on purpose. `stage` sets it all up, `show` tells what happens and counts.

mod show;
mod stage;

use std::time::Duration;

use super::Ended;
use crate::config::Flags;
use crate::context::Context;
use crate::input;
use show::Show;
use stage::Stage;

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Exit when every event has arrived: 0 if all went well
    #[arg(long)]
    once: bool,
    /// Port of the receiver on 127.0.0.1; 0: a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// How long everything may take to arrive
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = input::span)]
    timeout: Duration,
}

impl Args {
    /// What the demo needs of the configuration: its receiver is on this machine.
    pub(crate) fn flags(&self, mut flags: Flags) -> Flags {
        flags.dev = true;
        flags.set("admin.listen", "demo", Some("off".to_owned()));
        flags
    }
}

pub(crate) async fn run(mut context: Context, args: &Args) -> Ended {
    // A cluster of its own: the worker of a `run` beside it must not take what this receiver shall get.
    context.config.data_dir.push("demo");
    let mut stage = Box::pin(Stage::set(&context, args.port)).await?;
    let mut show = Show::new(context.out);
    let ended = tokio::select! {
        ended = Box::pin(perform(&mut stage, &mut show, args)) => ended,
        () = input::interruption() => Ok(show.interrupted()),
    };
    stage.clear(&context.out).await;
    ended
}

async fn perform(stage: &mut Stage, show: &mut Show, args: &Args) -> Ended {
    show.setting(stage);
    show.rolled_back(stage).await?;
    show.mails(stage).await?;
    let ended = show.arrivals(stage, args.timeout).await;
    if args.once || ended.is_err() {
        return ended;
    }
    show.stay(stage).await;
    ended
}
