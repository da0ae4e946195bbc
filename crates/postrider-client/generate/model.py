"""The OpenAPI document as a client sees it: types, and resources with methods. The languages' files write it down."""

import re
from dataclasses import dataclass, field


# Speaks the shapes of another system, for clients of that one.
NOT_OURS = {"webhooks"}


@dataclass
class Operation:
    """One method of a client: `events.list`."""

    resource: str  # events, api_keys
    name: str  # list, rotate_secret
    id: str  # the operationId
    verb: str
    path: str  # /api/v1/events/{event_id}
    summary: str
    path_parameters: list
    query: list  # of parameters as the document has them
    body: dict | None  # a schema
    body_required: bool
    answer: dict  # a schema
    item: dict | None  # what a page holds, where the answer is one


@dataclass
class Model:
    types: dict = field(default_factory=dict)  # name: schema; pages are not among them
    operations: list = field(default_factory=list)

    def resources(self):
        return sorted({operation.resource for operation in self.operations})

    def of(self, resource):
        return [operation for operation in self.operations if operation.resource == resource]


def read(document):
    schemas = document["components"]["schemas"]
    pages = {name: schema["properties"]["data"]["items"] for name, schema in schemas.items() if is_page(schema)}
    model = Model()
    for path, verbs in document["paths"].items():
        for verb, described in verbs.items():
            operation = read_operation(path, verb, described, pages)
            if operation and operation.resource not in NOT_OURS:
                model.operations.append(operation)
    taken = [(operation.resource, operation.name) for operation in model.operations]
    twice = {name for name in taken if taken.count(name) > 1}
    assert not twice, f"two operations have one name: {twice}"
    model.types = reached(schemas, pages, model.operations)
    return model


def reached(schemas, pages, operations):
    """The types that operations take and give, with those inside them."""
    found, left = {}, ["Problem"]
    for operation in operations:
        left += references([operation.body, operation.answer, operation.item, operation.query])
    while left:
        name = left.pop()
        if name not in found and name not in pages:
            found[name] = schemas[name]
            left += references(schemas[name])
    return found


def references(schema):
    """The names of all types that a schema, or a list of them, refers to."""
    if isinstance(schema, dict):
        return [name for name in [reference(schema)] if name] + references(list(schema.values()))
    return [name for value in schema for name in references(value)] if isinstance(schema, list) else []


def read_operation(path, verb, described, pages):
    answers = []
    for status, response in described["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if status.startswith("2") and schema is not None and schema not in answers:
            answers.append(schema)
    if not answers:
        return None  # a stream, or a text for people: not for a thin client
    parameters = described.get("parameters", [])
    body = described.get("requestBody")
    resource, name = names(path, verb, described["operationId"])
    return Operation(
        resource=resource,
        name=name,
        id=described["operationId"],
        verb=verb.upper(),
        path=path,
        summary=sentence(described.get("summary", "")),
        path_parameters=[parameter["name"] for parameter in parameters if parameter["in"] == "path"],
        query=[parameter for parameter in parameters if parameter["in"] == "query"],
        body=body and body["content"]["application/json"]["schema"],
        body_required=bool(body and body.get("required")),
        answer=answers[0] if len(answers) == 1 else {"anyOf": answers},
        item=pages.get(reference(answers[0])) if len(answers) == 1 else None,
    )


def names(path, verb, operation_id):
    """`/endpoints/{endpoint_id}/rotate-secret` is endpoints.rotate_secret, and `GET /events` is events.list."""
    parts = [part for part in path.split("/") if part][2:]  # without /api/v1
    words = [part.replace("-", "_") for part in parts if not part.startswith("{")]
    at_one, verb_of_id = parts[-1].startswith("{"), operation_id.split("_")[0]
    if len(words) > 1:
        name = "_".join(words[1:])
        clash = {"get": name, "post": name, "put": f"put_{name}", "patch": f"update_{name}", "delete": f"delete_{name}"}
        return words[0], clash[verb]
    one = {"get": "get", "patch": "update", "put": "put", "post": verb_of_id, "delete": verb_of_id}
    many = {"get": "list", "post": verb_of_id, "put": verb_of_id, "patch": "update", "delete": "clear"}
    return words[0], (one if at_one else many)[verb]


def api(resource):
    """What the methods of a resource are gathered in."""
    return camel(resource, True) + "Api"


def is_page(schema):
    fields = schema.get("properties", {})
    return {"data", "has_more", "next_cursor"} <= set(fields)


def reference(schema):
    """The name of the type that a schema refers to."""
    return schema["$ref"].rsplit("/", 1)[1] if "$ref" in schema else None


def kinds(schema):
    """The JSON types of a schema but null, and whether it may be null."""
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return [kind for kind in kinds if kind != "null"], "null" in kinds


def choices(schema):
    """What an `anyOf` consists of but null, and whether it may be null."""
    parts = schema.get("anyOf") or schema.get("oneOf") or []
    return [part for part in parts if part.get("type") != "null"], any(part.get("type") == "null" for part in parts)


def sentence(text):
    text = " ".join(text.split())
    return text if not text or text[-1] in ".:" else text + "."


def comment(schema):
    """What a field means, with the words it may hold."""
    text = re.sub(r"\[`?([^\]`]*)`?\]", r"\1", schema.get("description", ""))
    words = [word for word in schema.get("enum", []) if word is not None]
    text = sentence(text)
    return f"{text} One of {', '.join(words)}.".strip() if words else text


def camel(name, first_upper):
    words = re.split(r"[_\-]", name)
    words = [word[:1].upper() + word[1:] for word in words]
    text = "".join(words)
    return text if first_upper else text[:1].lower() + text[1:]
