"""Handler of submit: a search as JSON, as multipart with a file, or as FASTA with the rest in the address.

All three become one `core.search.Search` with its `Uploads`; what is right is decided by the service. The query goes to a file as it arrives.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import BodyPartReader, hdrs, web

from blastd.aio import duty
from blastd.core.search import Search
from blastd.errors import BadRequest, Faults, Invalid
from blastd.service.search.query import Uploads
from blastd.service.search.submit import Accepted
from blastd.web import bodies, wire
from blastd.web.jobs import accepted, preferred_wait
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.session import CSRF_HEADER, CSRF_VALUE

SMALL_BYTES = 64 << 10
"""Up to here a body is read before it is asked whether its owner may submit, which the row's transaction asks anyway."""
FIELD_BYTES = 8 << 20
"""A part of a multipart body that is no file."""
KEY_LETTERS = 255
FIRST_BYTES = 256
FORM = re.compile(rb"[a-z_]+=[^\n]*")
"""How the body begins that curl and browsers send as a form when they are told nothing else."""
SEVERAL = frozenset({"database", "organisms", "exclude_organisms"})
"""Fields of an address or a form that may be repeated."""
FASTA_FIELDS = frozenset({"query", "subject"})
FIELDS = frozenset(field.name for field in msgspec.structs.fields(wire.SearchBody))
KNOWN_PARTS = FIELDS | {"search"}
CLI_AGENT = "blastd-cli/"


async def submit(request: web.Request) -> web.Response:
    """Accept a search: 202, or 200 when the Idempotency-Key was used for the same request before."""
    services, who = request.app[SERVICES], request[IDENTITY]
    limit = services.settings.limits.body_bytes
    bodies.check_length(request, limit)
    key = idempotency_key(request)
    if key is None and (request.content_length is None or request.content_length > SMALL_BYTES):
        await services.submit.admit(who)
    if is_json(request):
        found = await services.submit.submit(who, *read(request, await from_json(request, limit)), key)
        return await answer(request, found)
    upload = services.submit.temporary()
    try:
        body = await read_search(request, upload, limit)
        found = await services.submit.submit(who, *read(request, body, upload), key)
    finally:
        for file in (upload, subject_of(upload)):
            if file.exists():  # refused before the service took it
                await duty(file.unlink, missing_ok=True)
    return await answer(request, found)


async def answer(request: web.Request, found: Accepted) -> web.Response:
    """Answer with the row of the search: as it is, or as it is after the time that the client prefers to wait."""
    services, seconds, job = request.app[SERVICES], preferred_wait(request), found.job
    until = services.clock.monotonic() + seconds
    while not job.status.terminal and not services.stopping.is_set() and request.transport is not None:
        left = until - services.clock.monotonic()
        if left <= 0:
            break
        parts = await services.jobs.wait(
            request[IDENTITY], job.job_id, left, job.edition, lambda: request.transport is not None
        )
        job = parts.job
    response = accepted(request, job, 200 if found.replayed else 202)
    if seconds > 0:
        response.headers["Preference-Applied"] = f"wait={seconds:.0f}"
    return response


def is_json(request: web.Request) -> bool:
    """Tell whether the body is a JSON object with everything in it."""
    return request.content_type == "application/json" or request.content_type.endswith("+json")


def subject_of(upload: Path) -> Path:
    """Return where the subjects of a search are written whose query is in *upload*."""
    return upload.with_name(upload.name + ".subject")


def read(request: web.Request, body: wire.SearchBody, upload: Path | None = None) -> tuple[Search, Uploads]:
    """Return the search and its sequences: text of the body itself, or else what came as a file in *upload* and beside it."""
    names = [body.database] if isinstance(body.database, str) else body.database
    subject: Path | bytes | None = bodies.encoded(body.subject) if body.subject else None
    if subject is None and upload is not None and subject_of(upload).exists():
        subject = subject_of(upload)
    query = upload if body.query is None and upload is not None else bodies.encoded(body.query or "")
    search = Search(
        program=body.program,
        databases=tuple(names),
        task=body.task,
        options=body.options,
        title=body.title,
        engine=body.engine,
        priority=body.priority,
        time_limit_seconds=body.time_limit_seconds,
        query_loc=body.query_loc or None,
        query_type=body.query_type,
        reuse=body.reuse,
        molecule_check=body.molecule_check,
        source=source_of(request),
        webhook=body.webhook,
        organisms=listed(body.organisms),
        exclude_organisms=listed(body.exclude_organisms),
    )
    return search, Uploads(query=query, subject=subject)


