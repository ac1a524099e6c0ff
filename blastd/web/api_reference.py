"""The OpenAPI document as something to read: a page of the service, and a part of docs/api.md. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from blastd.core.model import Frozen

Part = Mapping[str, Any]
METHODS = ("get", "post", "put", "delete")


class ReferenceRow(Frozen, frozen=True, kw_only=True):
    """A parameter, a field, or an answer: its name, what it is, and a sentence."""

    name: str
    kind: str
    about: str
    needed: bool = False


class ReferenceOperation(Frozen, frozen=True, kw_only=True):
    """What one method of one address takes and gives."""

    method: str
    path: str
    name: str
    summary: str
    parameters: tuple[ReferenceRow, ...]
    bodies: tuple[ReferenceRow, ...]
    answers: tuple[ReferenceRow, ...]


class ReferenceGroup(Frozen, frozen=True, kw_only=True):
    """Operations that belong together."""

    name: str
    about: str
    operations: tuple[ReferenceOperation, ...]


class ReferenceType(Frozen, frozen=True, kw_only=True):
    """An object that is sent or received."""

    name: str
    about: str
    fields: tuple[ReferenceRow, ...]


class Reference(Frozen, frozen=True, kw_only=True):
    """Everything that the document says."""

    groups: tuple[ReferenceGroup, ...]
    types: tuple[ReferenceType, ...]


def reference(document: Part) -> Reference:
    """Return what an OpenAPI document says, in its order."""
    operations = [
        (part["tags"][0], _operation(method.upper(), path, part))
        for path, item in document["paths"].items()
        for method, part in item.items()
        if method in METHODS
    ]
    groups = tuple(
        ReferenceGroup(
            name=tag["name"],
            about=tag["description"],
            operations=tuple(operation for name, operation in operations if name == tag["name"]),
        )
        for tag in document["tags"]
    )
    types = tuple(_type(name, part) for name, part in sorted(document["components"]["schemas"].items()))
    return Reference(groups=groups, types=types)


def kind_of(schema: Part) -> str:
    """Return what a value is, in a few words: the names of types are those of the document."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(kind_of, schema["anyOf"])))
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {kind_of(schema['additionalProperties'])}"
    return {"date-time": "time", "binary": "bytes"}.get(str(schema.get("format")), kind)


def about_of(schema: Part) -> str:
    """Return the sentence of a value, and its default."""
    inner = [part["description"] for part in schema.get("anyOf", ()) if "description" in part]
    told = str(schema.get("description") or (inner[0] if inner else ""))
    default = schema.get("default")
    if default in (None, "", False):
        return told
    shown = "true" if default is True else str(default)
    return f"{told} Default: {shown}.".strip()


def _operation(method: str, path: str, part: Part) -> ReferenceOperation:
    return ReferenceOperation(
        method=method,
        path=path,
        name=part["operationId"],
        summary=part["summary"],
        parameters=tuple(
            ReferenceRow(
                name=given["name"],
                kind=kind_of(given["schema"]) + (" (header)" if given["in"] == "header" else ""),
                about=given["description"] or about_of(given["schema"]),
                needed=given["required"],
            )
            for given in part["parameters"]
        ),
        bodies=tuple(
            ReferenceRow(name=media, kind=kind_of(it["schema"]), about=about_of(it["schema"]))
            for media, it in part.get("requestBody", {}).get("content", {}).items()
        ),
        answers=tuple(_answers(part["responses"])),
    )


def _answers(responses: Part) -> Iterator[ReferenceRow]:
    """Give the answers, those that are errors of the one shape as one."""
    problems = []
    for status, answer in responses.items():
        content = answer.get("content", {})
        if list(content) == ["application/problem+json"]:
            problems.append(status)
            continue
        by_kind: dict[str, list[str]] = {}
        for media, it in content.items():
            by_kind.setdefault(kind_of(it["schema"]), []).append(media)
        kinds = "; ".join(f"{kind} ({', '.join(media)})" for kind, media in by_kind.items())
        yield ReferenceRow(name=status, kind=kinds or "no body", about=answer["description"])
    if problems:
        yield ReferenceRow(name=", ".join(problems), kind="Problem (application/problem+json)", about="what is wrong")


def _type(name: str, part: Part) -> ReferenceType:
    needed = part.get("required", ())
    fields = tuple(
        ReferenceRow(name=field, kind=kind_of(schema), about=about_of(schema), needed=field in needed)
        for field, schema in part.get("properties", {}).items()
    )
    return ReferenceType(name=name, about=part.get("description", ""), fields=fields)


def markdown(told: Reference) -> str:
    """Return the reference as sections of a page."""
    return "\n".join(_lines(told))


def _lines(told: Reference) -> Iterator[str]:
    for group in told.groups:
        yield f"### {group.name.capitalize()}\n\n{group.about}\n"
        for operation in group.operations:
            yield f"**`{operation.method} {operation.path}`** ({operation.name}): {operation.summary}\n"
            rows = [
                *((f"`{row.name}`", row) for row in operation.parameters),
                *((f"body `{row.name}`", row) for row in operation.bodies),
                *((f"→ {row.name}", row) for row in operation.answers),
            ]
            yield "| | | |\n|---|---|---|"
            yield "\n".join(f"| {name} | {_cell(row.kind)} | {_cell(row.about)} |" for name, row in rows) + "\n"
    yield "### Types\n"
    for kind in told.types:
        yield f"**{kind.name}**: {kind.about}\n\n| | | |\n|---|---|---|"
        yield "\n".join(f"| `{row.name}` | {_cell(row.kind)} | {_cell(row.about)} |" for row in kind.fields) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())
