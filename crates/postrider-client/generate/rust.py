"""Types and methods of the Rust client. Words stay `String`, so that one that is added later is not an error."""

from model import api, camel, choices, comment, kinds, reference, references

HEAD = "//! {what}\n//! Written by `crates/postrider-client/generate` from the OpenAPI document: do not edit.\n"
KEYWORDS = {"type", "ref", "match", "move", "use", "where"}
# Here null means another thing than nothing: it takes away, or sets no end.
NULL_MEANS = {"EndpointChanges", "Rotation", "TenantChanges"}
# Never shown by Debug.
HIDDEN = {"secret", "key", "value", "headers", "auth"}
HIDDEN_IN = {"ApiKeyCreated", "EndpointCreated", "SecretRotated", "NewSecret", "NewEndpoint", "EndpointChanges", "NewTls"}


def files(model):
    return {"src/types.rs": types(model), "src/resources.rs": resources(model)}


def types(model):
    taken = requests(model)
    text = HEAD.format(what="What the API takes and gives.")
    text += "\nuse std::collections::BTreeMap;\n\nuse serde::{Deserialize, Serialize};\nuse serde_json::Value;\nuse serde_json::value::RawValue;\n\nuse crate::Secret;\n"
    enums = {}
    for name in sorted(model.types):
        text += "\n" + declared(name, model.types[name], name in taken, enums)
    for operation in model.operations:
        parts, _ = choices(operation.answer)
        if len(parts) > 1:
            text += "\n" + union(camel(operation.id, True) + "Answer", operation.summary, parts, enums)
    text += "".join("\n" + query(operation) for operation in model.operations if queried(operation))
    return text


def requests(model):
    """The types that are sent, with those inside them."""
    found, open_ = set(), [reference(operation.body) for operation in model.operations if operation.body]
    while open_:
        name = open_.pop()
        if name and name not in found:
            found.add(name)
            open_ += references(model.types[name])
    return found


def declared(name, schema, is_request, enums):
    parts, _ = choices(schema)
    if len(parts) > 1 and all(variant(part) for part in parts):
        return union(name, comment(schema), parts, enums)
    if schema.get("properties") is None:
        return f"/// {comment(schema) or name}\npub type {name} = {typed(schema)};\n"
    return struct(name, schema, is_request)


def struct(name, schema, is_request):
    derive = "Debug, Clone, Default, Serialize" if is_request else "Debug, Clone, Deserialize"
    text = f"/// {comment(schema) or name}\n#[derive({derive})]\n"
    text += "" if is_request else "#[non_exhaustive]\n"
    text += f"pub struct {name} {{\n"
    for field, of in schema["properties"].items():
        text += member(name, field, of, field in schema.get("required", []), is_request)
    return text + "}\n"


def member(owner, name, schema, required, is_request):
    kind, nullable = typed(schema), may_be_null(schema)
    if name in HIDDEN and owner in HIDDEN_IN and not reference_inside(schema):
        kind = f"Secret<{kind}>"
    if owner == "NewEvent" and name == "data":
        kind = "Box<RawValue>"  # byte for byte
    note = comment(schema)
    text = f"    /// {note}\n" if note else f"    /// `{name}`.\n"
    if is_request and not required:
        if nullable and owner in NULL_MEANS:
            kind = f"Option<{kind}>"
        text += '    #[serde(skip_serializing_if = "Option::is_none")]\n'
        kind = f"Option<{kind}>"
    elif nullable or not required:
        kind = kind if kind == "Value" else f"Option<{kind}>"
        if not required:
            text += "    #[serde(default)]\n"
    return text + f"    pub {raw(name)}: {kind},\n"


def reference_inside(schema):
    return reference(schema) or any(reference(part) for part in choices(schema)[0])


def may_be_null(schema):
    return kinds(schema)[1] or choices(schema)[1]


def union(name, note, parts, enums):
    derive = "Debug, Clone, Serialize, Deserialize" if name == "Scalar" else "Debug, Clone, Deserialize"
    text = f"/// {note}\n#[derive({derive})]\n#[serde(untagged)]\npub enum {name} {{\n"
    inner = ""
    for part in sorted(parts, key=weight):
        of = reference(part)
        if not of and "properties" in part:
            of = name + "Open"
            inner += "\n" + struct(of, part, False)
        named = of or variant(part)
        text += f"    /// {comment(part) or named}\n    {named}({of or typed(part)}),\n"
    return text + "}\n" + inner


