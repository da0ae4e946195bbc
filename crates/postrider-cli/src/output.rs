//! What people and programs get to see. stdout is data: a table or one JSON document. stderr is talk.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::exit::Failure;

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb.
    #[default]
    Auto,
    Always,
    Never,
}

/// Where to and how to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub json: bool,
    /// Errors only on stderr.
    pub quiet: bool,
    /// Whether stderr is coloured.
    color: bool,
}

impl Output {
    pub(crate) fn new(
        json: bool,
        quiet: bool,
        color: Color,
        environment: &[(String, String)],
    ) -> Self {
        let set = |name: &str| {
            environment.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
        };
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR").is_some() => false,
            Color::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
            Color::Auto => io::stderr().is_terminal() && set("TERM") != Some("dumb"),
        };
        Self { json, quiet, color }
    }

    /// One JSON document, or the table.
    pub(crate) fn data(&self, document: &Value, table: impl FnOnce() -> String) {
        if self.json {
            self.line(&document.to_string());
        } else {
            let table = table();
            if !table.is_empty() {
                self.line(&table);
            }
        }
    }

    /// One line of data. A reader that went away (as `| head`) ends the process quietly, as it ends any other tool.
    pub(crate) fn line(&self, text: &str) {
        let mut out = io::stdout().lock();
        if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
            std::process::exit(0);
        }
    }

    /// Talk: what is going on, not what was asked for.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Talk that should be read.
    pub(crate) fn warn(&self, text: &str) {
        if !self.quiet {
            let label = if self.color { "\u{1b}[33mwarning:\u{1b}[0m" } else { "warning:" };
            let _ = writeln!(io::stderr(), "{label} {text}");
        }
    }

    /// Why the command failed; as JSON too, where JSON was asked for.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let error = json!({ "error": {
                "exit": failure.exit as u8, "what": failure.what, "why": failure.why, "do": failure.remedy,
            }});
            let _ = writeln!(io::stderr(), "{error}");
        } else {
            let label = if self.color { "\u{1b}[31merror:\u{1b}[0m" } else { "error:" };
            let _ = writeln!(io::stderr(), "{label} {failure}");
        }
    }
}

/// A plain table: a head, columns aligned, no lines. No rows: nothing at all.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head);
    table.add_rows(rows);
    if table.is_empty() {
        return String::new();
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Names and values below each other.
pub(crate) fn pairs<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let rows: Vec<(&str, String)> = rows.into_iter().collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = rows.iter().map(|(name, value)| {
        let indent = format!("\n{}", " ".repeat(width + 2));
        format!("{name:width$}  {}", value.replace('\n', &indent))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How long ago, in the largest whole unit: `12s ago`, `3m ago`, `2h ago`, `5d ago`; `in …` for what is to come.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    let size = span(seconds.unsigned_abs());
    if seconds < 0 { format!("in {size}") } else { format!("{size} ago") }
}

/// A number of seconds in its largest whole unit.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A time for people: to the second, in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Text that came from outside, fit for a terminal: control characters escaped, one line, at most `limit` characters.
pub(crate) fn safe(text: &str, limit: usize) -> String {
    let escape = |letter: char| {
        let shown = if letter.is_control() {
            letter.escape_default().to_string()
        } else {
            letter.to_string()
        };
        shown.chars().collect::<Vec<_>>()
    };
    let mut out: String = text.chars().take(limit).flat_map(escape).collect();
    if text.chars().nth(limit).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_plain_and_empty_ones_are_nothing() {
        let rows = [["a".to_owned(), "1".to_owned()], ["long".to_owned(), "22".to_owned()]];
        assert_eq!(table(["NAME", "N"], rows), "NAME  N\na     1\nlong  22");
        assert_eq!(table(["NAME"], []), "");
        assert_eq!(
            pairs([("id", "x".to_owned()), ("types", "a\nb".to_owned())]),
            "id     x\ntypes  a\n       b"
        );
    }

    #[test]
    fn times_are_told_in_their_largest_unit() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let at = |seconds: i64| Timestamp::from_second(1_000_000 - seconds).unwrap();
        for (seconds, shown) in [
            (0, "0s ago"),
            (119, "119s ago"),
            (120, "2m ago"),
            (86_400, "24h ago"),
            (-300, "in 5m"),
            (864_000, "10d ago"),
        ] {
            assert_eq!(ago(at(seconds), now), shown);
        }
    }

    #[test]
    fn text_from_outside_cannot_move_the_cursor() {
        assert_eq!(safe("a\u{1b}[2Jb\r\n", 50), "a\\u{1b}[2Jb\\r\\n");
        assert_eq!(safe("abcdef", 3), "abc…");
    }
}
