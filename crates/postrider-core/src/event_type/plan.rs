//! What becomes of the catalog when a declaration is stored. Decides only.

use serde_json::Value;

use super::Declaration;

/// What a declaration changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The type was not declared before.
    Added,
    Changed,
    /// It says what is there already, apart from white space.
    Unchanged,
}

impl Change {
    /// As people read it: `added`, `changed`, `unchanged`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

/// What the catalog says of a type that is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said<'a> {
    pub description: Option<&'a str>,
    pub example: Option<&'a str>,
    pub schema: Option<&'a str>,
    /// A word of `Check`.
    pub check: &'a str,
}

/// What storing `wanted` would change of what is declared now, if anything is.
#[must_use]
pub fn change(now: Option<Said<'_>>, wanted: &Declaration) -> Change {
    match now {
        None => Change::Added,
        Some(now) if same(&now, &wanted.said()) => Change::Unchanged,
        Some(_) => Change::Changed,
    }
}

fn same(a: &Said<'_>, b: &Said<'_>) -> bool {
    a.description == b.description
        && a.check == b.check
        && same_json(a.example, b.example)
        && same_json(a.schema, b.schema)
}

fn same_json(a: Option<&str>, b: Option<&str>) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    a == b || matches!((a.and_then(read), b.and_then(read)), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(text: &str) -> Declaration {
        Declaration::judge(&serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn white_space_and_order_are_no_change() {
        let now = declared(r#"{"name":"a","example":{"x":1,"y":2},"schema":{"type":"object"}}"#);
        for (text, expected) in [
            (
                r#"{"name":"a","example":{"y":2, "x":1},"schema":{ "type":"object" }}"#,
                Change::Unchanged,
            ),
            (r#"{"name":"a","example":{"x":1},"schema":{"type":"object"}}"#, Change::Changed),
            (r#"{"name":"a","example":{"x":1,"y":2}}"#, Change::Changed),
            (
                r#"{"name":"a","example":{"x":1,"y":2},"schema":{"type":"object"},"schema_check":"report"}"#,
                Change::Changed,
            ),
            (
                r#"{"name":"a","description":"d","example":{"x":1,"y":2},"schema":{"type":"object"}}"#,
                Change::Changed,
            ),
        ] {
            assert_eq!(change(Some(now.said()), &declared(text)), expected, "{text}");
        }
        assert_eq!(change(None, &now), Change::Added);
    }
}
