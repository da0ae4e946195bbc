//! `cli.md`: every command with its arguments and options, as clap knows them.

use clap::{Arg, Command, CommandFactory as _};

use super::{cell, keep};
use crate::args::Cli;
use crate::exit;

const HEAD: &str = "\
# Command line

Written by `just docs-gen` from the definitions in `crates/postrider-cli/src`; a test keeps it true.

Answers go to standard output, everything else to standard error. With `--json` the answer is one JSON document (`sink`, which
goes on, prints one a line), and a failure is one too, on standard error. `completions` prints its script either way.
";

#[test]
fn the_page_on_the_command_line_is_true() {
    let mut root = Cli::command().term_width(0);
    root.build();
    let mut page = HEAD.to_owned();
    page.push_str("\n## Options of every command\n\n");
    page.push_str(&table(root.get_arguments().filter(|arg| arg.is_global_set())));
    page.push_str("\n## Exit codes\n\n| code | means |\n| --- | --- |\n");
    for line in exit::HELP.lines().skip(1) {
        let (number, meaning) = line.trim().split_once(' ').expect("a number and its meaning");
        page.push_str(&format!("| {number} | {} |\n", meaning.trim()));
    }
    for command in root.get_subcommands_mut() {
        describe(command, &mut page);
    }
    keep("cli.md", &page);
}

fn describe(command: &mut Command, page: &mut String) {
    if command.get_name() == "help" {
        return;
    }
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let level = "#".repeat(name.split(' ').count());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.push_str(&format!("\n{level} {name}\n\n{about}.\n"));
    if command.has_subcommands() {
        for command in command.get_subcommands_mut() {
            describe(command, page);
        }
        return;
    }
    page.push_str(&format!("\n    {usage}\n"));
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set() && !arg.is_hide_set())
        .filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"))
        .collect();
    if !own.is_empty() {
        page.push('\n');
        page.push_str(&table(own.into_iter()));
    }
}

fn table<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let rows = arguments.map(|arg| format!("| `{}` | {} |\n", spelling(arg), meaning(arg)));
    format!("| | |\n| --- | --- |\n{}", rows.collect::<String>())
}

/// The argument as one writes it.
fn spelling(arg: &Arg) -> String {
    let names: Vec<String> =
        arg.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>")).collect();
    let value = if arg.get_action().takes_values() { names.join(" ") } else { String::new() };
    let optional = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
    let value = if optional && !value.is_empty() { format!("[{value}]") } else { value };
    let short = arg.get_short().map(|letter| format!("-{letter}"));
    let long = arg.get_long().map(|word| format!("--{word}"));
    let flags: Vec<String> = [short, long].into_iter().flatten().collect();
    [flags.join(", "), value]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn meaning(arg: &Arg) -> String {
    let mut meaning = cell(&arg.get_help().map(ToString::to_string).unwrap_or_default());
    if !arg.get_action().takes_values() {
        return meaning;
    }
    let possible = arg.get_possible_values();
    let values: Vec<String> =
        possible.iter().map(|value| format!("`{}`", value.get_name())).collect();
    if !values.is_empty() {
        meaning.push_str(&format!(": {}", values.join(", ")));
    }
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    if !defaults.is_empty() {
        meaning.push_str(&format!(" (default {})", defaults.join(" ")));
    }
    meaning
}
