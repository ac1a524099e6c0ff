"""Making a database from a FASTA file with makeblastdb: beside its place, checked, then renamed into it."""

import re
import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

import structlog

from blastd.aio import duty, offload
from blastd.blastplus import blastdb
from blastd.blastplus.anatomy import SUFFIXES
from blastd.blastplus.blastdb import BlastDatabase
from blastd.blastplus.folders import SeenDatabase
from blastd.blastplus.organisms import Finder
from blastd.blastplus.remarks import hear
from blastd.blastplus.tools import Tools
from blastd.chance import Chance
from blastd.core.model import Frozen, Warned
from blastd.core.sources import TAXA
from blastd.errors import BlastdError, Conflict, DatabaseBroken

log = structlog.get_logger()

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
DUPLICATE = re.compile(r"Duplicate seq_ids are found:\s*(\S+)")
MADE_BY = ".made-by"
"""Names the task that made a database, in its folder: after a crash the same task finds its work done."""
ASIDE = re.compile(r"\.\.(.+)-[0-9a-f]{32}")
"""What a database is called while another one takes its place; no name begins with a dot."""
HERE = Path("/proc/self/cwd")
"""What Linux calls the folder in which a process runs, whatever its name is."""
WITHOUT_IDS = "or build with parse_seqids false (hit sequences are then found by position)"
Started = Callable[[int], None]
"""Takes the id of the process that reads the file."""
Placing = Callable[[], AbstractAsyncContextManager[None]]
"""Gives what is held while a database takes its place."""


class BuildFailed(BlastdError):
    """The database could not be made."""

    code = "build_failed"


class Order(Frozen, frozen=True, kw_only=True):
    """What is to be made; *fasta* holds plain bytes, *task_id* is the same when it is tried again."""

    fasta: Path
    name: str
    title: str
    molecule: str
    parse_seqids: bool
    replace: bool = False
    task_id: str = ""
    taxid_map: Path | None = None


class Made(Frozen, frozen=True, kw_only=True):
    """A database that was made, and what makeblastdb said of it."""

    database: BlastDatabase
    warnings: tuple[Warned, ...] = ()


async def make(
    order: Order, root: Path, tools: Tools, seconds: float, chance: Chance, started: Started | None = None,
    placing: Placing = nullcontext,
    finished: Callable[[Path], None] | None = None,
) -> Made:  # fmt: skip
    """Make the database *order.name* under *root* and return it as the catalogue would; *chance* names what is half made.

    *started* is told the process that reads the file, *finished* the folder before it takes its place, while what *placing*
    gives is held.
    Raises BuildFailed with the cause and the way out, Conflict when the name is taken and `replace` is not asked for.
    """
    final = await duty(place_of, root, order.name, order.molecule)
    if order.task_id and await duty(maker, final) == order.task_id:
        return Made(database=await _look(order, final, tools))
    if final.exists() and not order.replace:
        raise Conflict(f"There is a database {order.name} already: choose another name, or ask to replace it.")
    work = work_folder(root, order.name, chance)
    await duty(work.mkdir, parents=True)
    try:
        warnings = await _build(order, work, tools, seconds, started)
        made = Made(database=await _look(order, work, tools), warnings=warnings)
        await duty((work / MADE_BY).write_text, order.task_id)
        if finished is not None:
            await duty(finished, work)
        async with placing():
            await offload(place, work, final, chance)
    finally:
        await offload(shutil.rmtree, work, ignore_errors=True)
    return made


def work_folder(root: Path, name: str, chance: Chance) -> Path:
    """Return where a database is made before it takes its place: a start removes what a crash leaves there."""
    return root / f".{name}-{chance.uuid().hex}"


def maker(final: Path) -> str:
    """Return the task that made the database in this folder, empty if none says so; blocking."""
    try:
        return (final / MADE_BY).read_text()
    except (OSError, UnicodeDecodeError):
        return ""


async def _look(order: Order, folder: Path, tools: Tools) -> BlastDatabase:
    """Return the database in *folder* as a scan would see it. Raises BuildFailed when it is not whole."""
    found = SeenDatabase(name=order.name, path=str(folder / order.name), molecule=order.molecule)
    made = await blastdb.inspect(found, tools, None, Finder(()))
    if made.state != "ready":
        raise BuildFailed(f"makeblastdb left a database that is not whole: {made.reason}.")
    return made


