"""A whole database out of a source: planned, received, compared, unpacked, and compared with the source once more.

Everything stands in one folder that the task owns, so that a start after any end goes on where it was cut off:

    plan.json          what is to come, all of one state of the source
    parts/NAME.part    what has come of a file; parts/NAME once it is whole and its checksum is right
    out/NAME/          what an archive held, once all of it is there; the archive is gone then
"""

import asyncio
import os
import shutil
from pathlib import Path
from threading import Event
from typing import Protocol

import msgspec

from blastd.aio import duty, labour, offload
from blastd.clock import Clock
from blastd.core.archive import SLACK_BYTES, TAXONOMY, stems
from blastd.core.sources import TAXA
from blastd.durable import flush, flush_folder
from blastd.fetching.download import PlannedFile, Receiver, Room
from blastd.fetching.faults import FetchFailed, SourceChanged
from blastd.fetching.layouts import PACKED, FetchPlan, SourceLayout, each
from blastd.fetching.transport import Transport
from blastd.fetching.unpack import BLOCK, Stopped, unpack

UNFOLDED = 4
"""How much larger a database is than its archives, where its source does not say: NCBI's unpack to 1.3 to 3 times."""
OPTIONAL_BYTES = 4 << 30
"""Most that files with names of organisms unpack to; they had 0.6 GB in 2026."""
UNPACKS = 2
RECEIVED_SHARE = 0.85
"""Of the progress of a fetch; the rest is unpacking, which is not told in bytes."""


class FetchProgress(Protocol):
    """What is told how far a fetch is."""

    bytes_done: int
    bytes_total: int
    share: float | None

    def begin(self, step: str) -> None:
        """Name what is done from now on."""


