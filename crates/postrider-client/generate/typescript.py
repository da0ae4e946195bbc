"""Types and methods of the TypeScript client: declarations for the compiler, and plain JavaScript that runs as it is."""

from model import api, camel, choices, comment, kinds, reference

HEAD = "// Written by crates/postrider-client/generate from the OpenAPI document: do not edit.\n"
SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}


def files(model):
    return {"typescript/resources.d.mts": declarations(model), "typescript/resources.mjs": code(model)}


def declarations(model):
    text = HEAD + "\nexport type Json = string | number | boolean | null | Json[] | { [name: string]: Json }\n"
    for name in sorted(model.types):
        schema = model.types[name]
        note = comment(schema)
        text += f"\n/** {note} */\n" if note else "\n"
        if schema.get("properties") is None:
            text += f"export type {name} = {typed(schema)}\n"
            continue
        text += f"export interface {name} {{\n{members(schema, '  ')}}}\n"
    text += "\n/** Of a request that changes something: the same key is carried out once. One is made if none is given. */\n"
    text += "export interface Once {\n  idempotencyKey?: string\n}\n"
    text += "\n/** Changes only what nobody else has changed: the `etag` that a GET answered with. */\n"
    text += "export interface IfMatch {\n  ifMatch?: string\n}\n"
    for resource in model.resources():
        text += f"\nexport interface {api(resource)} {{\n"
        for operation in model.of(resource):
            text += f"  /** {operation.summary or operation.id} */\n  {signature(operation)}\n"
        text += "}\n"
    text += "\nexport interface Resources {\n"
    text += "".join(f"  readonly {camel(name, False)}: {api(name)}\n" for name in model.resources())
    return text + "}\n"


def members(schema, indent):
    text, must = "", schema.get("required", [])
    for name, field in schema["properties"].items():
        note = comment({key: value for key, value in field.items() if key != "enum"})
        text += f"{indent}/** {note} */\n" if note else ""
        text += f"{indent}{name}{'' if name in must else '?'}: {typed(field)}\n"
    return text


def typed(schema):
    name = reference(schema)
    if name:
        return name
    parts, nullable = choices(schema)
    if parts:
        return " | ".join([typed(part) for part in parts] + ["null"] * nullable)
    found, nullable = kinds(schema)
    words = [word for word in schema.get("enum", []) if word is not None]
    if words:
        text = " | ".join(f"'{word}'" for word in words)
    elif found == ["array"]:
        of = typed(schema.get("items", {}))
        text = f"({of})[]" if " " in of else f"{of}[]"
    elif found == ["object"] and "properties" in schema:
        text = "{ " + "; ".join(members(schema, "").replace("\n", " ").split("; ")).strip() + " }"
        must = schema.get("required", [])
        fields = [f"{key}{'' if key in must else '?'}: {typed(field)}" for key, field in schema["properties"].items()]
        text = "{ " + "; ".join(fields) + " }"
    elif found == ["object"]:
        of = schema.get("additionalProperties")
        text = "{ [name: string]: " + (typed(of) if isinstance(of, dict) else "Json") + " }"
    elif len(found) == 1:
        text = SIMPLE[found[0]]
    else:
        return "Json"
    return f"{text} | null" if nullable else text


def signature(operation):
    arguments = [f"{camel(name, False)}: string" for name in operation.path_parameters]
    if operation.body:
        arguments.append(f"body{'' if operation.body_required else '?'}: {typed(operation.body)}")
    options = [f"{one['name']}?: {typed(one['schema'])}" for one in operation.query]
    kind = "{ " + "; ".join(options) + " }" if options else ""
    also = {"POST": "Once", "PATCH": "IfMatch"}.get(operation.verb, "")
    kind = " & ".join(part for part in [kind, also] if part)
    if kind:
        arguments.append(f"options?: {kind}")
    given = f"AsyncIterable<{typed(operation.item)}>" if operation.item else f"Promise<{typed(operation.answer)}>"
    return f"{camel(operation.name, False)}({', '.join(arguments)}): {given}"


def code(model):
    text = HEAD
    for resource in model.resources():
        text += f"\nclass {api(resource)} {{\n  #transport\n\n  constructor(transport) {{\n    this.#transport = transport\n  }}\n"
        text += "".join(method(operation) for operation in model.of(resource))
        text += "}\n"
    text += "\nexport class Resources {\n  constructor(transport) {\n"
    for name in model.resources():
        text += f"    this.{camel(name, False)} = new {api(name)}(transport)\n"
    return text + "  }\n}\n"


def method(operation):
    arguments = [camel(name, False) for name in operation.path_parameters]
    path = operation.path
    for name in operation.path_parameters:
        path = path.replace("{" + name + "}", "${encodeURIComponent(" + camel(name, False) + ")}")
    path = f"`{path}`" if operation.path_parameters else f"'{path}'"
    if operation.body:
        arguments.append("body")
    sent = ["body"] if operation.body else []
    named = [one["name"] for one in operation.query]
    extra = {"POST": ["idempotencyKey"], "PATCH": ["ifMatch"]}.get(operation.verb, [])
    if named or extra:
        arguments.append("{ " + ", ".join(named + extra) + " } = {}")
    if named:
        sent.append("query: { " + ", ".join(named) + " }")
    sent += extra
    does = "pages" if operation.item else "call"
    call = f"this.#transport.{does}('{operation.verb}', {path}" + (", { " + ", ".join(sent) + " })" if sent else ")")
    return f"\n  {camel(operation.name, False)}({', '.join(arguments)}) {{\n    return {call}\n  }}\n"
