"""Gzip of answers that are made whole in memory: lists and pages, which shrink to a tenth. Files pack in `download.py`."""

import gzip

from aiohttp import web

from blastd.aio import duty
from blastd.web.problems import Handler

WORTH_PACKING_BYTES = 4096
"""Below this a gzipped answer saves few packets."""
LONG_BYTES = 512 << 10
"""Above this packing takes milliseconds (5 for 1 MB at level 1), so it is done in a thread."""
LEVEL = 1
PACKED_TYPES = frozenset({"application/json", "text/html"})


def accepts_gzip(request: web.Request) -> bool:
    """Tell whether the client takes gzip (RFC 9110 12.5.3)."""
    accepted = request.headers.get("Accept-Encoding", "").lower()
    offers = {part.partition(";")[0].strip(): part.partition(";")[2].replace(" ", "") for part in accepted.split(",")}
    return "gzip" in offers and offers["gzip"] not in ("q=0", "q=0.0", "q=0.00", "q=0.000")


@web.middleware
async def pack(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Pack the answer of *handler* if the client takes it and it is worth while."""
    answer = await handler(request)
    if not isinstance(answer, web.Response) or answer.content_type not in PACKED_TYPES or answer.prepared:
        return answer
    body = answer.body
    if not isinstance(body, bytes) or len(body) < WORTH_PACKING_BYTES or "Content-Encoding" in answer.headers:
        return answer
    answer.headers["Vary"] = ", ".join(filter(None, [answer.headers.get("Vary", ""), "Accept-Encoding"]))
    if accepts_gzip(request):
        if len(body) > LONG_BYTES:
            answer.body = await duty(gzip.compress, body, LEVEL, mtime=0)
        else:
            answer.body = gzip.compress(body, LEVEL, mtime=0)
        answer.headers["Content-Encoding"] = "gzip"
    return answer
