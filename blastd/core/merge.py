r"""Join the outputs of a job's query batches into the one output that BLAST+ would have written.

Shards are never merged here: a shard only proposes subjects, and BLAST+ itself writes each batch's output on all
proposals together (`core/plan.py`). What is left is to put batches one after another: headers and trailers once,
queries numbered through. By format:

| format | how |
|---|---|
| 6, 10 | one after another |
| 7 | one trailer with the sum of queries |
| 0 | the first part's header, the queries, the last part's statistics |
| 5, 16 | one prolog and epilog; iterations and `Query_N` numbered through |
| 15 | one list; `Query_N` numbered through |
| 11 | one after another, `Query_N` numbered through: BLAST+ itself writes an archive a round, and batches end with rounds |
| 17 | one @HD, the @SQ lines of all, one @PG, then the rows; BLAST+ writes nothing at all for a part without hits |

Any other format has to be made by one run over all queries. Everything works on byte streams in blocks, so that a
result of 1 GB costs no more memory than a small one. Opening files is left to the caller.
"""

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from blastd.errors import BlastdError

JOINABLE = frozenset({"0", "5", "6", "7", "10", "11", "15", "16", "17"})
BLOCK_BYTES = 1 << 20
# The end of a report in format 0 is far shorter; its length depends on the titles of the databases.
LONGEST_TAIL_BYTES = 1 << 18
LONGEST_HEAD_BYTES = 1 << 18


class NotJoinable(BlastdError):
    """An output is not as BLAST+ writes it: its parts can't be joined."""

    code = "result_damaged"


def joinable(fmt: str) -> bool:
    """Tell whether outputs in BLAST+'s -outfmt *fmt* can be joined; columns may follow the number."""
    return fmt.split(maxsplit=1)[0] in JOINABLE


def join_files(parts: Sequence[BinaryIO], sizes: Sequence[int], fmt: str, out: BinaryIO) -> None:
    """Write to *out* the join of *parts*, seekable outputs of batches with *sizes* queries each, in query order.

    *fmt* is BLAST+'s -outfmt number, columns may follow. Raises NotJoinable for a format that can't be joined, and for
    a part that is not in the format.
    """
    base = fmt.split(maxsplit=1)[0]
    if len(parts) > 1 and not joinable(fmt):
        raise NotJoinable(f"Outputs in format {base} can't be joined: one run over all queries makes it.")
    if len(parts) == 1 or base in ("6", "10"):
        for part in parts:
            _copy(_blocks(part, 0, _length(part)), out)
    elif base == "7":
        _join_commented(parts, out)
    elif base == "17":
        _join_sam(parts, sizes, out)
    else:
        _join_reports(parts, sizes, base, out)


def _join_commented(parts: Sequence[BinaryIO], out: BinaryIO) -> None:
    """Join with one trailer; it counts the tables, of which a query of several iterations has several."""
    told = 0
    for part in parts:
        length = _length(part)
        start = max(0, length - 200)
        end = _read(part, start, length)
        trailer = re.search(rb"(?:\A|(?<=\n))# BLAST processed (\d+) queries\n\Z", end)
        if trailer is None:
            raise NotJoinable("A commented table has no trailer: it is not whole.")
        _copy(_blocks(part, 0, start + trailer.start()), out)
        told += int(trailer[1])
    out.write(b"# BLAST processed %d queries\n" % told)


# Where the queries of a report begin, and how its end begins, by format.
_BEGIN = {"0": b"Query= ", "5": b"<Iteration>\n", "15": b'{\n    "report"', "16": b"<BlastOutput2>\n", "11": b""}
_END = {
    "0": re.compile(rb"(?<=\n)\n\n  Database: (?:[^\n]*\n)+?    Posted date: "),
    "5": re.compile(rb"</BlastOutput_iterations>"),
    "15": re.compile(rb"\n\]\n\}\n*\Z"),
    "16": re.compile(rb"</BlastXML2>\s*\Z"),
    "11": re.compile(rb"\Z"),
}
_BETWEEN = {"0": b"\n\n\n", "5": b"", "15": b"\n,\n", "16": b"\n", "11": b""}


def _join_reports(parts: Sequence[BinaryIO], sizes: Sequence[int], base: str, out: BinaryIO) -> None:
    before = 0
    end = b""
    for index, (part, queries) in enumerate(zip(parts, sizes, strict=True)):
        length = _length(part)
        head = _read(part, 0, min(length, LONGEST_HEAD_BYTES))
        start = head.find(_BEGIN[base])
        stop = _end_of(part, length, base)
        if start < 0 or stop is None or stop < start:
            raise NotJoinable(f"An output in format {base} has no beginning or no end: it is not whole.")
        if index == 0:
            out.write(head[:start])
        else:
            out.write(_BETWEEN[base])
        body = _renumbered(_lines(part, start, stop), base, before) if before else _blocks(part, start, stop)
        if base == "0":
            body = _without_blank_end(body)
        _copy(body, out)
        before += queries
        end = _read(part, stop, length)
    out.write((b"\n" if base == "0" else b"") + end)


