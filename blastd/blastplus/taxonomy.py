"""NCBI's tree of taxa as BLAST+ 2.15 and later have it beside databases: which ids lie below an id. All functions block."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from blastd.errors import ToolFailed

FILE = "taxonomy4blast.sqlite3"
BELOW = """WITH RECURSIVE below (taxid) AS (
               SELECT :taxid UNION SELECT t.taxid FROM TaxidInfo AS t JOIN below ON t.parent = below.taxid
           ) SELECT taxid FROM below"""
"""UNION drops what was there before, so that a circle in a damaged tree ends."""


def find(folders: Iterable[Path]) -> Path | None:
    """Return the first file of taxa that lies in one of *folders*, None if there is none."""
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def below(file: Path, ids: Sequence[int]) -> dict[int, frozenset[int]]:
    """Return each of *ids* with all that lies below it, itself included. Raises ToolFailed for a file that can't be read."""
    address = f"file:{file.as_posix().replace('%', '%25').replace('?', '%3f').replace('#', '%23')}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as tree:
            return {taxid: frozenset(int(row[0]) for row in tree.execute(BELOW, {"taxid": taxid})) for taxid in ids}
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise ToolFailed(f"The taxa in {FILE} can't be read: {error}.") from error
