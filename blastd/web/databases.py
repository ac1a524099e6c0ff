"""Handlers of databases and programs: the catalogue, making and warming databases, what can be searched with."""

from pathlib import Path

from aiohttp import web
from msgspec.structs import replace

from blastd.aio import duty
from blastd.core.options import Option
from blastd.core.programs import Program
from blastd.errors import BadRequest, Invalid
from blastd.service.databases.offers import ListedOffer
from blastd.service.databases.orders import Listed, NewDatabase
from blastd.web import bodies, rows, wire
from blastd.web.database_tasks import accepted
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.replies import reply
from blastd.web.submit import part_encoding, plain_text

LETTERS = {"nucleotide": "nucl", "protein": "prot"} | {short: short for short in rows.MOLECULES}
FIELD_BYTES = 64 * 1024
BASIC_GROUPS = frozenset({"General search options", "Restrict search or results"})
FILE_PARTS = frozenset({"file", "fasta", "query"})


async def list_databases(request: web.Request) -> web.Response:
    """Answer the catalogue."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    databases = request.app[SERVICES].databases
    found, problems = await databases.listed()
    return reply(
        wire.DatabaseList(
            databases=[database_view(one) for one in await request.app[SERVICES].told(found)],
            problems=list(problems),
            scanning=not databases.scanned.is_set(),
        )
    )


async def get_database(request: web.Request) -> web.Response:
    """Answer one database."""
    services, found = request.app[SERVICES], await named(request)
    (told,) = await services.told([found])
    return reply(replace(database_view(told), metadata=await services.databases.metadata(found.database)))


async def named(request: web.Request) -> Listed:
    """Return the database that the address names. Raises NotFound, Invalid; Conflict when it names two."""
    return await request.app[SERVICES].databases.get(request.match_info["name"], asked_molecule(request))


def asked_molecule(request: web.Request) -> str:
    """Return the molecule that the address asks for, empty if it does not say. Raises Invalid."""
    return letters_of(wire.decode_query(wire.MoleculeQuery, request.query, request.query.items()).molecule)


def letters_of(molecule: str) -> str:
    """Return what BLAST+ calls a molecule, empty for none. Raises Invalid for a word that is none."""
    letters = LETTERS.get(molecule.lower(), "") if molecule else ""
    if molecule and not letters:
        raise Invalid([("/molecule", "molecule is nucleotide or protein.")])
    return letters


def database_view(told: ListedOffer) -> wire.DatabaseView:
    """Return a database."""
    one, record = told.listed, told.installed
    database = one.database
    return wire.DatabaseView(
        name=database.name,
        title=database.title,
        molecule=rows.MOLECULES.get(database.molecule, database.molecule),
        kind="domains" if database.kind == "profiles" and database.has_counts else database.kind,
        sequences=database.sequences,
        letters=database.letters,
        longest=database.longest,
        date=database.date,
        version=database.version,
        taxonomy=database.has_taxonomy,
        taxonomy_names=database.has_taxonomy_names,
        ids=database.has_ids,
        fingerprint=database.fingerprint,
        state=database.state,
        reason=database.reason,
        size_bytes=database.bytes,
        warm_on=list(one.warm_on),
        maskings=[
            wire.MaskingView(id=each.id, algorithm=each.algorithm, options=each.options) for each in database.maskings
        ],
        own=told.own,
        source=record.source if record is not None else None,
        source_version=record.version if record is not None else None,
        update_error=told.update_error,
    )


async def rescan(request: web.Request) -> web.Response:
    """Look through the folders now and answer the catalogue."""
    services = request.app[SERVICES]
    await services.databases.rescan()
    await services.taxa.notice()
    return await list_databases(request)


async def warm(request: web.Request) -> web.Response:
    """Bring a database to where it is searched, ahead of time."""
    services = request.app[SERVICES]
    found = await named(request)
    nodes, detail = await services.warm(found)
    return reply(wire.Warmed(name=found.database.name, warm_on=nodes, detail=detail), 202)


async def remove_database(request: web.Request) -> web.Response:
    """Remove a database that was made here."""
    name, molecule = request.match_info["name"], asked_molecule(request)
    gone = await request.app[SERVICES].changes.remove(request[IDENTITY], name, molecule)
    return reply(wire.Removed(name=gone.name, molecule=rows.MOLECULES[gone.molecule], bytes_freed=gone.bytes))


async def make_database(request: web.Request) -> web.Response:
    """Accept the making of a database from a FASTA file."""
    services = request.app[SERVICES]
    limit = services.settings.databases.upload_bytes
    bodies.check_length(request, limit)
    services.database_tasks.room(request.content_length or 0)
    upload = services.databases.temporary()
    try:
        given = await read_order(request, upload, limit)
        task_id = await services.makings.order(
            request[IDENTITY],
            NewDatabase(
                name=given.name,
                upload=upload,
                title=" ".join(given.title.split()),
                molecule=LETTERS.get(given.molecule.strip().lower(), ""),
                parse_seqids=given.parse_seqids,
                replace=given.replace,
                molecule_check=given.molecule_check,
            ),
            services.database_tasks.admit,
        )
    finally:
        await duty(upload.unlink, missing_ok=True)
    return await accepted(request, task_id)


async def read_order(request: web.Request, upload: Path, limit: int) -> wire.DatabaseBody:
    """Read a form with the file and what to make of it, or a FASTA body with the rest in the address."""
    room = request.app[SERVICES].database_tasks.room
    if request.content_type != "multipart/form-data":
        if request.content_type == "application/json":
            raise BadRequest("Send the FASTA file as multipart/form-data, or as the body with the rest in the address.")
        given = wire.decode_query(wire.DatabaseBody, request.query, request.query.items())
        await bodies.to_file(request.content.iter_any(), bodies.encoding_of(request), upload, limit, room)
        return given
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    fields: dict[str, object] = {}
    with bodies.reading_form():
        async for name, part in bodies.parts(request):
            if name in FILE_PARTS:
                await bodies.to_file(bodies.part_blocks(part), part_encoding(part), upload, limit, room)
            else:
                fields[name] = await plain_text(part, FIELD_BYTES)
    values, faults = wire.gather(wire.DatabaseBody, fields, strict=False)
    if not upload.exists():
        faults.append(("/file", "The FASTA file is missing; send it as the part 'file'."))
    if faults:
        raise Invalid(faults)
    return wire.DatabaseBody(**values)


async def programs(request: web.Request) -> web.Response:
    """Answer programs, tasks, options and formats."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    services = request.app[SERVICES]
    offered = services.offered
    return reply(
        wire.Programs(
            blast_version=offered.blast_version,
            programs=[program_view(program) for program in offered.programs.values()],
            formats=[
                wire.FormatView(
                    name=one.name,
                    outfmt=one.outfmt,
                    title=one.title,
                    media_type=one.media_type,
                    extension=one.extension,
                    programs=list(one.programs),
                )
                for one in services.results.formats()
            ],
        )
    )


