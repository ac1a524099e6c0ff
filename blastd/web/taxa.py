"""Handlers of taxa: what is found while somebody types, and where the taxonomy stands."""

from aiohttp import web

from blastd.errors import Invalid
from blastd.service.taxonomy.taxa import SuggestedTaxon
from blastd.web import wire
from blastd.web.databases import letters_of
from blastd.web.middleware import SERVICES
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


ROUTES = (
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
