//! The operators: objects of one key inside a list, such as `{"prefix": "a"}`.

use std::ops::Bound;

use ipnet::IpNet;
use serde_json::Value;

use super::{Compiled, Kind, Object, Reader, check_length, mistyped, scalar, take};
use crate::filter::any_of::AnyOf;
use crate::filter::fold::folded;
use crate::filter::numeric::Range;
use crate::filter::rule::{Not, Rule, TextRule};
use crate::filter::wildcard::{BadWildcard, Wildcard};
use crate::filter::{FilterError, MAX_OPERATORS, MAX_VALUES, Scalar};

const OPERATORS: &str =
    "prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists and cidr";
const IGNORE_CASE: &str = "equals-ignore-case";

/// An item of a list that is no plain value.
pub(super) enum Item {
    Rule(Rule),
    Exists(bool),
}

/// Whether somebody forgot the list around an operator, which would be read as a key that no event has.
pub(super) fn is_misplaced(key: &str, value: &Value) -> bool {
    let is_comparison =
        |value: &Value| matches!(value.as_str(), Some("<" | "<=" | "=" | ">=" | ">"));
    match key {
        IGNORE_CASE | "anything-but" => true,
        "numeric" => value.as_array().is_some_and(|list| list.first().is_some_and(is_comparison)),
        _ => false,
    }
}

impl Reader {
    pub(super) fn operator(&mut self, at: &str, object: &Object, kind: Kind) -> Compiled<Item> {
        let (name, value) = single(at, object)?;
        let at = FilterError::pointer_to(at, name);
        Ok(Item::Rule(match name {
            "exists" => {
                let exists = value.as_bool();
                return exists.map(Item::Exists).ok_or_else(|| bad(&at, "must be true or false"));
            }
            "numeric" if kind == Kind::Texts => {
                return Err(mistyped(&at, "labels, types and tenants are texts"));
            }
            "numeric" => {
                self.count(&at)?;
                Rule::Numeric(range(&at, value)?)
            }
            "cidr" => {
                self.count(&at)?;
                Rule::Cidr(network(&at, value)?)
            }
            "anything-but" => Rule::AnythingBut(self.anything_but(&at, value, kind)?),
            _ => Rule::Text(self.text_rule(&at, name, value)?),
        }))
    }

    /// What must not be: a value, a list of values, or an operator on texts with one argument or a list.
    fn anything_but(&mut self, at: &str, value: &Value, kind: Kind) -> Compiled<Not> {
        if let Value::Object(object) = value {
            let (name, value) = single(at, object)?;
            let at = FilterError::pointer_to(at, name);
            let rules =
                self.each(&at, value, |reader, at, value| reader.text_rule(at, name, value))?;
            return Ok(Not::Texts(rules.into()));
        }
        self.count(at)?;
        let values = self.each(at, value, |_, at, value| scalar(at, value, kind))?;
        Ok(Not::Values(AnyOf::new(values)))
    }

    /// Counts an operator that is asked about each value.
    fn count(&mut self, at: &str) -> Compiled<()> {
        take(&mut self.operators_left, 1, at, MAX_OPERATORS, "operators")
    }

    /// Reads a value, or each of a list.
    fn each<T>(
        &mut self,
        at: &str,
        value: &Value,
        read: impl Fn(&mut Self, &str, &Value) -> Compiled<T>,
    ) -> Compiled<Vec<T>> {
        if !value.is_array() {
            take(&mut self.values_left, 1, at, MAX_VALUES, "values")?;
            return Ok(vec![read(self, at, value)?]);
        }
        let items = self.items(at, value)?;
        items
            .iter()
            .enumerate()
            .map(|(index, item)| read(self, &format!("{at}/{index}"), item))
            .collect()
    }

