"""Handlers of sources of databases, and of changes of the catalogue: fetch, update, rename, what a database serves, history."""

from aiohttp import web

from blastd.service.databases.offers import Offered
from blastd.web import bodies, rows, wire
from blastd.web.database_tasks import accepted, task_view
from blastd.web.databases import LETTERS, asked_molecule
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.replies import reply


async def available(request: web.Request) -> web.Response:
    """Answer what the sources offer."""
    query = wire.decode_query(wire.AvailableQuery, request.query, request.query.items())
    offers = request.app[SERVICES].offers
    found, problems = await offers.available(query.source, fresh=query.refresh)
    words = query.q.lower()
    shown = [one for one in found if words in f"{one.offer.name} {one.offer.title}".lower()]
    return reply(
        wire.OfferList(databases=[offer_view(one) for one in shown], problems=problems, sources=list(offers.sources))
    )


def offer_view(one: Offered) -> wire.OfferView:
    """Return an offer."""
    offer = one.offer
    return wire.OfferView(
        source=one.source,
        name=offer.name,
        title=offer.title,
        molecule=rows.MOLECULES.get(offer.molecule, offer.molecule),
        date=offer.date,
        version=offer.version,
        sequences=offer.sequences,
        letters=offer.letters,
        size_bytes=offer.bytes,
        installed_as=one.here.name if one.here is not None else None,
        installed_version=one.installed.version if one.installed is not None else None,
        newer=one.newer,
    )


async def fetch_database(request: web.Request) -> web.Response:
    """Accept the fetch of a database from a source."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    wanted = wire.decode(wire.FetchBody, await _object(request))
    services = request.app[SERVICES]
    task_id = await services.fetches.order(
        request[IDENTITY],
        wanted.name,
        wanted.source,
        LETTERS.get(wanted.molecule.lower(), wanted.molecule),
        wanted.called,
        services.admit_fetch(request[IDENTITY]),
        replace=wanted.replace,
    )
    return await accepted(request, task_id)


async def update_database(request: web.Request) -> web.Response:
    """Accept the update of a fetched database, if its source has a newer version."""
    services, who = request.app[SERVICES], request[IDENTITY]
    database = await services.changes.own(who, request.match_info["name"], asked_molecule(request))
    task_id = await services.fetches.update(who, database, services.admit_fetch(who))
    if task_id is None:
        detail = f"{database.name} is up to date: its source has nothing newer."
        return reply(wire.UpdateAnswer(task=None, detail=detail))
    services.database_tasks.wake()
    task = await services.database_tasks.seen(task_id)
    view = task_view(task, None, rows.base_of(request))
    headers = {"Location": view.links["self"], "Retry-After": "1"}
    return reply(wire.UpdateAnswer(task=view, detail=f"{database.name} is brought up to date."), 202, headers)


async def rename_database(request: web.Request) -> web.Response:
    """Rename a database that was made or fetched here."""
    molecule = asked_molecule(request)
    wanted = wire.decode(wire.RenameBody, await _object(request))
    services, who = request.app[SERVICES], request[IDENTITY]
    database = await services.changes.rename(who, request.match_info["name"], wanted.name, molecule)
    return reply(await _uses(request, database.name, database.molecule))


async def uses(request: web.Request) -> web.Response:
    """Answer what a database serves."""
    return reply(await _uses(request, request.match_info["name"], asked_molecule(request)))


async def _uses(request: web.Request, name: str, molecule: str) -> wire.UsesView:
    served = await request.app[SERVICES].changes.uses(request[IDENTITY], name, molecule)
    return wire.UsesView(
        name=served.database.name,
        molecule=rows.MOLECULES.get(served.database.molecule, served.database.molecule),
        jobs_active=served.jobs_active,
        jobs_stored=served.jobs_stored,
        warm_on=list(served.warm_on),
        size_bytes=served.database.bytes,
        may_change=not served.reason,
        reason=served.reason,
    )


async def history(request: web.Request) -> web.Response:
    """Answer what became of a database, also of one that is gone."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    found = await request.app[SERVICES].changes.history(request.match_info["name"])
    return reply(
        wire.HistoryList(
            history=[
                wire.HistoryView(
                    at=wire.moment(line.at),
                    kind=line.kind,
                    molecule=rows.MOLECULES.get(line.molecule, line.molecule),
                    owner=line.owner,
                    task_id=line.task_id,
                    fingerprint=line.fingerprint,
                    detail=line.detail,
                )
                for line in found
            ]
        )
    )


async def _object(request: web.Request) -> dict[str, object]:
    """Return the JSON object of a small body. Raises BadRequest, TooLarge."""
    text = await bodies.whole(request.content.iter_any(), bodies.encoding_of(request), BODY_BYTES)
    return await bodies.json_object(text)


BODY_BYTES = 64 * 1024
NAME = "/api/blast/databases/{name:.+}"
ROUTES = (
    Route(
        method="GET",
        path="/api/blast/databases/available",
        handler=available,
        tag="databases",
        summary="What the sources of the configuration offer",
        query=wire.AvailableQuery,
        answers={200: wire.OfferList},
        errors=(404, 422),
    ),
    Route(
        method="POST",
        path="/api/blast/databases/fetch",
        handler=fetch_database,
        tag="databases",
        summary="Fetch a database from a source",
        body={"application/json": wire.FetchBody},
        answers={202: wire.TaskAnswer},
        errors=(400, 403, 404, 409, 413, 422, 429, 503),
    ),
    Route(
        method="POST",
        path=f"{NAME}/update",
        handler=update_database,
        tag="databases",
        summary="Bring a fetched database up to date",
        query=wire.MoleculeQuery,
        answers={200: wire.UpdateAnswer, 202: wire.UpdateAnswer},
        errors=(403, 404, 409, 422, 429, 503),
    ),
    Route(
        method="POST",
        path=f"{NAME}/rename",
        handler=rename_database,
        tag="databases",
        summary="Rename a database that was made or fetched here",
        query=wire.MoleculeQuery,
        body={"application/json": wire.RenameBody},
        answers={200: wire.UsesView},
        errors=(400, 403, 404, 409, 413, 422),
    ),
    Route(
        method="GET",
        path=f"{NAME}/uses",
        handler=uses,
        tag="databases",
        summary="What a database serves, and whether you may change it",
        query=wire.MoleculeQuery,
        answers={200: wire.UsesView},
        errors=(404, 409, 422),
    ),
    Route(
        method="GET",
        path=f"{NAME}/history",
        handler=history,
        tag="databases",
        summary="What became of a database",
        answers={200: wire.HistoryList},
        errors=(404,),
    ),
)
