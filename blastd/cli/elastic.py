"""Read an elastic-blast.ini as a search: what applies is taken, what does not is named, what is wrong is explained.

Keys: https://blast.ncbi.nlm.nih.gov/doc/elastic-blast/configuration.html. Only [blast] describes a search; the cloud
and the cluster are blastd's own business.
"""

import configparser
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from blastd.core.program_table import TITLES
from blastd.errors import Invalid

PROGRAMS = tuple(TITLES)
FORMATS = {
    "0": "pairwise",
    "1": "anchored",
    "2": "anchored_letters",
    "3": "flat",
    "4": "flat_letters",
    "5": "xml",
    "6": "tabular",
    "7": "commented",
    "10": "csv",
    "11": "asn1",
    "15": "json",
    "16": "xml2",
    "17": "sam",
    "18": "organisms",
}
OURS = {
    "num_threads": "blastd uses the cores it has",
    "mt_mode": "blastd splits the work itself",
    "html": "the web page shows results as HTML",
}
NOT_IN_OPTIONS = {"db": "db", "query": "queries", "out": "results", "remote": None, "subject": None}
BUCKET = re.compile(r"(?i)^(s3|gs|gcs|az|abfss?|https?)://")
SKIPPED = {
    "mem-request": "blastd sizes memory by the database",
    "mem-limit": "blastd sizes memory by the database",
    "batch-len": "blastd ends batches where BLAST+ would, so that results stay exact",
    "db-mem-margin": "blastd sizes memory by the database",
}


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A search as an ini file describes it. `folder` is where its results would have gone, if that is on this machine."""

    program: str
    database: str
    files: list[str]
    options: dict[str, str | bool]
    format: str | None
    fields: str | None
    folder: Path | None
    skipped: list[str]


def read_ini(file: Path) -> Imported:
    """Read *file*. Raises Invalid with every fault, each naming its key."""
    faults: list[tuple[str, str]] = []
    parser = configparser.RawConfigParser(inline_comment_prefixes=None)
    try:
        parser.read_string(file.read_text(encoding="utf-8"), source=str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid([("", f"{file} can't be read: {error}")]) from error
    except configparser.Error as error:
        raise Invalid([("", f"{file} is not an ini file: {' '.join(str(error).split())}")]) from error
    if not parser.has_section("blast"):
        raise Invalid([("/blast", f"{file} has no section [blast], which holds program, db and queries.")])
    blast = dict(parser.items("blast"))
    program = _program(blast, faults)
    database = _database(blast, faults)
    files = _queries(blast, file.parent, faults)
    options, outfmt, dropped = _options(blast.pop("options", ""), faults)
    kind, fields = _format(outfmt, faults)
    skipped = [*_cluster(parser), *_rest(blast, faults), *dropped]
    folder = _results(blast.get("results", ""), skipped)
    if faults:
        raise Invalid(faults)
    return Imported(
        program=program,
        database=database,
        files=files,
        options=options,
        format=kind,
        fields=fields,
        folder=folder,
        skipped=skipped,
    )


def words(
    parts: Sequence[str], faults: list[tuple[str, str]], pointer: str = "/blast/options"
) -> dict[str, str | bool]:
    """Return BLAST+ options like -evalue 1e-5 -ungapped by name; True for one without a value."""
    options: dict[str, str | bool] = {}
    index = 0
    while index < len(parts):
        name = parts[index]
        index += 1
        if not re.fullmatch(r"--?[A-Za-z][A-Za-z_0-9]*", name):
            faults.append((pointer, f"{name!r} stands where an option like -evalue is expected."))
            continue
        has_value = index < len(parts) and not re.match(r"--?[A-Za-z]", parts[index])
        options[name.lstrip("-")] = parts[index] if has_value else True
        index += has_value
    return options


def _program(blast: dict[str, str], faults: list[tuple[str, str]]) -> str:
    program = blast.pop("program", "").strip()
    if program not in PROGRAMS:
        found = f"is {program!r}" if program else "is missing"
        faults.append(("/blast/program", f"program {found}: blastd runs {', '.join(PROGRAMS)}."))
    return program


def _database(blast: dict[str, str], faults: list[tuple[str, str]]) -> str:
    database = blast.pop("db", "").strip()
    if not database:
        faults.append(("/blast/db", "db is missing: name one of the service's databases ('blastd db list')."))
    elif BUCKET.match(database):
        name = database.rstrip("/").rpartition("/")[2]
        faults.append(
            (
                "/blast/db",
                f"db is {database}, in a cloud bucket: blastd searches its own databases. Put it into a folder of "
                f"--db-dir and say db = {name}, or choose one of 'blastd db list'.",
            )
        )
    else:
        _no_variables("db", database, faults)
    return database


def _queries(blast: dict[str, str], folder: Path, faults: list[tuple[str, str]]) -> list[str]:
    """Return the query files, those of a .query-list too, found from here or from the ini file's folder."""
    names = blast.pop("queries", "").split()
    if not names:
        faults.append(("/blast/queries", "queries is missing: name one or more FASTA files."))
    found: list[str] = []
    for name in names:
        if BUCKET.match(name):
            faults.append(
                ("/blast/queries", f"queries: {name} is in a cloud bucket: download it and name the local file.")
            )
        elif _no_variables("queries", name, faults):
            path = next((base / name for base in (Path(), folder) if (base / name).is_file()), None)
            if path is None:
                faults.append(("/blast/queries", f"queries: there is no file {name} here or in {folder}."))
            elif path.suffix == ".query-list":
                listed = path.read_text(encoding="utf-8").split()
                found += _queries({"queries": " ".join(listed)}, path.parent, faults)
            else:
                found.append(str(path))
    return found


