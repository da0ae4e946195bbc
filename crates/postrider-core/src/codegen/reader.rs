//! Reads a schema into types. Members are in the order of their names, whatever order a schema has them in.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use super::model::{Field, Kind, Shape, Type};
use super::names::{Names, pascal};

/// Reads one schema.
pub(super) struct Reader<'a> {
    root: &'a Value,
    /// Types of this schema begin with the name of its event.
    prefix: String,
    names: &'a mut Names,
    types: &'a mut Vec<Type>,
    /// What a reference led to, by its pointer.
    named: HashMap<String, Shape>,
    /// Pointers that are being read.
    open: HashSet<String>,
}

impl<'a> Reader<'a> {
    /// Its types are added to `types`, under names that nobody has taken.
    pub(super) fn new(
        root: &'a Value,
        prefix: String,
        names: &'a mut Names,
        types: &'a mut Vec<Type>,
    ) -> Self {
        Self { root, prefix, names, types, named: HashMap::new(), open: HashSet::new() }
    }

    /// What the schema says of the payload itself.
    pub(super) fn payload(mut self) -> Shape {
        let name = self.prefix.clone();
        self.of_pointer("", &name)
    }

    /// What is at a pointer, which may be asked for often, and from inside itself.
    fn of_pointer(&mut self, pointer: &str, wanted: &str) -> Shape {
        match self.named.get(pointer) {
            Some(Shape::Named(name)) if self.open.contains(pointer) => {
                return Shape::Inside(name.clone());
            }
            Some(shape) => return shape.clone(),
            None if self.open.contains(pointer) => {
                return Shape::Any(Some("it refers to itself"));
            }
            None => {}
        }
        let Some(schema) = self.root.pointer(pointer) else {
            return Shape::Any(Some("its reference cannot be followed"));
        };
        self.open.insert(pointer.to_owned());
        let shape = self.shape(schema, wanted, Some(pointer));
        self.open.remove(pointer);
        self.named.insert(pointer.to_owned(), shape.clone());
        shape
    }