def listed(organisms: str | int | Sequence[str | int]) -> tuple[str, ...]:
    """Return organisms as texts; what is empty is none."""
    several = [organisms] if isinstance(organisms, str | int) else organisms
    return tuple(dict.fromkeys(text for one in several if (text := " ".join(str(one).split()))))


def source_of(request: web.Request) -> str:
    """Return where the search came from: our pages and our command line say so."""
    if request.headers.get(CSRF_HEADER) == CSRF_VALUE:
        return "web"
    return "cli" if request.headers.get("User-Agent", "").startswith(CLI_AGENT) else "api"


def idempotency_key(request: web.Request) -> str | None:
    """Return the Idempotency-Key. Raises Invalid for one that is empty, too long or not printable."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= KEY_LETTERS and key.isascii() and key.isprintable()):
        raise Invalid([("/Idempotency-Key", f"Idempotency-Key is 1 to {KEY_LETTERS} printable ASCII letters.")])
    return key


async def read_search(request: web.Request, upload: Path, limit: int) -> wire.SearchBody:
    """Read a search that is no JSON; the query is in *upload* afterwards."""
    kind = request.content_type
    if kind == "multipart/form-data":
        return await from_multipart(request, upload, limit)
    if kind.startswith("multipart/"):
        raise BadRequest("Send multipart/form-data, JSON, or FASTA.")
    return await from_fasta(request, upload, limit)


async def from_json(request: web.Request, limit: int) -> wire.SearchBody:
    """Read a JSON object with the query as text."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    most = min(limit, bodies.JSON_BYTES)
    text = await bodies.whole(request.content.iter_any(), bodies.encoding_of(request), most)
    return decoded(await bodies.json_object(text))


def decoded(raw: Mapping[str, object], upload: Path | None = None, more: Faults | None = None) -> wire.SearchBody:
    """Return *raw* as a search; a query or subjects that came as files are in *upload* and beside it."""
    values, faults = wire.gather(wire.SearchBody, raw)
    if faults or more:
        sent = upload is not None and subject_of(upload).exists()
        if not raw.get("database") and not raw.get("subject") and not sent:
            faults.append(("/database", "'database' is missing."))
        faults += more or ()
        raise Invalid(faults)
    return wire.SearchBody(**values)


async def from_fasta(request: web.Request, upload: Path, limit: int) -> wire.SearchBody:
    """Read a FASTA body; the search is in the address, where each name that is no field is a search option."""
    raw, faults = address_fields(request)
    await bodies.to_file(request.content.iter_any(), bodies.encoding_of(request), upload, limit)
    if not raw.get("program") and (mistaken := await duty(mistaken_body, upload)):
        raise Invalid([("/Content-Type", mistaken)])
    return decoded(raw, upload, faults)


def mistaken_body(upload: Path) -> str:
    """Return what to say of a body that is no FASTA and was sent as none of the kinds that are read; blocking."""
    with upload.open("rb") as file:
        text = file.read(FIRST_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"{", b"[")):
        return "The body looks like JSON: send it with 'Content-Type: application/json' (curl: -H or --json)."
    if FORM.match(text):
        return (
            "The body looks like a form: send JSON with 'Content-Type: application/json', a form as multipart/form-data "
            "(curl: -F), or FASTA with program and database in the address."
        )
    return ""


def address_fields(request: web.Request) -> tuple[dict[str, object], Faults]:
    """Return the fields of a search from the address, and the faults of those that can't be read."""
    raw: dict[str, object] = {}
    options: dict[str, Any] = {}
    faults = Faults()
    repeats: dict[str, list[str]] = {}
    for name, text in request.query.items():
        repeats.setdefault(name, []).append(text)
    for name, texts in repeats.items():
        if name in SEVERAL:
            raw[name] = texts
        elif len(texts) > 1:
            faults.append((wire.pointer(name), f"'{name}' was given {len(texts)} times; give it once."))
        elif name == "query":
            faults.append(("/query", "The query is the body; give it once."))
        elif name == "options":
            options |= json_field(name, texts[0], faults)
        elif name in FIELDS:
            raw[name] = plain_value(name, texts[0])
        else:
            options[name] = texts[0]
    if options:
        raw["options"] = options
    return raw, faults


