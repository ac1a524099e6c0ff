"""Jobs by text: each word stands somewhere in title, first query or a database's name, or the job's id begins with it.

What most jobs hold is found among the newest, by looking at each; what few hold is found through the index of three-letter
pieces (FTS5), of all. So neither has to look at all jobs.
"""

import sqlite3
from collections.abc import Mapping, Sequence

from blastd.core.ids import prefix_range

LOOKED_AT = 500
"""Jobs that are looked at one by one, 1 to 2 ms, before the index is asked."""
PIECE_LETTERS = 3
"""Shorter words are in no index."""
MOST_WORDS = 10

ID_DIGITS = 32
EACH = "(instr(lower(title), :{0}) OR instr(lower(query ->> '$.first_id'), :{0}) OR instr(lower(database_names), :{0}))"
BY_ID = "(:digits <> '' AND substr(replace(job_id, '-', ''), 1, length(:digits)) = :digits)"
ORDER = "ORDER BY created_at DESC, job_id DESC"


def words_of(text: str | None) -> list[str]:
    """Return the words of what is looked for, in small letters; of very many the first."""
    return (text or "").lower().split()[:MOST_WORDS]


def found(
    db: sqlite3.Connection, where: Sequence[str], values: Mapping[str, object], words: Sequence[str], limit: int
) -> list[sqlite3.Row]:
    """Return up to *limit* rows of jobs, newest first, that meet *where* and hold every one of *words*."""
    bound = dict(values) | {"limit": limit, "looked_at": LOOKED_AT, "digits": _digits(words)}
    bound |= {f"w{number}": word for number, word in enumerate(words)}
    plain = " AND ".join(EACH.format(f"w{number}") for number in range(len(words)))
    terms = f"({plain} OR {BY_ID})"
    others = " WHERE " + " AND ".join(where) if where else ""
    newest = db.execute(
        f"SELECT * FROM (SELECT * FROM job{others} {ORDER} LIMIT :looked_at) WHERE {terms} {ORDER} LIMIT :limit",  # our names
        bound,
    ).fetchall()
    pieces = [word for word in words if len(word) >= PIECE_LETTERS]
    if len(newest) >= limit or not pieces:
        return newest if len(newest) >= limit else _one_by_one(db, [*where, terms], bound)
    more = "".join(f" AND {term}" for term in [*where, plain])
    indexed = f"""SELECT job.* FROM job_text CROSS JOIN job ON job.job_id = job_text.text_job
                  WHERE job_text MATCH :pieces{more} ORDER BY job_text.rowid DESC LIMIT :limit"""  # our names
    rows = db.execute(indexed, bound | {"pieces": " AND ".join(map(quoted, pieces))}).fetchall()
    return _newest([*newest, *rows, *_by_id(db, where, bound)], limit)


def _one_by_one(db: sqlite3.Connection, terms: Sequence[str], bound: Mapping[str, object]) -> list[sqlite3.Row]:
    """Look at all jobs: for words of one or two letters that the newest hold seldom."""
    return db.execute(
        f"SELECT * FROM job WHERE {' AND '.join(terms)} {ORDER} LIMIT :limit", bound
    ).fetchall()  # our names


def _by_id(db: sqlite3.Connection, where: Sequence[str], bound: Mapping[str, object]) -> list[sqlite3.Row]:
    if not bound["digits"]:
        return []
    low, high = prefix_range(str(bound["digits"]))
    terms = " AND ".join(["job_id BETWEEN :low AND :high", *where])
    return db.execute(
        f"SELECT * FROM job WHERE {terms} {ORDER} LIMIT :limit", dict(bound) | {"low": low, "high": high}
    ).fetchall()  # our names


def _newest(rows: Sequence[sqlite3.Row], limit: int) -> list[sqlite3.Row]:
    once = {row["job_id"]: row for row in rows}
    return sorted(once.values(), key=lambda row: (row["created_at"], row["job_id"]), reverse=True)[:limit]


def quoted(word: str) -> str:
    """Return a word as FTS5 takes it: whatever it holds, it is text."""
    return '"' + word.replace('"', '""') + '"'


def _digits(words: Sequence[str]) -> str:
    """Return the digits of an id that the only word may begin, empty for none."""
    digits = words[0].replace("-", "") if len(words) == 1 else ""
    return digits if len(digits) <= ID_DIGITS and all(letter in "0123456789abcdef" for letter in digits) else ""
