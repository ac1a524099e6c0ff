"""Results as NCBI sends them: framed or escaped, with fewer subjects, or as a zip archive with a file for each query.

No answer holds `Status=` but that of the frame, since clients take the first that they find: in results it is written
as a character reference.
"""

import io
import zipfile
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from blastd.aio import duty
from blastd.core import multifile, ncbi_table
from blastd.core.fewer_subjects import Most, shorten
from blastd.core.model import Frozen
from blastd.errors import BadRequest
from blastd.service.results.request import ResultFile

BLOCK = 1 << 18
MOST_ZIPPED_BYTES = 512 << 20
HTML, TEXT, ZIP = "text/html", "text/plain", "application/zip"
MARK = b"Status="
ESCAPES = {"application/xml": b"Status&#61;", "application/json": b"Status\\u003d", HTML: b"Status&#61;"}


class Form(Frozen, frozen=True, kw_only=True):
    """How a FORMAT_TYPE is sent: our format, media type, and whether it stands in a page."""

    name: str
    media_type: str
    framed: bool = False


FORMS = {
    "XML": Form(name="xml", media_type="application/xml"),
    "XML2_S": Form(name="xml2", media_type="application/xml"),
    "XML2": Form(name="xml2", media_type=ZIP),
    "JSON2_S": Form(name="json", media_type="application/json"),
    "JSON2": Form(name="json", media_type=ZIP),
    "TEXT": Form(name="pairwise", media_type=TEXT, framed=True),
    "TABULAR": Form(name="commented", media_type=TEXT, framed=True),
    "HTML": Form(name="pairwise", media_type=HTML, framed=True),
    "ASN.1": Form(name="asn1", media_type=TEXT),
    "CSV": Form(name="csv", media_type="text/csv"),
}


async def blocks(found: ResultFile, form: Form, most: Most, program: str, rid: str) -> AsyncIterator[bytes]:
    """Yield a stored result so that nothing in it reads as ours: `Status=` escaped, in HTML marks of its own as well."""
    source = shortened(found.path, form.name, most, program, rid)
    kept = b""
    while block := await duty(next, source, b""):
        data = kept + block
        cut = len(data) - next((size for size in range(len(MARK) - 1, 0, -1) if data.endswith(MARK[:size])), 0)
        data, kept = data[:cut], data[cut:]
        yield escaped(data, form.media_type)
    yield escaped(kept, form.media_type)


def shortened(path: Path, name: str, most: Most, program: str, rid: str) -> Iterator[bytes]:
    """Yield the file in blocks that are not empty, with the subjects that *most* allows, tables as NCBI's; blocking."""
    with path.open("rb") as file:
        if name == "commented":
            yield from gathered(ncbi_table.tabular(file, program, rid, most))
            return
        if name == "csv":
            yield from gathered(ncbi_table.comma_separated(file, most))
            return
        if not most.cuts(name):
            while block := file.read(BLOCK):
                yield block
            return
        yield from gathered(shorten(file, name, most))


def gathered(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield *lines* together, about BLOCK bytes at a time."""
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= BLOCK:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


def escaped(data: bytes, media_type: str) -> bytes:
    """Return *data* for a document of this type."""
    if media_type == HTML:
        data = data.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    return data.replace(MARK, ESCAPES[media_type]) if media_type in ESCAPES else data


def archive(found: ResultFile, rid: str, name: str, most: Most) -> bytes:
    """Return a zip archive with a file for each query and their index; blocking.

    Raises BadRequest for a result that is too large to hold.
    """
    if found.size_bytes > MOST_ZIPPED_BYTES:
        raise BadRequest("The result is too large for a zip archive here: ask for XML2_S or JSON2_S.")
    out = io.BytesIO()
    with found.path.open("rb") as file, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        count = 0
        for count, lines in enumerate(multifile.split(shorten(file, name, most), name), 1):
            with made.open(multifile.file_name(rid, name, count), "w") as one:
                one.writelines(lines)
        made.writestr(multifile.file_name(rid, name), multifile.index(rid, name, count))
    return out.getvalue()
