"""What is asked of results and what is given, and how files of results are named."""

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from blastd.core.imported import ENGINE as IMPORTED
from blastd.core.model import Artifact, Frozen, Job, Unit
from blastd.core.tabular import lacking
from blastd.errors import Invalid, ResultGone, Unsupported
from blastd.results import formats
from blastd.results.formats import FORMATS, Format
from blastd.service.results.format_makings import MakingStatus

TABLES = frozenset({"tabular", "commented", "csv"})
"""Formats whose columns can be chosen."""


class ResultRequest(Frozen, frozen=True, kw_only=True):
    """Which results. `whole`: the client needs length and validator; `gis`: text shows GIs.

    `header`: a table begins with the names of its columns. `alignments`: of so many subjects a query text shows the alignments, None for as many as BLAST+ shows by itself.
    """

    format: str = "tabular"
    fields: tuple[str, ...] | None = None
    query: int | None = None
    subjects: tuple[str, ...] = ()
    partial: bool = False
    whole: bool = False
    gis: bool = False
    alignments: int | None = None
    header: bool = False
    wait_seconds: float = 60.0
    """How long the asker waits for a file that has to be made."""


class ResultFile(Frozen, frozen=True, kw_only=True):
    """A stored file that is whole."""

    path: Path
    size_bytes: int
    sha256: str
    media_type: str
    name: str


class ResultStream(Frozen, frozen=True, kw_only=True):
    """Results that are made while they are sent; `partial` says how many units of how many they are of."""

    blocks: AsyncIterator[bytes]
    media_type: str
    name: str
    partial: str = ""


class ResultMaking(Frozen, frozen=True, kw_only=True):
    """A file that is being made: ask again."""

    view: MakingStatus


class ReadyResult(Frozen, frozen=True, kw_only=True):
    """A job whose stored result is there and whole; of one that runs, the units that are done (`complete` is False)."""

    job: Job
    folder: Path
    units: tuple[Unit, ...]
    complete: bool = True
    kept: tuple[Artifact, ...] = ()
    """Formats that were made before."""

    @property
    def stored_bytes(self) -> int:
        """Return the bytes of the stored form, which the time of all that is made of it follows."""
        return sum(unit.output_bytes or 0 for unit in self.units)


class StoredForm(TypedDict):
    """How a stored form is to be read."""

    standins: Mapping[str, str]
    without: Collection[str]


def held(job: Job) -> StoredForm:
    """Return how the stored form of a job is to be read."""
    return {"standins": job.standins, "without": lacking(job.program, job.options)}


class WrittenForm(StoredForm):
    """The same, and whether a line of names comes first."""

    header: bool


def shaped(job: Job, kind: Format) -> WrittenForm:
    """Return how the stored form of a job is to be read, and written in a format."""
    return {**held(job), "header": kind.header}


def format_of(wanted: ResultRequest) -> Format:
    """Return the format of this name or BLAST+ number. Raises Invalid."""
    by_number = {str(kind.outfmt): kind for kind in FORMATS.values()}
    kind = FORMATS.get(wanted.format) or by_number.get(wanted.format)
    faults: list[tuple[str, str]] = []
    if kind is None:
        faults.append(("/format", f"There is no format {wanted.format[:40]!r}: choose one of {', '.join(FORMATS)}."))
    elif wanted.fields is not None and kind.name not in TABLES:
        faults.append(("/fields", f"fields are for {', '.join(sorted(TABLES))}; {kind.name} has its own."))
    if wanted.subjects and wanted.format != "fasta":
        faults.append(("/subject", "subject is for the format fasta."))
    if wanted.header and kind is not None and kind.name not in formats.WITH_HEADER:
        faults.append(("/header", f"header is for {', '.join(formats.WITH_HEADER)}; {kind.name} has its own."))
    if faults or kind is None:
        raise Invalid(faults)
    if wanted.header:
        return formats.with_header(kind)
    if wanted.alignments is not None:
        kind = formats.with_alignments(kind, wanted.alignments)
    return formats.with_gis(kind) if wanted.gis else kind


def check_program(job: Job, kind: Format) -> None:
    """Raise Unsupported for a format that there is not of the program of a search."""
    if kind.programs and job.program not in kind.programs:
        raise Unsupported(f"The format {kind.name} is there for {', '.join(kind.programs)} only.")


def check_searched(job: Job) -> None:
    """Raise ResultGone for what an imported result does not hold."""
    if job.engine == IMPORTED:
        raise ResultGone(
            "This result was imported from BLAST XML, which does not hold this: read its tables, hits, statistics, or the XML."
        )


def key_of(kind: Format, names: Sequence[str] | None, query: int | None) -> str:
    """Return the name under which a format is kept."""
    key = f"{kind.name}-header" if kind.header else kind.name
    if names is not None:
        key += "-" + hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]
    return key if query is None else f"{key}-q{query}"


def file_name(job: Job, kind: Format) -> str:
    """Return the name of a download."""
    return f"{job.program}-{job.short_id}-{kind.name}.{kind.extension}"


def stored_file(ready: ReadyResult, kept: Artifact) -> ResultFile:
    """Return a kept format as a file to send."""
    suffix = kept.path.rpartition(".")[2]
    name = kept.name.removeprefix("results/")
    return ResultFile(
        path=ready.folder / kept.path,
        size_bytes=kept.size_bytes,
        sha256=kept.sha256,
        media_type=kept.media_type,
        name=f"{ready.job.program}-{ready.job.short_id}-{name}.{suffix}",
    )
