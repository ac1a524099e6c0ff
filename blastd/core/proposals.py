"""What a proposing search prints and what it means: the subjects that a finish must see. Pure.

A subject is named by its id where the database has ids that blastdbcmd finds, else by its position, which BLAST+ prints
as BL_ORD_ID in XML only. Too many proposals cost time, one that is missing would cost the result: what can't be
understood therefore proposes the whole shard.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from blastd.core import alias
from blastd.core.model import Frozen
from blastd.core.plan import Options

BY_ID, BY_POSITION = "7 sseqid", "5"
QUERY = re.compile(r"(?m)^# Query:.*$")
POSITION = re.compile(r"<Hit_id>gnl\|BL_ORD_ID\|(\d+)<")


class Proposing(Frozen, frozen=True, kw_only=True):
    """A search as `blastplus.command` takes it, with the options of a proposing search."""

    program: str
    task: str
    options: dict[str, Any]
    query_loc: str | None


def outfmt(layout: alias.Layout) -> str:
    """Return the output format in which a proposing search names subjects."""
    return BY_ID if layout.has_ids else BY_POSITION


def proposing(program: str, task: str, options: Options, query_loc: str | None, limit: int | None = None) -> Proposing:
    """Return the search of a shard; *limit* replaces the number of subjects when a query is asked again."""
    wide: dict[str, Any] = dict(alias.wide(program, task, options))
    if limit is not None:
        wide["max_target_seqs"] = str(limit)
    return Proposing(program=program, task=task, options=wide, query_loc=query_loc)


def limit_of(options: Mapping[str, Any]) -> int:
    """Return how many subjects a proposing search keeps for each query."""
    return int(str(options["max_target_seqs"]))


def answers(text: str, layout: alias.Layout) -> list[set[str]]:
    """Return for each query in order the subjects that were printed: ids, or positions as decimal numbers."""
    if not layout.has_ids:
        return [set(POSITION.findall(part)) for part in text.split("<Iteration>\n")[1:]]
    return [{line for line in part.splitlines() if line and line[0] != "#"} for part in QUERY.split(text)[1:]]


def cut(found: Sequence[set[str]], limit: int, shard_size: int) -> list[int]:
    """Return the numbers of the queries whose answers may lack subjects because the limit was reached."""
    if shard_size <= limit:
        return []
    return [at for at, subjects in enumerate(found) if len(subjects) >= limit]


def union(parts: Sequence[alias.Ranges]) -> alias.Ranges:
    """Return all positions of *parts*; the first position where there is none, since BLAST+ needs a database."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(span for part in parts for span in part):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged) or ((0, 1),)
