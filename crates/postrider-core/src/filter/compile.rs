//! Reads a filter from JSON and makes clauses of it, within limits, so that no filter can be costly.

mod operators;

use serde_json::{Map, Value};

use super::alternatives::Alternatives;
use super::clause::{Clause, Source, Test};
use super::rule::Rule;
use super::{
    FilterError, MAX_COST, MAX_DEPTH, MAX_LISTS, MAX_OPERATORS, MAX_TEXT_BYTES, MAX_VALUES, Scalar,
};
use operators::Item;

/// The short form's keys for attributes, and which attribute each means.
const SHORT_KEYS: [(&str, &str); 2] =
    [("agent_ids", "agent_id"), ("conversation_ids", "conversation_id")];

const OR: &str = "$or";
const ROOT: &str = "/filter";

type Object = Map<String, Value>;
type Compiled<T> = Result<T, FilterError>;

/// Reads a whole filter.
pub(super) fn compile(filter: &Value) -> Compiled<Vec<Clause>> {
    if is_deeper_than(filter, MAX_DEPTH) {
        let detail = format!("nests deeper than {MAX_DEPTH} levels");
        return Err(FilterError::new(ROOT, "filter.depth", detail));
    }
    let object = object(ROOT, filter)?;
    let mut reader = Reader {
        values_left: MAX_VALUES,
        lists_left: MAX_LISTS,
        operators_left: MAX_OPERATORS,
        cost_left: MAX_COST,
    };
    if SHORT_KEYS.iter().any(|(key, _)| object.contains_key(*key)) {
        reader.short_form(object)
    } else {
        reader.pattern(ROOT, object)
    }
}

/// Which values a field can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Texts,
    Scalars,
}

/// What may still be read.
struct Reader {
    values_left: usize,
    lists_left: usize,
    operators_left: usize,
    cost_left: u32,
}

impl Reader {
    /// The keys of an event.
    fn pattern(&mut self, at: &str, object: &Object) -> Compiled<Vec<Clause>> {
        let mut clauses = Vec::new();
        for (key, value) in object {
            let at = FilterError::pointer_to(at, key);
            match key.as_str() {
                "type" => clauses.push(self.list(at, Source::Type, value, Kind::Texts)?),
                "tenant_id" => clauses.push(self.list(at, Source::Tenant, value, Kind::Texts)?),
                "labels" => clauses.push(self.list(at, Source::Labels, value, Kind::Texts)?),
                "attributes" => clauses.extend(self.attributes(&at, not_empty(&at, value)?)?),
                "data" => clauses.push(self.data(at, Source::Data, value)?),
                OR => clauses.push(self.either(at, value, Self::pattern)?),
                _ => return Err(unknown_key(at)),
            }
        }
        Ok(clauses)
    }

    /// The short form comes from callers who always write all of its keys, so there nothing asked for is no constraint.
    fn short_form(&mut self, object: &Object) -> Compiled<Vec<Clause>> {
        let mut clauses = Vec::new();
        for (key, value) in object {
            let at = FilterError::pointer_to(ROOT, key);
            let attribute = SHORT_KEYS.iter().find(|(short, _)| short == key);
            let source = match attribute {
                Some((_, name)) => Source::Attribute((*name).into()),
                None if key == "labels" => Source::Labels,
                None => return Err(unknown_key(at)),
            };
            if value.is_null() || value.as_array().is_some_and(Vec::is_empty) {
                continue;
            }
            let mut texts = Vec::new();
            for (index, item) in self.items(&at, value)?.iter().enumerate() {
                let at = format!("{at}/{index}");
                check_text(&at, item)?;
                let text = item.as_str().ok_or_else(|| mistyped(&at, "must be a text"))?;
                texts.push(Scalar::Text(text.into()));
            }
            let wanted = Alternatives::exactly(texts);
            clauses.push(Clause { pointer: at.into(), test: Test::Value { of: source, wanted } });
        }
        Ok(clauses)
    }

    fn attributes(&mut self, at: &str, object: &Object) -> Compiled<Vec<Clause>> {
        let mut clauses = Vec::new();
        for (name, value) in object {
            let at = key_pointer(at, name)?;
            clauses.push(if name == OR {
                self.either(at, value, Self::attributes)?
            } else {
                self.list(at, Source::Attribute(name.as_str().into()), value, Kind::Scalars)?
            });
        }
        Ok(clauses)
    }

    /// The data or a key in it: a list of what it may be, or an object of further keys.
    fn data(&mut self, at: String, of: Source, value: &Value) -> Compiled<Clause> {
        if !value.is_object() {
            return self.list(at, of, value, Kind::Scalars);
        }
        let clauses = self.keys(&at, not_empty(&at, value)?)?.into();
        Ok(Clause { pointer: at.into(), test: Test::Within { of, clauses } })
    }

    fn keys(&mut self, at: &str, object: &Object) -> Compiled<Vec<Clause>> {
        let mut clauses = Vec::new();
        for (key, value) in object {
            let at = key_pointer(at, key)?;
            if operators::is_misplaced(key, value) {
                let detail = "an operator stands in a list, such as [{\"prefix\": \"a\"}]";
                return Err(FilterError::new(at, "filter.operand", detail));
            }
            clauses.push(if key == OR {
                self.either(at, value, Self::keys)?
            } else {
                self.data(at, Source::Key(key.as_str().into()), value)?
            });
        }
        Ok(clauses)
    }

