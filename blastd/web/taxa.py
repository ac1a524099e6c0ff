"""Handlers of taxa: what is found while somebody types, where the taxonomy stands, what a result says of organisms."""

from collections.abc import Sequence

import msgspec
from aiohttp import web

from blastd.core.hits import TaxonomyRequest
from blastd.errors import Invalid
from blastd.service.results.taxonomy import KEYS, taxonomy
from blastd.service.taxonomy.taxa import SuggestedTaxon
from blastd.web import wire
from blastd.web.databases import letters_of
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.replies import reply


async def suggest_taxa(request: web.Request) -> web.Response:
    """Answer the taxa that begin as typed and that the databases hold."""
    query = wire.decode_query(wire.TaxaQuery, request.query, request.query.items())
    names = [*query.database, *query.databases]
    if not names:
        raise Invalid([("/database", "Say of which databases, like ?database=nt: only taxa that they hold are told.")])
    found = await request.app[SERVICES].taxa.suggest(query.q, names, letters_of(query.molecule), query.limit)
    return reply(wire.TaxaView(taxa=[taxon_view(each) for each in found.taxa], names=found.names))


def taxon_view(found: SuggestedTaxon) -> wire.TaxonView:
    """Return a taxon."""
    taxon = found.lineage.taxon
    return wire.TaxonView(
        taxid=taxon.taxid,
        name=taxon.name,
        common_name=taxon.common_name,
        rank=taxon.rank,
        lineage=[above.name for above in found.lineage.above],
        sequences=found.counted.sequences,
        taxa=found.counted.held,
    )


async def get_taxonomy(request: web.Request) -> web.Response:
    """Answer where the taxonomy stands."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    state = await request.app[SERVICES].taxa.state()
    about = state.about
    return reply(
        wire.TaxonomyView(
            state=state.state,
            progress=state.progress,
            source=(None if about is None else "taxdump" if about.kind == "dump" else "blast"),
            fingerprint=state.fingerprint or None,
            taxa=about.taxa if about is not None else None,
            names=about.names if about is not None else None,
            reason=state.reason or None,
        )
    )


async def get_taxonomy_report(request: web.Request) -> web.Response:
    """Answer what the hits say of organisms, as JSON or as a table."""
    services = request.app[SERVICES]
    query = wire.decode_query(wire.TaxonomyQuery, request.query, request.query.items())
    job = await services.jobs.get(request[IDENTITY], request.match_info["id"])
    ready = await services.results.ready(job, partial=query.partial)
    wanted = TaxonomyRequest(by=query.by, query=query.query, top=query.top, limit=query.limit, cursor=query.cursor)
    found = await taxonomy(services.results.indices, services.taxa, ready, wanted)
    if query.format == "tsv":
        return tab_separated(found[KEYS[query.by]])
    return reply(msgspec.convert(msgspec.to_builtins(found), wire.TaxonomyReport))


def tab_separated(rows: Sequence[msgspec.Struct]) -> web.Response:
    """Answer rows of one kind as a table with a line of names; several values of one cell are parted by '; '."""
    lines = ["\t".join(rows[0].__struct_fields__)] if rows else []
    for row in rows:
        cells = ["; ".join(cell) if isinstance(cell, tuple) else cell for cell in msgspec.structs.astuple(row)]
        lines.append("\t".join("" if cell is None else " ".join(str(cell).split()) for cell in cells))
    return web.Response(
        body="".join(f"{line}\n" for line in lines).encode(),
        headers={
            "Cache-Control": "no-store",
            "Content-Type": "text/tab-separated-values; charset=utf-8; header=present",
        },
    )


ROUTES = (
    Route(
        method="GET",
        path="/api/blast/jobs/{id}/taxonomy",
        handler=get_taxonomy_report,
        tag="results",
        summary="Hits by organism and by lineage, and what the best hits of a query have in common",
        query=wire.TaxonomyQuery,
        answers={200: wire.TaxonomyReport},
        errors=(404, 409, 410, 422, 503),
    ),
    Route(
        method="GET",
        path="/api/blast/taxa",
        handler=suggest_taxa,
        tag="databases",
        summary="Taxa that begin as typed and that the databases hold",
        query=wire.TaxaQuery,
        answers={200: wire.TaxaView},
        errors=(422, 431, 503),
    ),
    Route(
        method="GET",
        path="/api/blast/taxonomy",
        handler=get_taxonomy,
        tag="databases",
        summary="Where the taxonomy stands",
        answers={200: wire.TaxonomyView},
        errors=(503,),
    ),
)
