"""From what was received to a request type, with every fault at once."""

import codecs
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec

from blastd.core.near import Nearest
from blastd.errors import BadRequest, Faults, Invalid
from blastd.web.wire.base import Request
from blastd.web.wire.texts import text_faults

T = TypeVar("T", bound=Request)

SHOWN = 80
"""Letters of a name that an answer repeats."""
BACKSLASH = ord("\\")
STRINGS, VALUES, CONTAINERS = 250_000, 250_000, 10_000
"""Of one JSON body: 100,000 ids fit. Decoding as many takes 30 ms, in which nobody else is served."""


def decode(kind: type[T], raw: Mapping[str, object], *, strict: bool = True) -> T:
    """Return *raw* as *kind*. Raises one Invalid with every fault: unknown, missing and misshapen fields."""
    values, faults = gather(kind, raw, strict=strict)
    if faults:
        raise Invalid(faults)
    return kind(**values)


def gather(kind: type[T], raw: Mapping[str, object], *, strict: bool = True) -> tuple[dict[str, Any], Faults]:
    """Return the good fields of *raw* and a fault for each other one."""
    fields = _fields(kind)
    values: dict[str, Any] = {}
    faults = Faults()
    add_unknown(faults, (name for name in raw if name not in fields), fields)
    for name in (name for name in fields if name in raw):
        wrong = text_faults(name, raw[name])
        if wrong:
            faults.extend((pointer(name, *at), sentence) for at, sentence in wrong)
            continue
        try:
            values[fields[name].name] = msgspec.convert(raw[name], fields[name].type, strict=strict)
        except msgspec.ValidationError as error:
            at, sentence = _located(str(error))
            faults.append((pointer(name) + at, sentence))
    missing = [name for name, field in fields.items() if field.required and name not in raw]
    faults.extend((pointer(name), f"'{name}' is missing.") for name in missing)
    return values, faults


def add_unknown(faults: Faults, names: Iterable[str], known: Iterable[str]) -> None:
    """Add a fault for each of *names*, which are none of the *known*."""
    nearest, listed = Nearest(known), f" Known: {', '.join(known)}." if known else ""
    faults.each(names, lambda name: (pointer(name), f"There is no field {name[:SHOWN]!r}.{nearest.hint(name)}{listed}"))


def pointer(*names: str | int) -> str:
    """Return the JSON pointer (RFC 6901) to a field; of a long name its beginning."""
    return "".join("/" + str(name)[:SHOWN].replace("~", "~0").replace("/", "~1") for name in names)


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
    repeats: dict[str, list[str]] = {name: [] for name in given}
    for name, text in all_of:
        repeats[name].append(text)
    for name, texts in repeats.items():
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


def check_members(body: bytes) -> None:
    """Raise BadRequest for JSON of more strings, values or containers than a request of ours can hold."""
    at, strings, outside = 0, 0, []
    while (begin := body.find(b'"', at)) >= 0:
        outside.append(body[at:begin])
        strings += 1
        at = _string_end(body, begin + 1)
        if strings > STRINGS:
            raise BadRequest(f"The body holds more than {STRINGS:,} texts.")
    rest = b"".join([*outside, body[at:]])
    if rest.count(b"[") + rest.count(b"{") > CONTAINERS or rest.count(b",") > VALUES:
        raise BadRequest(f"The body holds more than {CONTAINERS:,} lists and objects, or {VALUES:,} values.")


def _string_end(body: bytes, at: int) -> int:
    """Return where the string ends that has begun before *at*. Raises BadRequest for one of very many quotes."""
    for _ in range(STRINGS):
        quote = body.find(b'"', at)
        if quote < 0:
            return len(body)
        before = quote
        while body[before - 1] == BACKSLASH:
            before -= 1
        at = quote + 1
        if (quote - before) % 2 == 0:
            return at
    raise BadRequest(f"The body holds a text of more than {STRINGS:,} quotes.")


def decode_json(body: bytes) -> dict[str, object]:
    """Return the JSON object of a body, which may begin with a byte order mark. Raises BadRequest when it is not one."""
    body = body.removeprefix(codecs.BOM_UTF8)
    check_members(body)
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # the last: nested too deep to be ours
        raise BadRequest(f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value