def variant(part):
    """What one of several is called; nothing where it can be anything."""
    words = {"string": "Text", "number": "Number", "boolean": "Bool", "integer": "Integer", "object": "Open"}
    found = kinds(part)[0]
    known = words.get(found[0]) if len(found) == 1 else None
    return reference(part) or (known if known != "Open" or "properties" in part else None)


def weight(part):
    """What asks for more fields is tried first."""
    return -len(part.get("required", []))


def typed(schema):
    name = reference(schema)
    if name:
        return name
    parts, _ = choices(schema)
    if parts:
        return typed(parts[0]) if len(parts) == 1 else "Value"
    found, _ = kinds(schema)
    if found == ["array"]:
        return f"Vec<{typed(schema.get('items', {}))}>"
    if found == ["object"]:
        of = schema.get("additionalProperties")
        return f"BTreeMap<String, {typed(of)}>" if isinstance(of, dict) else "Value"
    simple = {"string": "String", "integer": "i64", "number": "f64", "boolean": "bool"}
    return simple[found[0]] if len(found) == 1 else "Value"


def raw(name):
    return f"r#{name}" if name in KEYWORDS else name


def queried(operation):
    return [one for one in operation.query if one["name"] != "cursor" or not operation.item]


def query(operation):
    text = f"/// What may be said of `{operation.resource}().{operation.name}`.\n#[derive(Debug, Clone, Default, Serialize)]\n"
    text += f"pub struct {camel(operation.id, True)}Query {{\n"
    for one in queried(operation):
        text += f"    /// {comment({**one['schema'], 'description': one.get('description', '')}) or '`' + one['name'] + '`.'}\n"
        text += '    #[serde(skip_serializing_if = "Option::is_none")]\n'
        text += f"    pub {raw(one['name'])}: Option<{typed(one['schema'])}>,\n"
    return text + "}\n"


def resources(model):
    text = HEAD.format(what="The resources of the API and what can be done with them.")
    text += "\nuse http::Method;\n\nuse crate::request::{Request, part};\nuse crate::types::*;\nuse crate::{Client, Error, Pages};\n"
    text += "\nimpl Client {\n"
    for resource in model.resources():
        text += f"    /// `{resource}` of the API.\n    #[must_use]\n    pub fn {resource}(&self) -> {api(resource)}<'_> {{\n        {api(resource)}(self)\n    }}\n\n"
    text = text.rstrip() + "\n}\n"
    for resource in model.resources():
        name = api(resource)
        text += f"\n/// `{resource}` of the API.\n#[derive(Debug, Clone, Copy)]\npub struct {name}<'a>(&'a Client);\n\nimpl {name}<'_> {{\n"
        text += "\n".join(method(operation) for operation in model.of(resource)) + "}\n"
    return text


def method(operation):
    arguments = ["&self"] + [f"{name}: &str" for name in operation.path_parameters]
    if operation.body:
        body = typed(operation.body)
        arguments.append(f"body: &{body}" if operation.body_required else f"body: Option<&{body}>")
    path = operation.path
    for name in operation.path_parameters:
        path = path.replace("{" + name + "}", "{}")
    parts = "".join(f", part({name})" for name in operation.path_parameters)
    path = f'format!("{path}"{parts})' if parts else f'"{path}"'
    request = f"Request::new(Method::{operation.verb}, {path})"
    if queried(operation):
        arguments.append(f"query: &{camel(operation.id, True)}Query")
        request += ".query(query)"
    if operation.body:
        request += ".body(body)" if operation.body_required else ".body_if(body)"
    text = f"    /// {operation.summary or operation.id}\n"
    if operation.item:
        return text + f"    pub fn {raw(operation.name)}({', '.join(arguments)}) -> Pages<{typed(operation.item)}> {{\n        Pages::new(self.0, {request})\n    }}\n"
    parts, _ = choices(operation.answer)
    given = camel(operation.id, True) + "Answer" if len(parts) > 1 else typed(operation.answer)
    text += "    ///\n    /// # Errors\n    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].\n"
    return text + f"    pub async fn {raw(operation.name)}({', '.join(arguments)}) -> Result<{given}, Error> {{\n        self.0.call({request}).await\n    }}\n"