def plain_value(name: str, text: str) -> object:
    """Return the text of a field as the value that JSON would have; one that can't be is left for the decoder."""
    field = next(field for field in msgspec.structs.fields(wire.SearchBody) if field.name == name)
    try:
        return msgspec.to_builtins(msgspec.convert(text, field.type, strict=False))
    except msgspec.ValidationError:
        return text


def json_field(name: str, text: str, faults: Faults) -> dict[str, Any]:
    """Return the JSON object in a field; blocking when it is long."""
    try:
        return wire.decode_json(text.encode("utf-8", "surrogateescape"))
    except BadRequest as error:
        faults.append((wire.pointer(name), f"'{name}' must be a JSON object. {error}"))
        return {}


async def from_multipart(request: web.Request, upload: Path, limit: int) -> wire.SearchBody:
    """Read a form: `search` as JSON or each field alone, and `query` as file or text."""
    if bodies.encoding_of(request):
        raise BadRequest("A multipart body has no Content-Encoding: compress the file in it.")
    raw, faults = address_fields(request)
    seen, unknown = 0, list[str]()
    with bodies.reading_form():
        async for name, part in bodies.parts(request):
            if name == "query" and (part.filename is not None or not upload.exists()):
                seen += await bodies.to_file(bodies.part_blocks(part), part_encoding(part), upload, limit - seen)
                continue
            if name == "subject" and part.filename:
                target = subject_of(upload)
                seen += await bodies.to_file(bodies.part_blocks(part), part_encoding(part), target, limit - seen)
                continue
            text = await bodies.whole(bodies.part_blocks(part), part_encoding(part), min(FIELD_BYTES, limit - seen))
            seen += len(text)
            if name == "query":  # a page sends its empty text field beside the file
                faults += [("/query", "The query was given twice; send a file or text.")] if text.strip() else []
            elif name not in KNOWN_PARTS:
                unknown.append(name)
            else:
                await bodies.here_or_there(len(text), take_field, raw, name, text, faults)
    wire.add_unknown(faults, unknown, sorted(KNOWN_PARTS))
    if not upload.exists() and raw.get("query") is None:
        raw["query"] = ""
    return decoded(raw, upload, faults)


def part_encoding(part: BodyPartReader) -> str:
    """Return how a part is compressed."""
    return part.headers.get(hdrs.CONTENT_ENCODING, "")


async def plain_text(part: BodyPartReader, limit: int) -> str:
    """Return a part that is a short text."""
    return utf8(part.name or "", await bodies.whole(bodies.part_blocks(part), part_encoding(part), limit))


def utf8(name: str, text: bytes) -> str:
    """Return the text of a part that is no file. Raises Invalid when it is none."""
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise Invalid([(wire.pointer(name), f"'{name[:80]}' is no UTF-8 text.")]) from error


def take_field(raw: dict[str, object], name: str, text: bytes, faults: Faults) -> None:
    """Put a part that is no file into *raw*; blocking when it is long."""
    value = text.decode("utf-8", "replace") if name in FASTA_FIELDS else utf8(name, text)
    if name == "search":
        raw |= json_field("search", value, faults)
    elif name == "options":
        raw["options"] = json_field("options", value, faults)
    elif name in SEVERAL:
        known = raw.get(name)
        raw[name] = [*known, value] if isinstance(known, list) else [value]
    else:
        raw[name] = plain_value(name, value)


_TEXT_SCHEMA = {"type": "string", "description": "FASTA, plain or gzip; the search is in the address."}
_FORM_SCHEMA = {
    "type": "object",
    "properties": {
        "search": {"$ref": "#/components/schemas/SearchBody"},
        "query": {"type": "string", "format": "binary"},
        "subject": {"type": "string", "format": "binary"},
    },
}
ROUTES = (
    Route(
        method="POST",
        path="/api/blast/jobs",
        handler=submit,
        tag="jobs",
        summary="Submit a search",
        query=wire.AddressedSearch,
        tells="{$request.body#/webhook}",
        body={"application/json": wire.SearchBody, "multipart/form-data": _FORM_SCHEMA, "text/x-fasta": _TEXT_SCHEMA},
        answers={200: wire.JobRow, 202: wire.JobRow},
        errors=(400, 403, 410, 413, 422, 429, 507),
        headers=(("Idempotency-Key", "The same key and request give the same job, however often it is sent."),),
    ),
)
