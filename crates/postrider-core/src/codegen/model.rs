//! What the schemas say, apart from any language. `reader.rs` finds out.

use serde_json::Value;

use super::Language;
use super::names::{Names, constant, pascal};
use super::reader::Reader;
use crate::event_type::Declaration;

/// All that is written.
#[derive(Debug, Default)]
pub(super) struct Module {
    pub(super) events: Vec<EventName>,
    pub(super) types: Vec<Type>,
}

/// A constant for an event type.
#[derive(Debug)]
pub(super) struct EventName {
    pub(super) constant: String,
    pub(super) name: String,
    pub(super) says: Option<String>,
    /// Of its payload; `None`: nobody said what that is.
    pub(super) payload: Option<Shape>,
}

/// A type with a name.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) name: String,
    pub(super) says: Option<String>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Object(Vec<Field>),
    /// One of these texts.
    Words(Vec<String>),
}

#[derive(Debug)]
pub(super) struct Field {
    /// As JSON has it.
    pub(super) name: String,
    pub(super) says: Option<String>,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

/// What a value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// Any JSON, and why nothing better can be said, if that is worth a comment.
    Any(Option<&'static str>),
    Bool,
    Integer,
    Number,
    Text,
    List(Box<Shape>),
    /// An object whose members are not named.
    Map(Box<Shape>),
    Named(String),
    /// A type that is inside itself.
    Inside(String),
    Nullable(Box<Shape>),
}

impl Shape {
    /// Why nothing better could be said, here or inside.
    pub(super) fn excuse(&self) -> Option<&'static str> {
        match self {
            Self::Any(why) => *why,
            Self::List(of) | Self::Map(of) | Self::Nullable(of) => of.excuse(),
            _ => None,
        }
    }
}

/// Reads the declarations, in their order.
pub(super) fn module(language: Language, declarations: &[&Declaration]) -> Module {
    let mut names = Names::default();
    for word in reserved(language) {
        names.take(word);
    }
    let constants: Vec<String> = declarations
        .iter()
        .map(|declaration| match language {
            Language::Rust | Language::TypeScript => names.take(&constant(declaration.name())),
            Language::Go => names.take(&format!("EventType{}", pascal(declaration.name()))),
        })
        .collect();
    let mut module = Module::default();
    for (declaration, constant) in declarations.iter().zip(constants) {
        let schema: Option<Value> =
            declaration.schema().and_then(|text| serde_json::from_str(text).ok());
        let payload = schema.map(|schema| {
            Reader::new(&schema, pascal(declaration.name()), &mut names, &mut module.types)
                .payload()
        });
        if let Some(Shape::Named(of)) = &payload {
            told(&mut module.types, of, declaration.name());
        }
        let (name, says) =
            (declaration.name().to_owned(), declaration.description().map(str::to_owned));
        module.events.push(EventName { constant, name, says, payload });
    }
    module
}

/// Says of a type whose payload it is.
fn told(types: &mut [Type], name: &str, event: &str) {
    let Some(of_type) = types.iter_mut().find(|of_type| of_type.name == name) else { return };
    let payload = format!("Payload of {event}.");
    of_type.says = Some(match of_type.says.take() {
        Some(says) => format!("{says}\n\n{payload}"),
        None => payload,
    });
}

/// Names of types that a language has, or that its file needs for itself.
fn reserved(language: Language) -> &'static [&'static str] {
    match language {
        Language::Rust => &[
            "EVENT_TYPES",
            "Option",
            "Vec",
            "Box",
            "String",
            "BTreeMap",
            "Self",
            "Some",
            "None",
            "Ok",
            "Err",
            "Serialize",
            "Deserialize",
        ],
        Language::TypeScript => &[
            "EVENT_TYPES",
            "EventTypeName",
            "Payloads",
            "Array",
            "Record",
            "Object",
            "String",
            "Number",
            "Boolean",
        ],
        Language::Go => &["EventTypes"],
    }
}