def _options(text: str, faults: list[tuple[str, str]]) -> tuple[dict[str, str | bool], str | None, list[str]]:
    """Return search options, the -outfmt value, and what is dropped."""
    if not _no_variables("options", text, faults):
        return {}, None, []
    try:
        parts = shlex.split(text)
    except ValueError as error:
        faults.append(("/blast/options", f"options: {text!r} has an open quote or a lone backslash: {error}."))
        return {}, None, []
    options = words(parts, faults)
    outfmt = options.pop("outfmt", None)
    dropped = [f"options -{name}: {OURS[name]}" for name in list(options) if name in OURS]
    for name in OURS:
        options.pop(name, None)
    for name, key in NOT_IN_OPTIONS.items():
        if name in options:
            mend = f"use the key {key}" if key else "blastd does not do that"
            faults.append(("/blast/options", f"options: -{name} is not an option of a search; {mend}."))
    if outfmt is True:
        faults.append(("/blast/options", "options: -outfmt needs a value, like 6 or '6 std staxids'."))
        outfmt = None
    return options, None if outfmt is None else str(outfmt), dropped


def _format(outfmt: str | None, faults: list[tuple[str, str]]) -> tuple[str | None, str | None]:
    """Return our format and fields of a -outfmt value."""
    if outfmt is None:
        return None, None
    head, _, fields = outfmt.strip().partition(" ")
    if head not in FORMATS:
        known = ", ".join(f"{key} ({name})" for key, name in FORMATS.items())
        faults.append(("/blast/options", f"options: -outfmt {head} is not offered; there are {known}."))
        return None, None
    return FORMATS[head], fields.strip() or None


def _cluster(parser: configparser.RawConfigParser) -> list[str]:
    """Name what belongs to ElasticBLAST's own cloud and cluster."""
    return [
        f"[{section}] {', '.join(parser.options(section))}: blastd runs on its own machine or cluster"
        for section in parser.sections()
        if section != "blast" and parser.options(section)
    ]


def _rest(blast: Mapping[str, str], faults: list[tuple[str, str]]) -> list[str]:
    """Name the keys of [blast] that don't apply, and check those whose value could be meant seriously."""
    length = blast.get("batch-len", "1")
    if not length.strip().isdigit() or int(length) < 1:
        faults.append(("/blast/batch-len", f"batch-len is {length!r}: a number of letters above 0 is expected."))
    return [f"[blast] {key}: {SKIPPED.get(key, 'unknown to blastd')}" for key in blast if key != "results"]


def _results(text: str, skipped: list[str]) -> Path | None:
    """Return the local folder for results; a bucket is named as skipped."""
    if not text.strip():
        return None
    if BUCKET.match(text.strip()):
        skipped.append(f"[blast] results: results stay in blastd ('blastd results ID'), not in {text.strip()}")
        return None
    return Path(text.strip()).expanduser()


def _no_variables(key: str, text: str, faults: list[tuple[str, str]]) -> bool:
    """Tell whether *text* has no variable like ${USER}, which no program would expand."""
    if match := re.search(r"\$\{?\w+\}?", text):
        faults.append((f"/blast/{key}", f"{key}: {match[0]} is not expanded in an ini file: write the value."))
    return match is None
