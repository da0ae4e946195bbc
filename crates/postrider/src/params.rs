//! How the parts of an event travel to PostgreSQL: text stays text, nothing is parsed or rendered twice.

use std::error::Error;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// JSON text as `json` or `jsonb`. For `json` PostgreSQL keeps it byte for byte.
#[derive(Debug)]
pub(crate) struct JsonText<'a>(pub(crate) &'a str);

impl ToSql for JsonText<'_> {
    fn to_sql(
        &self,
        of_type: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if *of_type == Type::JSONB {
            out.put_u8(1); // the only version of jsonb's wire format
        }
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(of_type: &Type) -> bool {
        *of_type == Type::JSON || *of_type == Type::JSONB
    }

    to_sql_checked!();
}

/// A duration as `interval`, in whole microseconds.
#[derive(Debug)]
pub(crate) struct Interval(pub(crate) Duration);

impl ToSql for Interval {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(i64::try_from(self.0.as_micros())?);
        out.put_i32(0); // days
        out.put_i32(0); // months
        Ok(IsNull::No)
    }

    fn accepts(of_type: &Type) -> bool {
        *of_type == Type::INTERVAL
    }

    to_sql_checked!();
}

/// A list of texts, some of which may be absent, as the text of a PostgreSQL array.
pub(crate) fn array_literal(values: impl Iterator<Item = Option<impl AsRef<str>>>) -> String {
    let mut out = String::from("{");
    for value in values {
        if out.len() > 1 {
            out.push(',');
        }
        let Some(value) = value else {
            out.push_str("NULL");
            continue;
        };
        out.push('"');
        for c in value.as_ref().chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_literals_quote_every_value() {
        let cases = [
            (vec![], "{}"),
            (vec![Some("vip")], r#"{"vip"}"#),
            (vec![None, Some(""), None], r#"{NULL,"",NULL}"#),
            (vec![Some("a,b"), Some("NULL"), Some(" ")], r#"{"a,b","NULL"," "}"#),
            (vec![Some(r#"say "hi""#), Some(r"back\slash")], r#"{"say \"hi\"","back\\slash"}"#),
        ];
        for (values, expected) in cases {
            assert_eq!(array_literal(values.into_iter()), expected);
        }
    }
}