class Fetch:
    """The fetch of one database into the folder of its task."""

    def __init__(
        self,
        *,
        transport: Transport,
        layout: SourceLayout,
        folder: Path,
        room: Room,
        clock: Clock,
        stall_seconds: float,
        turns: asyncio.Semaphore,
        progress: FetchProgress,
    ) -> None:
        """Take the parts; *turns* bounds the files that are received at once, of all fetches."""
        self._layout, self._folder, self._room, self._turns, self._progress = layout, folder, room, turns, progress
        self._parts, self._out = folder / "parts", folder / "out"
        self._receiver = Receiver(transport, self._parts, room, clock, stall_seconds)
        self._unpacking = asyncio.Semaphore(UNPACKS)
        self._ready, self._ready_share = 0, 0.0

    async def run(self, name: str, molecule: str) -> FetchPlan:
        """Receive a database whole; its files lie where `files` finds them then.

        Raises Interrupted (SourceChanged, too) to be run again, FetchFailed, DiskFull.
        """
        self._progress.begin("planning")
        for folder in (self._folder, self._parts, self._out):
            await duty(folder.mkdir, 0o700, parents=True, exist_ok=True)
        plan, kept = await self._layout.plan(name, molecule), await duty(self._kept)
        if kept is not None and kept != plan:
            await offload(self._replan, kept, plan)
        elif kept is None:
            await duty(self._keep, plan)
        await self._ask_room(plan)
        self._progress.begin("receiving")
        await self._all(plan)
        self._progress.begin("comparing")
        again = await self._layout.plan(name, molecule)
        if (again.offer.version, again.files) != (plan.offer.version, plan.files):
            await offload(self._replan, plan, again)
            raise SourceChanged(
                f"The source published another version of {name} while it was fetched: what is still right is kept."
            )
        if again.optional and not await duty(self._has_taxonomy):
            self._progress.begin("taxonomy")

            for file in again.optional:
                await self._one(plan, file, optional=True)
        return plan

    def _kept(self) -> FetchPlan | None:
        try:
            return msgspec.json.decode((self._folder / "plan.json").read_bytes(), type=FetchPlan)
        except (OSError, msgspec.MsgspecError):
            return None

    def _keep(self, plan: FetchPlan) -> None:
        part = self._folder / "plan.json.part"
        part.write_bytes(msgspec.json.encode(plan))
        flush(part)
        part.rename(self._folder / "plan.json")
        flush_folder(self._folder)

    def _replan(self, plan: FetchPlan, again: FetchPlan) -> None:
        """Take the new plan, and drop what came of files that it does not hold as they were."""
        same = set(again.files) if all(file.checksum for file in again.files) else set()
        for file in plan.files:
            if file not in same:
                for path in self._parts.glob(f"{file.name}*"):
                    if path.name in {file.name, f"{file.name}.part", f"{file.name}.part.json"}:
                        path.unlink(missing_ok=True)
                shutil.rmtree(self._out / file.name, ignore_errors=True)
        self._keep(again)

    async def _ask_room(self, plan: FetchPlan) -> None:
        """Count what is here, and raise DiskFull where the rest and what it unpacks to does not fit above the floor."""
        here = [await duty(self._held, file) for file in plan.files]
        total = sum(file.size for file in plan.files)
        self._progress.bytes_total, self._progress.bytes_done = total, sum(here)
        unpacked = 0
        if plan.kind != "files":
            told = plan.offer.bytes if plan.kind == "archives" and plan.offer.molecule != TAXA else 0
            unpacked = told or total * UNFOLDED
        await self._room.ask(max(0, total - sum(here)) + unpacked)

    def _held(self, file: PlannedFile) -> int:
        return file.size if (self._out / file.name).exists() else self._receiver.held(file)

    async def _all(self, plan: FetchPlan) -> None:
        async def one(file: PlannedFile) -> None:
            async with self._turns:
                await self._one(plan, file)

        await each(one, plan.files, max(1, len(plan.files)))

    async def _one(self, plan: FetchPlan, file: PlannedFile, *, optional: bool = False) -> None:
        """Receive a file and unpack it if it is an archive; harmless when repeated."""
        target = self._out / file.name
        if not await duty(target.exists):
            archive = await self._receiver.receive(file, _nobody if optional else self._came)
            if plan.kind == "archives" or (optional and file.name.endswith(PACKED)):
                taxa = plan.offer.molecule == TAXA
                told = 0 if taxa else plan.offer.bytes
                most = OPTIONAL_BYTES if optional else (told or file.size * UNFOLDED * 4) + SLACK_BYTES
                own = stems(plan.offer.name, [each.name for each in plan.files])
                wanted = frozenset[str]() if optional or taxa else own
                async with self._unpacking:
                    await labour(unpack, archive, target, wanted, most, self._room.look)
                await duty(archive.unlink)
        if not optional:
            self._ready += 1
            self._show(plan)

    def _came(self, size: int) -> None:
        self._progress.bytes_done += size
        self._show(None)

    def _show(self, plan: FetchPlan | None) -> None:
        """Tell the share of the whole: mostly of the bytes, the rest of the files that are ready."""
        if plan is not None:
            self._ready_share = self._ready / max(1, len(plan.files))
        came = self._progress.bytes_done / max(1, self._progress.bytes_total)
        self._progress.share = RECEIVED_SHARE * min(1.0, came) + (1 - RECEIVED_SHARE) * self._ready_share

    def _has_taxonomy(self) -> bool:
        return any(path.name in TAXONOMY for path in self._out.glob("*/*"))

    # ------------------------------------------------------------------ what came
    def gather(self, target: Path, stop: Event) -> None:
        """Link all files that came into *target*, which is new; blocking. Raises SourceChanged, FetchFailed.

        Archives of one database hold some files in common, which are the same in all of them if they are of one state.
        """
        folders = sorted(path for path in self._out.iterdir() if path.is_dir() and not path.name.endswith(".part"))
        found = [path for folder in folders for path in sorted(folder.iterdir())]
        found += [path for path in sorted(self._parts.iterdir()) if path.suffix not in {".part", ".json"}]
        for path in found:
            place = target / path.name
            if not place.exists():
                _link(path, place)
            elif path.name not in TAXONOMY and not same(path, place, stop):
                raise SourceChanged(f"{path.name} differs from archive to archive: they are not of one state.")
        if not found:
            raise FetchFailed("Nothing came.")

    def drop(self) -> None:
        """Forget all that came, which does not fit together; blocking."""
        shutil.rmtree(self._folder, ignore_errors=True)


def same(one: Path, other: Path, stop: Event) -> bool:
    """Tell whether two files have the same content; blocking. Raises Stopped."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while block := first.read(BLOCK):
            if stop.is_set():
                raise Stopped
            if second.read(BLOCK) != block:
                return False
    return True


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def _nobody(size: int) -> None:
    del size