    fn text_rule(&mut self, at: &str, name: &str, value: &Value) -> Compiled<TextRule> {
        self.count(at)?;
        Ok(match (name, value) {
            ("prefix", Value::Object(object)) => {
                TextRule::PrefixIgnoreCase(folded(ignoring_case(at, object)?))
            }
            ("suffix", Value::Object(object)) => {
                TextRule::SuffixIgnoreCase(folded(ignoring_case(at, object)?))
            }
            ("prefix", _) => TextRule::Prefix(text(at, value)?.into()),
            ("suffix", _) => TextRule::Suffix(text(at, value)?.into()),
            (IGNORE_CASE, _) => TextRule::EqualsIgnoreCase(folded(text(at, value)?)),
            ("wildcard", _) => {
                let wildcard = Wildcard::compile(text(at, value)?);
                TextRule::Wildcard(wildcard.map_err(|error| bad_wildcard(at, error))?)
            }
            _ => {
                let detail = format!("is no operator; there are {OPERATORS}");
                return Err(FilterError::new(at, "filter.unknown_operator", detail));
            }
        })
    }
}

/// The operator and its argument.
fn single<'v>(at: &str, object: &'v Object) -> Compiled<(&'v str, &'v Value)> {
    let mut pairs = object.iter();
    match (pairs.next(), pairs.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        (None, _) => Err(FilterError::new(at, "filter.empty", "names no operator")),
        (Some(_), Some(_)) => {
            let detail = "names more than one operator; give each an object of its own";
            Err(FilterError::new(at, "filter.unknown_operator", detail))
        }
    }
}

/// The text of `{"equals-ignore-case": text}`, inside prefix or suffix.
fn ignoring_case<'v>(at: &str, object: &'v Object) -> Compiled<&'v str> {
    let (name, value) = single(at, object)?;
    let at = FilterError::pointer_to(at, name);
    if name != IGNORE_CASE {
        let detail = "is no operator here; there is equals-ignore-case";
        return Err(FilterError::new(at, "filter.unknown_operator", detail));
    }
    text(&at, value)
}

fn text<'v>(at: &str, value: &'v Value) -> Compiled<&'v str> {
    let text = value.as_str().ok_or_else(|| bad(at, "must be a text"))?;
    check_length(at, text)?;
    Ok(text)
}

/// Reads `[comparison, number]` or `[comparison, number, comparison, number]`, the lower end first.
fn range(at: &str, value: &Value) -> Compiled<Range> {
    let list = value.as_array().ok_or_else(|| bad(at, "must be a list such as [\">\", 0]"))?;
    let parts: Vec<_> =
        list.chunks(2).map(|part| comparison(at, part)).collect::<Result<_, _>>()?;
    let range = match &parts[..] {
        [("=", number)] => {
            Range { low: Bound::Included(number.clone()), high: Bound::Included(number.clone()) }
        }
        [one @ (">" | ">=", _)] => Range { low: bound(one), high: Bound::Unbounded },
        [one] => Range { low: Bound::Unbounded, high: bound(one) },
        [low @ (">" | ">=", _), high @ ("<" | "<=", _)] => {
            Range { low: bound(low), high: bound(high) }
        }
        _ => return Err(bad(at, "must be one comparison, or > or >= followed by < or <=")),
    };
    if range.is_empty() {
        return Err(bad(at, "is a range that no number lies in"));
    }
    Ok(range)
}

fn comparison<'v>(at: &str, part: &'v [Value]) -> Compiled<(&'v str, Scalar)> {
    if let [Value::String(name), number @ Value::Number(_)] = part
        && matches!(name.as_str(), "=" | "<" | "<=" | ">" | ">=")
        && let Some(number) = Scalar::from_value(number)
    {
        return Ok((name, number));
    }
    Err(bad(at, "must hold =, <, <=, > or >=, each followed by a number"))
}

fn bound((name, number): &(&str, Scalar)) -> Bound<Scalar> {
    match *name {
        ">" | "<" => Bound::Excluded(number.clone()),
        _ => Bound::Included(number.clone()),
    }
}

fn network(at: &str, value: &Value) -> Compiled<IpNet> {
    let net = text(at, value)?.parse::<IpNet>();
    net.map_err(|_| bad(at, "must be a network such as 10.0.0.0/8 or 2001:db8::/32"))
}

fn bad(at: &str, detail: &str) -> FilterError {
    FilterError::new(at, "filter.operand", detail)
}

fn bad_wildcard(at: &str, error: BadWildcard) -> FilterError {
    let code = match error {
        BadWildcard::TooManyStars => "filter.size",
        BadWildcard::TwoStars | BadWildcard::Escape => "filter.operand",
    };
    FilterError::new(at, code, error.detail())
}