def _end_of(part: BinaryIO, length: int, base: str) -> int | None:
    """Return where the end of a report begins."""
    start = max(0, length - LONGEST_TAIL_BYTES)
    tail = _read(part, start, length)
    if base == "0":
        # Several databases make several "Database:" blocks: the end begins with the first behind the last query.
        last = tail.rfind(b"Effective search space used: ")
        found = _END[base].search(tail, max(last, 0))
    else:
        found = None
        for found in _END[base].finditer(tail):  # noqa: B007 -- the last one counts
            pass
    return start + found.start() if found else None


def _without_blank_end(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield *blocks* without the newlines at the end."""
    held = b""
    for block in blocks:
        kept = block.rstrip(b"\n")
        if kept:
            yield held + kept
            held = block[len(kept) :]
        else:
            held += block


# Names that BLAST+ makes from a query's number in its input, by format: what stands before and after the number.
_NUMBERS = {
    "5": re.compile(rb"(<Iteration_iter-num>)(\d+)(?=<)|(<Iteration_query-ID>Query_)(\d+)(?=<)"),
    "15": re.compile(rb'("query_id": "Query_)(\d+)(?=")'),
    "16": re.compile(rb"(<query-id>Query_)(\d+)(?=<)"),
    "11": re.compile(rb'(local str "Query_)(\d+)(?=")'),
}
_MESSAGES = {
    "5": re.compile(rb"<Iteration_message>Query_(\d+) .*"),
    "15": re.compile(rb'"message": "Query_(\d+) .*'),
    "16": re.compile(rb"<message>Query_(\d+) .*"),
}


def _renumbered(blocks: Iterator[bytes], base: str, by: int) -> Iterator[bytes]:
    """Yield *blocks* of whole lines with every number that BLAST+ gave a query raised by *by*."""
    if base not in _NUMBERS:
        yield from blocks
        return

    def raised(match: re.Match[bytes]) -> bytes:
        before, number = (part for part in match.groups() if part is not None)
        return b"%s%d" % (before, int(number) + by)

    def message(match: re.Match[bytes]) -> bytes:
        # A message may name its query several times: "Query_3 name:  Query_3 name: Could not …".
        number = match[1]
        return re.sub(rb"(?<![^\s>\"])Query_" + number + rb"(?= )", b"Query_%d" % (int(number) + by), match[0])

    for block in blocks:
        text = _NUMBERS[base].sub(raised, block)
        yield _MESSAGES[base].sub(message, text) if base in _MESSAGES else text


_SAM_NUMBERS = re.compile(rb"(?m)^(@SQ\tSN:Query_|[^\t\n@][^\t\n]*\t\d+\tQuery_)(\d+)(?=\t)")


def _sam_renumbered(block: bytes, by: int) -> bytes:
    return _SAM_NUMBERS.sub(lambda found: b"%s%d" % (found[1], int(found[2]) + by), block)


def _join_sam(parts: Sequence[BinaryIO], sizes: Sequence[int], out: BinaryIO) -> None:
    before = [sum(sizes[:index]) for index in range(len(sizes))]
    heads = []
    for part in parts:
        end = 0
        head: list[bytes] = []
        part.seek(0)
        for line in part:
            if not line.startswith((b"@HD\t", b"@SQ\t", b"@PG\t")):
                break
            head.append(line)
            end += len(line)
        heads.append((head, end))
    full = [head for head, _ in heads if head]
    if not full:
        return
    out.write(full[0][0])
    for (head, _), by in zip(heads, before, strict=True):
        for line in head[1:-1]:
            out.write(_sam_renumbered(line, by))
    out.write(full[0][-1])
    for part, (_, end), by in zip(parts, heads, before, strict=True):
        out.writelines(_sam_renumbered(block, by) for block in _lines(part, end, _length(part)))


def _length(part: BinaryIO) -> int:
    return part.seek(0, 2)


def _read(part: BinaryIO, start: int, stop: int) -> bytes:
    part.seek(start)
    return part.read(stop - start)


def _blocks(part: BinaryIO, start: int, stop: int) -> Iterator[bytes]:
    part.seek(start)
    left = stop - start
    while left > 0 and (block := part.read(min(BLOCK_BYTES, left))):
        left -= len(block)
        yield block


def _lines(part: BinaryIO, start: int, stop: int) -> Iterator[bytes]:
    """Yield blocks that end with a line, the last as it is."""
    rest = b""
    for block in _blocks(part, start, stop):
        cut = block.rfind(b"\n") + 1
        if cut:
            yield rest + block[:cut]
            rest = block[cut:]
        else:
            rest += block
    if rest:
        yield rest


def _copy(blocks: Iterator[bytes], out: BinaryIO) -> None:
    out.writelines(blocks)