def program_view(program: Program) -> wire.ProgramView:
    """Return a program with its tasks and options."""
    return wire.ProgramView(
        name=program.name,
        title=program.title,
        help=program.title,
        query=rows.MOLECULES[program.query],
        query_types=list(program.starts),
        database=rows.MOLECULES[program.database],
        database_kind=program.kind,
        default_task=program.tasks[0].name,
        tasks=[
            wire.ProgramTaskView(name=task.name, title=task.title, help=task.help, defaults=dict(task.defaults))
            for task in program.tasks
        ],
        options=[option_view(option) for option in program.options.values()],
    )


def option_view(option: Option) -> wire.OptionView:
    """Return an option; a flag is a boolean on the wire."""
    return wire.OptionView(
        name=option.name,
        type={"flag": "boolean", "text": "string"}.get(option.kind, option.kind),
        flag=option.kind == "flag",
        default=option.default,
        minimum=option.minimum,
        maximum=option.maximum,
        exclusive_minimum=option.exclusive_minimum,
        exclusive_maximum=option.exclusive_maximum,
        choices=list(option.choices),
        ranges=[list(span) for span in option.ranges],
        excludes=list(option.excludes),
        requires=list(option.requires),
        help=option.help,
        group=option.group,
        advanced=option.group not in BASIC_GROUPS,
    )


NAME = "/api/blast/databases/{name:.+}"
_FORM = {
    "type": "object",
    "required": ["file", "name", "molecule"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "name": {"type": "string"},
        "title": {"type": "string"},
        "molecule": {"type": "string", "enum": ["nucleotide", "protein"]},
        "parse_seqids": {"type": "boolean"},
        "replace": {"type": "boolean"},
    },
}
ROUTES = (
    Route(
        method="GET",
        path="/api/blast/databases",
        handler=list_databases,
        tag="databases",
        summary="The catalogue",
        answers={200: wire.DatabaseList},
    ),
    Route(
        method="POST",
        path="/api/blast/databases",
        handler=make_database,
        tag="databases",
        summary="Make a database from a FASTA file",
        body={"multipart/form-data": _FORM},
        answers={202: wire.TaskAnswer},
        errors=(400, 403, 409, 413, 422, 429, 507),
    ),
    Route(
        method="POST",
        path="/api/blast/databases/rescan",
        handler=rescan,
        tag="databases",
        summary="Look through the folders now",
        answers={200: wire.DatabaseList},
        errors=(403,),
    ),
    Route(
        method="POST",
        path="/api/blast/databases/{name:.+}/warm",
        handler=warm,
        tag="databases",
        summary="Bring a database to the nodes ahead of time",
        answers={202: wire.Warmed},
        errors=(403, 404),
    ),
    Route(
        method="GET",
        path=NAME,
        handler=get_database,
        tag="databases",
        summary="One database",
        answers={200: wire.DatabaseView},
        errors=(404,),
    ),
    Route(
        method="DELETE",
        path=NAME,
        handler=remove_database,
        tag="databases",
        summary="Remove a database that was made here",
        answers={200: wire.Removed},
        errors=(403, 404, 409),
    ),
    Route(
        method="GET",
        path="/api/blast/programs",
        handler=programs,
        tag="databases",
        summary="Programs, tasks, options and formats",
        answers={200: wire.Programs},
    ),
)