    /// `$or`: a list of objects, each read as the object around it is.
    fn either(
        &mut self,
        at: String,
        value: &Value,
        read: fn(&mut Self, &str, &Object) -> Compiled<Vec<Clause>>,
    ) -> Compiled<Clause> {
        let mut branches = Vec::new();
        for (index, branch) in self.items(&at, value)?.iter().enumerate() {
            let at = format!("{at}/{index}");
            branches.push(read(self, &at, not_empty(&at, branch)?)?.into());
        }
        Ok(Clause { pointer: at.into(), test: Test::Either { branches: branches.into() } })
    }

    /// What one field may be.
    fn list(&mut self, at: String, of: Source, value: &Value, kind: Kind) -> Compiled<Clause> {
        let (mut exact, mut rules, mut presence, mut absence) = (vec![], vec![], false, false);
        for (index, item) in self.items(&at, value)?.iter().enumerate() {
            let at = format!("{at}/{index}");
            match item {
                Value::Object(object) => match self.operator(&at, object, kind)? {
                    Item::Rule(rule) => rules.push(rule),
                    Item::Exists(true) => presence = true,
                    Item::Exists(false) => absence = true,
                },
                value => exact.push(scalar(&at, value, kind)?),
            }
        }
        // Elsewhere there are few values; in data a list may have a hundred thousand.
        if matches!(of, Source::Data | Source::Key(_)) {
            self.pay(&at, 1 + rules.iter().map(Rule::cost).sum::<u32>())?;
        }
        let wanted = Alternatives::new(exact, rules, presence, absence);
        Ok(Clause { pointer: at.into(), test: Test::Value { of, wanted } })
    }

    /// Counts what asking each element of a list costs.
    fn pay(&mut self, at: &str, cost: u32) -> Compiled<()> {
        self.cost_left = self.cost_left.checked_sub(cost).ok_or_else(|| {
            let detail = format!("asks too much of data: lists and operators on it may cost {MAX_COST} in all, this one costs {cost}");
            FilterError::new(at, "filter.cost", detail)
        })?;
        Ok(())
    }

    /// The items of a list that is not empty, counted.
    fn items<'v>(&mut self, at: &str, value: &'v Value) -> Compiled<&'v [Value]> {
        let Value::Array(items) = value else {
            return Err(mistyped(at, "must be a list"));
        };
        if items.is_empty() {
            let detail = "is empty and would match nothing; leave it out for no constraint";
            return Err(FilterError::new(at, "filter.empty", detail));
        }
        take(&mut self.values_left, items.len(), at, MAX_VALUES, "values")?;
        take(&mut self.lists_left, 1, at, MAX_LISTS, "lists")?;
        Ok(items)
    }
}

/// Takes so many from what is left.
fn take(left: &mut usize, count: usize, at: &str, of: usize, what: &str) -> Compiled<()> {
    *left = left.checked_sub(count).ok_or_else(|| {
        let detail = format!("is one too many; at most {of} {what} are accepted in all");
        FilterError::new(at, "filter.size", detail)
    })?;
    Ok(())
}

/// A value that is wanted as it is.
fn scalar(at: &str, value: &Value, kind: Kind) -> Compiled<Scalar> {
    check_text(at, value)?;
    match kind {
        Kind::Texts if !value.is_string() => {
            Err(mistyped(at, "must be a text; labels, types and tenants are texts"))
        }
        _ => Scalar::from_value(value)
            .ok_or_else(|| mistyped(at, "must be a text, a number, true, false or an operator")),
    }
}

/// A text of the filter: not too long, and storable.
fn check_text(at: &str, value: &Value) -> Compiled<()> {
    value.as_str().map_or(Ok(()), |text| check_length(at, text))
}

fn check_length(at: &str, text: &str) -> Compiled<()> {
    if text.len() > MAX_TEXT_BYTES {
        let detail = format!("has more than {MAX_TEXT_BYTES} bytes");
        return Err(FilterError::new(at, "filter.size", detail));
    }
    if text.contains('\0') {
        return Err(FilterError::new(at, "filter.operand", "must not hold a NUL character"));
    }
    Ok(())
}

fn key_pointer(at: &str, key: &str) -> Compiled<String> {
    let pointer = FilterError::pointer_to(at, key);
    check_length(&pointer, key)?;
    Ok(pointer)
}

fn object<'v>(at: &str, value: &'v Value) -> Compiled<&'v Object> {
    value.as_object().ok_or_else(|| mistyped(at, "must be an object"))
}

fn not_empty<'v>(at: &str, value: &'v Value) -> Compiled<&'v Object> {
    let object = object(at, value)?;
    if object.is_empty() {
        let detail = "is empty; leave it out for no constraint";
        return Err(FilterError::new(at, "filter.empty", detail));
    }
    Ok(object)
}

fn mistyped(at: &str, detail: &str) -> FilterError {
    FilterError::new(at, "type", detail)
}

fn unknown_key(at: String) -> FilterError {
    let detail = "is not a key of a filter; known are type, tenant_id, attributes, labels, data and $or, or the short form agent_ids, conversation_ids and labels";
    FilterError::new(at, "filter.unknown_key", detail)
}

/// Looks no deeper than the limit, so a hostile depth costs nothing.
fn is_deeper_than(value: &Value, levels: usize) -> bool {
    let mut children: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(object) => Box::new(object.values()),
        _ => return false,
    };
    levels == 0 || children.any(|child| is_deeper_than(child, levels - 1))
}