    /// What a schema says. `at`: where it stands, if references may lead there.
    fn shape(&mut self, schema: &'a Value, wanted: &str, at: Option<&str>) -> Shape {
        let Value::Object(schema) = schema else { return Shape::Any(None) };
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            return self.reference(target);
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return self.words(values, schema, wanted);
        }
        if let Some(value) = schema.get("const") {
            return self.words(std::slice::from_ref(value), schema, wanted);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(choices) = schema.get(key).and_then(Value::as_array) {
                return self.choice(choices, wanted);
            }
        }
        match schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
            Some([only]) if !schema.contains_key("properties") => {
                return self.shape(only, wanted, None);
            }
            Some(_) => return Shape::Any(Some("it must fit several schemas at once")),
            None => {}
        }
        match schema.get("type") {
            Some(Value::String(of_type)) => self.of_type(of_type, schema, wanted, at),
            Some(Value::Array(types)) => self.of_types(types, schema, wanted, at),
            _ if schema.contains_key("properties") => self.object(schema, wanted, at),
            _ => Shape::Any(None),
        }
    }

    fn of_type(
        &mut self,
        of_type: &str,
        schema: &'a Map<String, Value>,
        wanted: &str,
        at: Option<&str>,
    ) -> Shape {
        match of_type {
            "boolean" => Shape::Bool,
            "integer" => Shape::Integer,
            "number" => Shape::Number,
            "string" => Shape::Text,
            "array" => match schema.get("items") {
                Some(items) => {
                    Shape::List(Box::new(self.shape(items, &format!("{wanted}Item"), None)))
                }
                None => Shape::List(Box::new(Shape::Any(None))),
            },
            "object" => self.object(schema, wanted, at),
            "null" => Shape::Any(Some("it is always null")),
            _ => Shape::Any(None),
        }
    }

    fn of_types(
        &mut self,
        types: &[Value],
        schema: &'a Map<String, Value>,
        wanted: &str,
        at: Option<&str>,
    ) -> Shape {
        let words: Vec<&str> = types.iter().filter_map(Value::as_str).collect();
        let others: Vec<&str> = words.iter().copied().filter(|word| *word != "null").collect();
        match (&others[..], words.len() - others.len()) {
            ([only], 0) => self.of_type(only, schema, wanted, at),
            // A type that is inside itself has a name before it is known to be nullable.
            ([only], _) => nullable(self.of_type(only, schema, wanted, None)),
            _ => Shape::Any(Some("it is of one of several types")),
        }
    }

    fn object(&mut self, schema: &'a Map<String, Value>, wanted: &str, at: Option<&str>) -> Shape {
        let members = schema
            .get("properties")
            .and_then(Value::as_object)
            .filter(|members| !members.is_empty());
        let Some(members) = members else {
            return Shape::Map(Box::new(match schema.get("additionalProperties") {
                Some(of) => self.shape(of, &format!("{wanted}Value"), None),
                None => Shape::Any(None),
            }));
        };
        let name = self.names.take(wanted);
        if at == Some("") {
            // Its name may have a number, and those of what is inside follow it.
            self.prefix.clone_from(&name);
        }
        if let Some(pointer) = at {
            self.named.insert(pointer.to_owned(), Shape::Named(name.clone()));
        }
        // Its place is before those of its members.
        let place = self.types.len();
        self.types.push(Type {
            name: name.clone(),
            says: says(schema),
            kind: Kind::Object(Vec::new()),
        });
        let required: HashSet<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let sorted: BTreeMap<&String, &'a Value> = members.iter().collect();
        let mut fields = Vec::with_capacity(sorted.len());
        for (member, schema) in sorted {
            let shape = self.shape(schema, &format!("{name}{}", pascal(member)), None);
            let says = schema.as_object().and_then(says);
            fields.push(Field {
                name: member.clone(),
                says,
                required: required.contains(member.as_str()),
                shape,
            });
        }
        self.types[place].kind = Kind::Object(fields);
        Shape::Named(name)
    }

    fn reference(&mut self, target: &str) -> Shape {
        let Some(pointer) = target
            .strip_prefix('#')
            .filter(|pointer| pointer.is_empty() || pointer.starts_with('/'))
        else {
            return Shape::Any(Some("its reference cannot be followed"));
        };
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let wanted = match pointer {
            "" => self.prefix.clone(),
            _ => format!("{}{}", self.prefix, pascal(last)),
        };
        self.of_pointer(pointer, &wanted)
    }

    fn words(&mut self, values: &[Value], schema: &Map<String, Value>, wanted: &str) -> Shape {
        let null = values.iter().any(Value::is_null);
        let texts: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
        let words: Option<Vec<String>> =
            texts.iter().map(|value| value.as_str().map(str::to_owned)).collect();
        let Some(mut words) = words.filter(|words| !words.is_empty()) else {
            return Shape::Any(Some("it is one of a few values that are not all texts"));
        };
        let mut seen = HashSet::new();
        words.retain(|word| seen.insert(word.clone()));
        let name = self.names.take(wanted);
        self.types.push(Type { name: name.clone(), says: says(schema), kind: Kind::Words(words) });
        if null { nullable(Shape::Named(name)) } else { Shape::Named(name) }
    }

    fn choice(&mut self, choices: &'a [Value], wanted: &str) -> Shape {
        let is_null = |choice: &Value| choice.get("type").and_then(Value::as_str) == Some("null");
        let others: Vec<&'a Value> = choices.iter().filter(|choice| !is_null(choice)).collect();
        match (&others[..], choices.len() - others.len()) {
            ([only], 0) => self.shape(only, wanted, None),
            ([only], _) => nullable(self.shape(only, wanted, None)),
            _ => Shape::Any(Some("it must fit one of several schemas")),
        }
    }
}

fn nullable(shape: Shape) -> Shape {
    match shape {
        Shape::Any(_) | Shape::Nullable(_) => shape,
        other => Shape::Nullable(Box::new(other)),
    }
}

fn says(schema: &Map<String, Value>) -> Option<String> {
    let text = schema.get("description").or_else(|| schema.get("title")).and_then(Value::as_str);
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}
