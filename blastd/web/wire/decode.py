"""From what was received to a request type, with every fault at once."""

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec

from blastd.errors import BadRequest, Invalid
from blastd.web.wire.base import Request

T = TypeVar("T", bound=Request)


def decode(kind: type[T], raw: Mapping[str, object], *, strict: bool = True) -> T:
    """Return *raw* as *kind*. Raises one Invalid with every fault: unknown, missing and misshapen fields."""
    values, faults = gather(kind, raw, strict=strict)
    if faults:
        raise Invalid(faults)
    return kind(**values)


def gather(
    kind: type[T], raw: Mapping[str, object], *, strict: bool = True
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the good fields of *raw* and a fault for each other one."""
    fields = _fields(kind)
    values: dict[str, Any] = {}
    faults: list[tuple[str, str]] = []
    for name, value in raw.items():
        if name not in fields:
            faults.append((pointer(name), unknown(name, fields)))
            continue
        try:
            values[fields[name].name] = msgspec.convert(value, fields[name].type, strict=strict)
        except msgspec.ValidationError as error:
            at, sentence = _located(str(error))
            faults.append((pointer(name) + at, sentence))
    missing = [name for name, field in fields.items() if field.required and name not in raw]
    faults.extend((pointer(name), f"'{name}' is missing.") for name in missing)
    return values, faults


def unknown(name: str, known: Iterable[str]) -> str:
    """Return the sentence for a name that we don't know."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    meant = f" Did you mean '{near[0]}'?" if near else ""
    listed = f" Known: {', '.join(names)}." if names else ""
    return f"There is no field '{name[:80]}'.{meant}{listed}"


def pointer(*names: str | int) -> str:
    """Return the JSON pointer (RFC 6901) to a field."""
    return "".join("/" + str(name).replace("~", "~0").replace("/", "~1") for name in names)


def _located(sentence: str) -> tuple[str, str]:
    """Split msgspec's 'Expected `int`, got `str` - at `$[0].x`' into a pointer and a sentence."""
    text, _, path = sentence.partition(" - at `")
    parts = re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", path)
    return pointer(*(name or index for name, index in parts)), text.replace("`", "") + "."


def decode_query(kind: type[T], given: Mapping[str, str], all_of: Iterable[tuple[str, str]]) -> T:
    """Return the parameters after the question mark as *kind*; lists may be repeated or separated by commas."""
    return decode(kind, query_values(kind, given, all_of), strict=False)


def query_values(kind: type[Request], given: Mapping[str, str], all_of: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Return parameters as values: a list for fields that hold one, else the text. A repeated single one is refused."""
    several = _lists(kind)
    values: dict[str, object] = {}
    pairs = list(all_of)
    for name in given:
        texts = [text for key, text in pairs if key == name]
        if name in several:
            split = name != "subject"  # ids of subjects may hold commas
            values[name] = [part for text in texts for part in (text.split(",") if split else [text]) if part]
        elif len(texts) > 1:
            raise Invalid([(pointer(name), f"'{name}' was given {len(texts)} times; give it once.")])
        else:
            values[name] = texts[0]
    return values


@cache
def _fields(kind: type[Request]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


@cache
def _lists(kind: type[Request]) -> frozenset[str]:
    return frozenset(field.name for field in msgspec.structs.fields(kind) if _is_list(field.type))


def _is_list(kind: Any) -> bool:
    info = msgspec.inspect.type_info(kind)
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return isinstance(info, msgspec.inspect.ListType)


def decode_json(body: bytes) -> dict[str, object]:
    """Return the JSON object of a body. Raises BadRequest when it is not one."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # the last: nested too deep to be ours
        raise BadRequest(f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value
