"""BLAST+'s reports of many queries as files of one query each, with an index: formats 16 and 15 as formats 14 and 13.

NCBI sends XML2 and JSON2 so, as a zip archive. Byte for byte what BLAST+ writes in the formats of several files.
"""

from collections.abc import Iterable, Iterator

_NAMESPACES = """
    xmlns="http://www.ncbi.nlm.nih.gov"
    xmlns:xs="http://www.w3.org/2001/XMLSchema-instance"
    xs:schemaLocation="http://www.ncbi.nlm.nih.gov http://www.ncbi.nlm.nih.gov/data_specs/schema_alt/NCBI_BlastOutput2.xsd"
>
"""
_XML_HEAD = ('<?xml version="1.0"?>\n<BlastOutput2' + _NAMESPACES).encode()
_XML_INDEX = """<?xml version="1.0"?>
<BlastXML2
xmlns="http://www.ncbi.nlm.nih.gov"
xmlns:xi="http://www.w3.org/2003/XInclude"
xmlns:xs="http://www.w3.org/2001/XMLSchema-instance"
xs:schemaLocation="http://www.ncbi.nlm.nih.gov http://www.ncbi.nlm.nih.gov/data_specs/schema_alt/NCBI_BlastOutput2.xsd">
"""
_JSON_HEAD = b'{\n  "BlastOutput2": {\n'
# The lines by which BLAST+ begins and ends the report of a query, and what a file of one begins and ends with instead.
_BEGIN = {"xml2": b"<BlastOutput2>\n", "json": b"{\n"}
_END = {"xml2": b"</BlastOutput2>\n", "json": b"  }\n"}
_HEAD = {"xml2": _XML_HEAD, "json": _JSON_HEAD}
_TAIL = {"xml2": b"", "json": b"}\n"}


def split(lines: Iterable[bytes], name: str) -> Iterator[Iterator[bytes]]:
    """Yield the file of each query, as lines, from those of a whole report; each must be read before the next."""
    source = iter(lines)
    if name == "json":  # the list itself begins with a brace, too
        next(source, None)
    for line in source:
        if line == _BEGIN[name]:
            yield _one(source, name)


def _one(source: Iterator[bytes], name: str) -> Iterator[bytes]:
    yield _HEAD[name]
    for line in source:
        yield line
        if line == _END[name]:
            break
    yield _TAIL[name]


def file_name(stem: str, name: str, number: int | None = None) -> str:
    """Return the name of the file of a query (its number from 1), or of the index."""
    return f"{stem}{'' if number is None else f'_{number}'}.{'xml' if name == 'xml2' else 'json'}"


def index(stem: str, name: str, count: int) -> str:
    """Return the file that names those of *count* queries."""
    names = [file_name(stem, name, number) for number in range(1, count + 1)]
    if name == "xml2":
        return _XML_INDEX + "".join(f'\t<xi:include href="{one}"/>\n' for one in names) + "</BlastXML2>\n"
    return '{\n\t"BlastJSON": [\n' + ",\n".join(f'\t\t{{"File": "{one}" }}' for one in names) + "\n\t]\n}"