async def _build(
    order: Order, work: Path, tools: Tools, seconds: float, started: Started | None = None
) -> tuple[Warned, ...]:
    """Run makeblastdb in *work*; returns what it said of a database that it made. Raises BuildFailed."""
    link = work / "input.fa"
    await duty(link.symlink_to, order.fasta.absolute())
    words = [
        "-in",
        "input.fa",
        "-dbtype",
        order.molecule,
        "-title",
        order.title or order.name,
        "-out",
        _out(order.name, work),
    ]
    words += ["-parse_seqids"] if order.parse_seqids else []
    if order.taxid_map is not None:
        words += ["-taxid_map", "taxids.map"]
        await duty((work / "taxids.map").symlink_to, order.taxid_map.absolute())
    ran = await tools.run("makeblastdb", words, cwd=work, seconds=seconds, started=started)
    await duty((work / "taxids.map").unlink, missing_ok=True)
    await duty(link.unlink)
    text = (ran.stderr + ran.stdout).decode("utf-8", "replace")
    if ran.exit_code != 0:
        raise BuildFailed(await offload(explain, text, order.fasta, order.parse_seqids))
    return hear(ran.stderr.decode("utf-8", "replace")).warnings


def _out(name: str, work: Path) -> str:
    """Return where makeblastdb writes, seen from *work*: 2.16 and 2.17 fail, after all is written, in folders with blanks."""
    return f"{HERE}/{name}" if " " in str(work.absolute()) and HERE.exists() else name


def explain(text: str, fasta: Path, parsed: bool) -> str:
    """Return why makeblastdb failed, with the ids and lines of the user's own file; blocking."""
    if (match := DUPLICATE.search(text)) is not None:
        wanted = match[1].split("|")[-1].lower()
        places = _lines_of(fasta, lambda word: word.split("|")[-1].lower() == wanted)
        shown = places[0][1] if places else wanted
        lines = " and ".join(str(number) for number, _ in places[:2])
        return f"The id {shown!r} occurs more than once (lines {lines}; upper and lower case count as the same): rename one, {WITHOUT_IDS}."
    if "id is too long" in text:
        places = _lines_of(fasta, lambda word: len(word) > 50)
        shown = f" {places[0][1]!r} in line {places[0][0]}" if places else ""
        return f"The id{shown} has more than 50 characters, which makeblastdb does not take: shorten it, {WITHOUT_IDS}."
    said = [line.strip() for line in text.splitlines() if line.strip()]
    cause = next(
        (line for line in reversed(said) if "error" in line.lower() or "exception" in line.lower()),
        said[-1] if said else "",
    )
    more = f" If the ids are unusual, {WITHOUT_IDS.removeprefix('or ')}." if parsed else ""
    return f"makeblastdb failed: {cause[:400]}.{more}"


def _lines_of(fasta: Path, wanted: Callable[[str], bool]) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    with fasta.open("r", encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.startswith(">") and wanted(word := (line[1:].split() or [""])[0]):
                found.append((number, word))
                if len(found) == 2:
                    break
    return found


def place_of(root: Path, name: str, molecule: str) -> Path:
    """Return the folder of a database that is made under *root*: one for each molecule of a name; blocking.

    Earlier versions had one folder a name, which keeps what it holds.
    """
    old = root / name
    if molecule == TAXA:
        return old
    held = any((old / f"{name}.{suffix}").exists() for suffix in SUFFIXES[molecule])
    return old if held else root / f"{name}@{molecule}"


def own_folders(root: Path) -> list[Path]:
    """Return the folders of databases that were made here: one each, so that their names have no folder in them."""
    try:
        return sorted(entry for entry in root.iterdir() if not entry.name.startswith(".") and entry.is_dir())
    except OSError as error:
        log.warning("own_databases_not_listed", reason=str(error))
        return []


def place(work: Path, final: Path, chance: Chance) -> None:
    """Put a finished database into its place; blocking. A running search keeps the old files through its pinned links."""
    old = _set_aside(final, chance) if final.exists() else None
    work.rename(final)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _set_aside(final: Path, chance: Chance) -> Path:
    aside = final.with_name(f"..{final.name}-{chance.uuid().hex}")
    final.rename(aside)
    return aside


def remove(final: Path, chance: Chance) -> None:
    """Remove a database that was made here; blocking. A crash leaves all of it or what the next start removes."""
    shutil.rmtree(final.rename(final.with_name(f".{final.name}-{chance.uuid().hex}")), ignore_errors=True)


def waits(path: Path) -> bool:
    """Tell whether *path* is a database that was set aside for another one that never came."""
    match = ASIDE.fullmatch(path.name)
    return match is not None and not path.with_name(match[1]).exists()


def recover(root: Path) -> None:
    """Put back what a crash left set aside, and remove what was being made; blocking. Nothing may be made meanwhile."""
    for entry in sorted(root.glob(".*")):
        match = ASIDE.fullmatch(entry.name)
        try:
            if match is not None and waits(entry):
                entry.rename(root / match[1])
            else:
                shutil.rmtree(entry, ignore_errors=True)
        except OSError as error:  # one folder keeps neither the others nor the start
            log.warning("database_not_put_back", folder=entry.name, reason=str(error))


def check_name(name: str) -> str:
    """Return *name* if a database may be called so. Raises DatabaseBroken."""
    if not NAME.fullmatch(name):
        raise DatabaseBroken(
            f"{name[:60]!r} is no name for a database: use letters, digits, '.', '_' and '-', up to 100."
        )
    return name
