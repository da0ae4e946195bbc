//! `configuration.md`: every key, by its table.

use std::fmt::Write as _;

use super::{cell, code, keep};
use crate::config::KEYS;

const HEAD: &str = "\
# Configuration

Written by `just docs-gen` from `crates/postrider-cli/src/config/keys.rs`; a test keeps it true.

A key has its value from the last of these that names it:

1. the default below;
2. one TOML file: that of `--config` or `POSTRIDER_CONFIG`, else `./postrider.toml`, else `/etc/postrider/postrider.toml`;
3. the environment: the variable below. Set but empty counts as not set;
4. a flag of the command, where there is one ([command line](cli.md)).

`postrider config show` prints every key with its value and where that comes from, `postrider config check` everything that is
wrong. All mistakes are reported at once, each with its key and origin. A misspelt key is one of them, and so is a variable that
begins like those of a table, such as `POSTRIDER_WORKER_`, and is none; of other `POSTRIDER_` variables that mean nothing you are warned.

Times are whole numbers with a unit, `ms`, `s`, `m`, `h` or `d`; sizes have `B`, `KiB`, `MiB` or `GiB`. Lists are written with
commas, in a file also as an array. Secrets are shown masked, and can be kept in a file of their own: the key with `_file`
behind it, or the variable with `_FILE`, names it.
";

const TAIL: &str = "
## Variables that are no keys

| variable | means |
| --- | --- |
| `POSTRIDER_CONFIG` | the configuration file |
| `POSTRIDER_PUBLISH` | `off`: the producer library in this process publishes nothing and answers `Disabled` |
| `POSTRIDER_SINK_SECRET` | signing secrets for `postrider sink` |
| `POSTRIDER_SECRET` | signing secrets for `postrider sign` and `postrider verify` |
| `NO_COLOR` | set: no colours |

## Settings in the database

They belong to the installation, and hold for every publisher and worker at once. The table `postrider.installation` has one row:

| column | default | means |
| --- | --- | --- |
| `max_data_bytes` | 262144 | the largest payload, 1 KiB to 1 MiB; Rust services raise the limit of their `Outbox` too |
| `max_endpoints_per_tenant` | 50 | how many endpoints a tenant may have |

`SET postrider.wakeup = off`, for a session, a role or a database, keeps its publishers from the wake-up lock and from NOTIFY. Two-phase
commit needs that. Their events are found by the next poll, within a second.
";

#[test]
fn the_page_on_configuration_is_true() {
    let mut page = HEAD.to_owned();
    let mut table = None;
    for key in KEYS {
        let its_table = key.name.split_once('.').map(|(table, _)| table);
        if table != Some(its_table) {
            table = Some(its_table);
            let heading =
                its_table.map_or_else(|| "Without a table".to_owned(), |t| format!("`[{t}]`"));
            write!(page, "\n## {heading}\n\n| key | variable | default | means |\n| --- | --- | --- | --- |\n")
                .expect("writing to a string does not fail");
        }
        let secret = if key.secret { " (secret)" } else { "" };
        writeln!(
            page,
            "| `{}` | `{}` | {} | {}{secret} |",
            key.name,
            key.variable(),
            code(key.default),
            cell(key.help)
        )
        .expect("writing to a string does not fail");
    }
    page.push_str(TAIL);
    keep("configuration.md", &page);
}
