"""Types and methods of the Python client."""

import keyword

from model import api, choices, comment, kinds, reference

HEAD = '"""{what} Written by `crates/postrider-client/generate` from the OpenAPI document: do not edit."""\n'
SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


def files(model):
    return {"python/postrider_client/types.py": types(model), "python/postrider_client/resources.py": resources(model)}


def types(model):
    text = HEAD.format(what="What the API takes and gives, as dictionaries with known keys.")
    text += "\nfrom __future__ import annotations\n\nfrom typing import Any, Dict, List, Literal, Optional, TypedDict, Union\n"
    for name in sorted(model.types):
        text += "\n\n" + declared(name, model.types[name])
    return text


def declared(name, schema):
    fields = schema.get("properties")
    if fields is None:
        return f"{name} = {typed(schema, '', late_bound=True)}\n"
    must = schema.get("required", [])
    assert not [field for field in fields if keyword.iskeyword(field)], f"{name} has a field that is a keyword"
    needed = {field: fields[field] for field in fields if field in must}
    free = {field: fields[field] for field in fields if field not in must}
    doc = f'    """{comment(schema) or name}"""\n'
    if not free:
        return f"class {name}(TypedDict):\n{doc}\n{members(needed)}"
    if not needed:
        return f"class {name}(TypedDict, total=False):\n{doc}\n{members(free)}"
    return f"class _{name}(TypedDict):\n{members(needed)}\n\nclass {name}(_{name}, total=False):\n{doc}\n{members(free)}"


def members(fields):
    text = ""
    for name, schema in fields.items():
        note = comment({key: value for key, value in schema.items() if key != "enum"})
        text += f"    {name}: {typed(schema, '')}" + (f"  # {note}" if note else "") + "\n"
    return text


def typed(schema, module, late_bound=False):
    """A schema as an annotation. `module` stands before the names of types."""
    name = reference(schema)
    if name:
        return f'"{name}"' if late_bound else module + name
    parts, nullable = choices(schema)
    if parts:
        union = [typed(part, module, late_bound) for part in parts]
        text = union[0] if len(union) == 1 else f"Union[{', '.join(union)}]"
        return f"Optional[{text}]" if nullable else text
    found, nullable = kinds(schema)
    words = [word for word in schema.get("enum", []) if word is not None]
    if words:
        text = "Literal[" + ", ".join(f'"{word}"' for word in words) + "]"
    elif found == ["array"]:
        text = f"List[{typed(schema.get('items', {}), module, late_bound)}]"
    elif found == ["object"]:
        of = schema.get("additionalProperties")
        text = f"Dict[str, {typed(of, module, late_bound) if isinstance(of, dict) else 'Any'}]"
    elif len(found) == 1:
        text = SIMPLE[found[0]]
    else:
        return "Any"
    return f"Optional[{text}]" if nullable else text


def resources(model):
    text = HEAD.format(what="The resources of the API and what can be done with them.")
    text += "\nfrom __future__ import annotations\n\nfrom typing import Any, Dict, Iterator, List, Literal, Optional, Union\n"
    text += "\nfrom . import types\nfrom .transport import Resource, Transport\n"
    for resource in model.resources():
        text += f"\n\nclass {api(resource)}(Resource):"
        text += "".join(method(operation) for operation in model.of(resource))
    text += "\n\nclass Resources:\n    def __init__(self, transport: Transport) -> None:\n"
    for resource in model.resources():
        text += f"        self.{resource} = {api(resource)}(transport)\n"
    return text


def method(operation):
    # As Python's own libraries do with a name that is a keyword.
    own = f"{operation.name}_" if keyword.iskeyword(operation.name) else operation.name
    arguments = [f"{name}: str" for name in operation.path_parameters]
    if operation.body:
        body = typed(operation.body, "types.")
        arguments.append(f"body: {body}" if operation.body_required else f"body: Optional[{body}] = None")
    query = operation.query
    if query or operation.verb != "GET":
        arguments.append("*")
    arguments += [f"{parameter['name']}: Optional[{typed(parameter['schema'], 'types.')}] = None" for parameter in query]
    if operation.verb == "POST":
        arguments.append("idempotency_key: Optional[str] = None")
    elif operation.verb == "PATCH":
        arguments.append("if_match: Optional[str] = None")
    if arguments and arguments[-1] == "*":
        arguments.pop()
    given = f"Iterator[{typed(operation.item, 'types.')}]" if operation.item else typed(operation.answer, "types.")
    parts = operation.path
    for name in operation.path_parameters:
        parts = parts.replace("{" + name + "}", "{self._part(" + name + ")}")
    path = f'f"{parts}"' if operation.path_parameters else f'"{parts}"'
    call = [f'"{operation.verb}"', path]
    if query:
        call.append("query={" + ", ".join(f'"{one["name"]}": {one["name"]}' for one in query) + "}")
    if operation.body:
        call.append("body=body")
    if operation.verb == "POST":
        call.append("idempotency_key=idempotency_key")
    elif operation.verb == "PATCH":
        call.append("if_match=if_match")
    does = "_pages" if operation.item else "_call"
    line = f"    def {own}(self{''.join(', ' + argument for argument in arguments)}) -> {given}:"
    if len(line) > 120:
        separator = ",\n        "
        line = f"    def {own}(\n        self,\n        {separator.join(arguments)},\n    ) -> {given}:"
    return f'\n{line}\n        """{operation.summary or operation.id}"""\n        return self.{does}({", ".join(call)})\n'
