"""`blastd doctor`: everything that the service needs, each with its mend; starts nothing and changes nothing."""

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec

from blastd.blastplus import blastdb, tools
from blastd.cli.exits import ExitCode
from blastd.cli.settings import WAY_OUT, told_settings
from blastd.config import Settings
from blastd.core import webhook
from blastd.errors import BlastdError, StoreBroken
from blastd.store import dbtasks, migrate, private
from blastd.store.connect import refuse_lost

OLDEST = (2, 10)
AS_SERVICE = "Run this as the service's user."
OK, WARNING, FAULT = "ok", "warning", "fault"


class DoctorFinding(msgspec.Struct, frozen=True):
    """One thing that was looked at; `mend` says what to do."""

    name: str
    state: str
    detail: str
    mend: str = ""


def doctor(given: argparse.Namespace) -> int:
    """Check and print; exit 1 when something keeps the service from working."""
    settings = told_settings(given)
    found = asyncio.run(_all(settings))
    if given.json:
        print(json.dumps([msgspec.to_builtins(one) for one in found], indent=2))
    else:
        for one in found:
            print(f"{one.state:8} {one.name}: {one.detail}")
            if one.mend:
                print(f"{'':8} -> {one.mend}")
    return ExitCode.FAILED if any(one.state == FAULT for one in found) else ExitCode.OK


async def _all(settings: Settings) -> list[DoctorFinding]:
    found = [one async for one in _blast(settings)]
    found += [_disk(settings), _store(settings), *_privacy(settings), *_tools(), *_webhooks(settings)]
    if settings.kubernetes.enabled:
        # Imported here, so that the command line of a machine without a cluster starts quickly.
        from blastd.cli.cluster import outside  # noqa: PLC0415

        found += [DoctorFinding(*one) async for one in outside(settings)]
    return found


async def _blast(settings: Settings) -> AsyncIterator[DoctorFinding]:
    try:
        blast = await tools.find(settings.blast.bin, os.environ.get("PATH", os.defpath), "/")
    except BlastdError as error:
        yield DoctorFinding("BLAST+", FAULT, str(error), tools.INSTALL)
        return
    numbers = tuple(int(part) for part in blast.version.rstrip("+").split(".")[:2])
    old = numbers < OLDEST
    yield DoctorFinding(
        "BLAST+",
        WARNING if old else OK,
        f"{blast.version} at {blast.paths['blastn']}",
        "Version 2.10 or later reads version 5 databases: upgrade BLAST+." if old else "",
    )
    scan = await blastdb.scan(settings.databases.dirs, blast)
    ready = [one.name for one in scan.databases if one.state == "ready"]
    yield DoctorFinding(
        "databases",
        OK if ready else WARNING,
        f"{len(ready)} ready: {', '.join(ready[:20])}" if ready else "none",
        "" if ready else "Give --db-dir a folder with databases, or make one with 'blastd db make'.",
    )
    for one in scan.databases:
        if one.state == "broken":
            yield DoctorFinding(f"database {one.name}", WARNING, one.reason, "Build or copy it again.")
    for problem in scan.problems:
        yield DoctorFinding("database folder", WARNING, problem, "Correct databases.dirs or --db-dir.")


def _disk(settings: Settings) -> DoctorFinding:
    folder = settings.store.folder
    while not os.access(folder, os.F_OK):
        folder = folder.parent
    free, floor = shutil.disk_usage(folder).free, settings.retention.disk_floor_bytes
    mend = "Free some space, or lower retention.disk_floor_bytes: new searches are refused." if free < floor else ""
    return DoctorFinding("disk", FAULT if mend else OK, f"{free:,} bytes free at {folder}, floor {floor:,}", mend)


def _store(settings: Settings) -> DoctorFinding:
    file: Path = settings.store.file
    try:
        refuse_lost(file)
        if file.exists():
            return _contents(file)
    except StoreBroken as error:
        return DoctorFinding("store", FAULT, str(error), "Restore the last backup.")
    except OSError as error:
        return DoctorFinding("store", FAULT, f"{file} can't be looked at: {error.strerror}", AS_SERVICE)
    parent = next(folder for folder in file.parents if folder.is_dir())
    if not os.access(parent, os.W_OK):
        return DoctorFinding("store", FAULT, f"{parent} can't be written", "Give --state-dir a folder of this user.")
    mend = f"The first 'blastd serve' makes it. Where the service runs already, this is not its store: {WAY_OUT}"
    return DoctorFinding("store", WARNING, f"there is none at {file}", mend)


def _privacy(settings: Settings) -> Iterator[DoctorFinding]:
    """Look whether other accounts of this machine can read what is stored."""
    folder = settings.store.folder
    try:
        found = list(private.loose(folder)) if folder.is_dir() else []
    except OSError as error:
        yield DoctorFinding("privacy", FAULT, f"{folder} can't be looked through: {error.strerror}", AS_SERVICE)
        return
    if found:
        shown = ", ".join(f"{path} ({mode:04o})" for path, mode in found[: private.SHOWN])
        more = f" and {len(found) - private.SHOWN:,} more" if len(found) > private.SHOWN else ""
        mend = f"The next start of the service closes them; or now: chmod -R go= {folder}/ (but for {private.PINNED}/)."
        yield DoctorFinding("privacy", WARNING, f"other accounts may read or write {shown}{more}", mend)


def _contents(file: Path) -> DoctorFinding:
    try:
        db = sqlite3.connect(f"file:{file.as_posix().replace('?', '%3f')}?mode=ro", uri=True)
        try:
            result = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
            schema, known = migrate.version(db), len(migrate.steps())
            db.row_factory = sqlite3.Row
            unsound = dbtasks.unsound(db) if schema == known else []
        finally:
            db.close()
    except sqlite3.Error as error:
        return DoctorFinding("store", FAULT, f"{file}: {error}", "Restore the last backup.")
    if result != "ok":
        return DoctorFinding("store", FAULT, f"{file}: {result}", "Restore the last backup.")
    if schema > known:
        mend = f"Run the newer blastd, or put back the copy that its upgrade kept: {migrate.kept_as(file, known).name}."
        return DoctorFinding("store", FAULT, f"{file} has schema {schema}, this blastd knows {known}", mend)
    if unsound:
        said = "; ".join(f"task {task_id}: {why}" for task_id, why in unsound[:5])
        what = f"{file} holds {len(unsound)} orders of databases that can't be begun ({said})"
        return DoctorFinding(
            "store", WARNING, what, "The service ends them failed at its next start; order them again."
        )
    return DoctorFinding("store", OK, f"{file}, SQLite {sqlite3.sqlite_version}")


def _webhooks(settings: Settings) -> list[DoctorFinding]:
    secret = settings.webhooks.secret
    if not secret:
        return []
    if not webhook.of_old_form(secret.reveal()):
        return [DoctorFinding("webhooks", OK, "signed with a secret in the form of Standard Webhooks")]
    what = "the secret is plain text: libraries of Standard Webhooks read it as base64, so that no signature verifies"
    mend = "Make one of 'whsec_' and base64 (docs/api.md), and give it to the receivers; the old one works meanwhile."
    return [DoctorFinding("webhooks", WARNING, what, mend)]


def _tools() -> list[DoctorFinding]:
    if shutil.which("setpriv") is not None:
        return [DoctorFinding("system tools", OK, "setpriv")]
    what = "setpriv is missing: BLAST+ may outlive a daemon that is killed, until the next start"
    return [DoctorFinding("system tools", WARNING, what, "Install util-linux.")]
