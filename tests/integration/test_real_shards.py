"""R07: what ten real shards of core_nt propose, beside the search of the whole (tests/data/shards)."""

import gzip
from functools import cache
from pathlib import Path

import pytest

from blastd.core import alias, proposals, steps
from blastd.core.alias import AliasVolume, Layout, Named, Ranges
from blastd.core.ids import JobId, Owner
from blastd.core.model import Job, Phase, QueryInfo, Status, Unit, UnitKind, UnitState
from blastd.core.tabular import COLUMN, RICH, STD, TRAILER, Section, sections
from blastd.results.assemble import assemble
from blastd.results.formats import projection
from tests.databases import DATA
from tests.fakes import START

pytestmark = pytest.mark.blast

ID = JobId("00000000-0000-4000-8000-000000000007")
SHARDS = [f"shard_{number:02}" for number in range(10)]
LIMIT = 500
PLASMODIUM, MONKEYPOX = 0, 1
SUBJECT, EVALUE, BITS = STD.index("saccver"), STD.index("evalue"), STD.index("bitscore")
LAYOUT = Layout(
    molecule="nucl",
    argument="core_nt",
    databases=(Named(name="core_nt", title="core_nt", sequences=10**6, letters=10**9, volumes=(0,)),),
    volumes=(AliasVolume(path="core_nt", sequences=10**6),),
    has_ids=True,
)


@cache
def output(name: str) -> tuple[Section, ...]:
    """Return what an output says of each query, read as a stored table is read."""
    with gzip.open(DATA / "shards" / f"{name}.out.gz", "rt", encoding="utf-8", newline="\n") as file:
        return tuple(sections(file))


def subjects(section: Section) -> set[str]:
    return {row.split("\t")[SUBJECT] for row in section.rows}


def proposed(name: str) -> list[set[str]]:
    """Return a shard's answers as a proposing search prints them: one subject id a row (`proposals.BY_ID`)."""
    lines = []
    for section in output(name):
        lines += [*section.head, f"# {section.found} hits found"]
        lines += [row.split("\t")[SUBJECT] for row in section.rows]
    return proposals.answers("\n".join(lines) + f"\n{TRAILER}2 queries\n", LAYOUT)


def test_R07_the_union_of_the_proposals_holds_every_subject_of_the_reference() -> None:
    known: dict[str, int] = {}
    parts: list[Ranges] = []
    for name in SHARDS:
        found = set().union(*proposed(name))
        parts.append(alias.ranges(known.setdefault(subject, 3 * len(known)) for subject in sorted(found)))
    kept = proposals.union(parts)
    held = {position for begin, end in kept for position in range(begin, end)}
    for section in output("reference"):
        wanted = subjects(section)
        assert len(wanted) == LIMIT
        assert {known[subject] for subject in wanted} <= held
    assert alias.size(kept) == len(known)
    assert len(known) > 9 * LIMIT


def test_R07_no_shard_alone_has_the_reference() -> None:
    for number, section in enumerate(output("reference")):
        assert all(not subjects(section) <= subjects(output(name)[number]) for name in SHARDS)


def test_R07_rows_of_shards_are_not_those_of_the_whole_so_they_only_propose() -> None:
    """Their databases are smaller, so their e-values differ: the finish on the whole's statistics writes the rows."""
    whole = {tuple(row.split("\t")[:EVALUE]): row.split("\t")[EVALUE] for row in output("reference")[PLASMODIUM].rows}
    differ = same = 0
    for name in SHARDS:
        for row in output(name)[PLASMODIUM].rows:
            cells = row.split("\t")
            if (evalue := whole.get(tuple(cells[:EVALUE]))) is not None:
                differ += evalue != cells[EVALUE]
                same += evalue == cells[EVALUE]
    assert same
    assert differ


@pytest.mark.parametrize("name", SHARDS)
def test_R07_a_shard_that_reached_its_limit_is_asked_again(name: str) -> None:
    found = proposed(name)
    assert [len(answer) for answer in found] == [len(subjects(section)) for section in output(name)]
    full = [at for at, answer in enumerate(found) if len(answer) == LIMIT]
    assert full
    assert proposals.cut(found, LIMIT, 10**6) == full
    assert proposals.cut(found, LIMIT + 1, 10**6) == []
    assert len(output(name)[PLASMODIUM].rows) > LIMIT + 1, "rows are more than subjects, and were not what was counted"
    assert proposals.cut(found, LIMIT, LIMIT) == [], "a shard of as many sequences has no more"


def stored(folder: Path) -> tuple[Unit, ...]:
    """Write the reference as the stored form of a job, with the columns that the capture lacks, and return its unit."""
    lines = []
    for section in output("reference"):
        fields = ["# Fields: " + ", ".join(RICH)]
        lines += [*section.head, *fields, f"# {section.found} hits found"]
        for row in section.rows:
            cells = row.split("\t") + ["0"] * (len(RICH) - len(STD))
            cells[COLUMN["sseqid"]] = cells[SUBJECT]
            lines.append("\t".join(cells))
    (folder / "units").mkdir(parents=True)
    (folder / "units" / "0.out").write_text("\n".join(lines) + f"\n{TRAILER}2 queries\n")
    unit = Unit(
        job_id=ID, index=0, kind=UnitKind.FINISH, batch=0, shard=None, first_query=0, queries=2,
        letters=10, offset=0, size=10, state=UnitState.DONE,
    )  # fmt: skip
    return (unit,)


def job(limit: int) -> Job:
    return Job(
        job_id=ID, version=1, title="", program="blastn", task="megablast", databases=(),
        options={"max_target_seqs": str(limit)}, query_loc=None, engine="local", priority=0, owner=Owner("anna"),
        source="api", query=QueryInfo(count=2, letters=10, molecule="nucl", first_id="q", sha256=""),
        status=Status.RUNNING, phase=Phase.RUNNING, created_at=START, updated_at=START, steps=steps.begin(),
        units_total=1,
    )  # fmt: skip


@pytest.mark.parametrize(("limit", "reached"), [(LIMIT, 2), (LIMIT + 1, 0), (619, 0)])
def test_R07_the_limit_counts_subjects_not_rows_and_reaching_it_is_told(
    tmp_path: Path, limit: int, reached: int
) -> None:
    found = assemble(tmp_path, job(limit), stored(tmp_path))
    rows = [len(section.rows) for section in output("reference")]
    assert rows == [619, 500], "the first query has more rows than subjects"
    assert (found.hits, found.limit_reached) == (sum(rows), reached)


def test_R07_a_cut_among_ties_is_told(tmp_path: Path) -> None:
    """500 subjects of one score were kept of thousands: which ones is chance, so that the limit was reached is said."""
    section = output("reference")[MONKEYPOX]
    scores = {row.split("\t")[BITS] for row in section.rows}
    assert len(scores) == 1
    equal = {
        row.split("\t")[SUBJECT] for name in SHARDS for row in output(name)[MONKEYPOX].rows
        if row.split("\t")[BITS] in scores
    }  # fmt: skip
    assert len(equal) > 2 * LIMIT
    assert assemble(tmp_path, job(LIMIT), stored(tmp_path)).limit_reached == 2


def test_R07_the_order_of_the_reference_is_kept(tmp_path: Path) -> None:
    blocks = projection(tmp_path, stored(tmp_path), "tabular", None, None, standins={})
    assert blocks is not None
    table = b"".join(blocks).decode()
    assert table == "".join(row + "\n" for section in output("reference") for row in section.rows)
