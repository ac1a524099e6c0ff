"""`blastd export` and `blastd import`: one job as one file, on the state folder itself, while the service runs or not.

Not over HTTP: an export is read where the files lie, and an import writes rows of any owner, which is the right of
whoever runs the service. Both keep to the store's rules: an import is one write transaction beside the daemon's.
"""

import argparse
import asyncio
import os
import shutil
from datetime import timedelta
from pathlib import Path

from blastd import __version__
from blastd.blastplus import facts, tools
from blastd.chance import SystemChance
from blastd.cli import screen
from blastd.cli.admin import open_store
from blastd.cli.exits import ExitCode
from blastd.cli.outputs import new_file, writing
from blastd.cli.settings import existing_store
from blastd.clock import SystemClock
from blastd.config import Settings
from blastd.core.ids import Owner, parse_prefix
from blastd.core.model import Job
from blastd.core.programs import Catalogue
from blastd.errors import Conflict, DiskFull
from blastd.store import jobs
from blastd.store.files import Files
from blastd.store.private import give
from blastd.upkeep.archive import Archive, reading
from blastd.upkeep.export import write_job
from blastd.upkeep.import_ import take_over


def export_job(given: argparse.Namespace) -> int:
    """Write a job that has ended into an archive."""
    target, settings = new_file(given.out), existing_store(given)
    with open_store(settings) as db, writing(target):
        job = jobs.resolve(db, parse_prefix(given.job), None)
        done = write_job(db, Files(settings.store.folder, SystemChance()), job, target, __version__)
    screen.say(f"job {job.short_id}: {done.files} files, {done.size_bytes:,} bytes in {target}")
    print(f"{done.sha256}  {given.out}")
    return ExitCode.OK


def import_job(given: argparse.Namespace) -> int:
    """Take a job over from an archive, and print its id."""
    settings, source = existing_store(given), Path(given.file)
    known = asyncio.run(_offered(settings))
    now = SystemClock().now()
    owner = None if given.owner is None else Owner(given.owner)
    with reading(source, given.max_bytes) as archive:
        job = archive.contents.job
        _kept(settings, job)
        _room(settings, archive)
        with open_store(settings) as db:
            taken = take_over(db, Files(settings.store.folder, SystemChance()), archive, known, now, owner)
    if taken.fresh:
        screen.say(f"job {job.short_id} of {taken.job.owner}: {taken.files} files taken in")
    else:
        screen.say(f"job {job.short_id} is here already, identical")
    print(job.job_id)
    return ExitCode.OK


async def _offered(settings: Settings) -> Catalogue:
    found = await tools.find(settings.blast.bin, os.environ.get("PATH", os.defpath), "/")
    offered = await facts.offered(found, settings.store.folder)
    give(settings.store.folder, settings.store.folder / facts.NAME)
    return offered


def _kept(settings: Settings, job: Job) -> None:
    """Refuse what the next sweep would remove. Raises Conflict."""
    days = settings.retention.days
    if days <= 0 or settings.retention.dry_run or job.finished_at is None:
        return
    if job.finished_at < SystemClock().now() - timedelta(days=days):
        raise Conflict(
            f"The search ended on {job.finished_at:%Y-%m-%d}, and retention.days = {days:g} would remove it at the next "
            "sweep: raise retention.days first."
        )


def _room(settings: Settings, archive: Archive) -> None:
    folder = settings.store.folder
    needed = sum(member.size_bytes for member in archive.members)
    free, floor = shutil.disk_usage(folder).free, settings.retention.disk_floor_bytes
    if needed + floor > free:
        raise DiskFull(f"The files take {needed:,} bytes; {free:,} are free, and {floor:,} are to stay free.")
