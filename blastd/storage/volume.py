"""A folder that this machine and the pods share: any volume of Kubernetes, from a claim to NFS or a folder of the node.

Objects are files, with the name of their object; those that pods publish are folders of two files, `output` and
`report`, which get their name by one rename: the second of two pods finds the name taken, and half of one is never seen.
Calls have no time limit of their own: what has begun on a file server ends when the kernel says so.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from blastd.aio import Pool
from blastd.chance import Chance
from blastd.config import VolumeSettings
from blastd.durable import flush_folder, put
from blastd.errors import ConfigError
from blastd.storage.contract import (
    Area,
    PodMounts,
    PodNeeds,
    StorageAway,
    StorageDenied,
    StorageFailure,
    StorageMissing,
    StoredObject,
)

T = TypeVar("T")

BLOCK = 8 << 20
OUTPUT, REPORT = "output", "report"
"""The two files of what a pod publishes (podrunner.py: `MountedFolder`)."""
STORAGE, STORAGE_AT = "storage", "/blastd/storage"
FOLDER_MODE, FILE_MODE = 0o2770, 0o660
"""Pods run as another user than this daemon, unless they are told to: they share its group."""
FOR_EVER_SECONDS = 1e9
THREADS = 4
"""Of its own: a file server that hangs holds them, and nothing else of the daemon."""


class SharedFolder:
    """One shared folder."""

    noun = "shared volume"
    mend = "check that volume.folder is mounted, and that this daemon's user may write it"

    def __init__(self, root: Path, settings: VolumeSettings, chance: Chance) -> None:
        """Take the folder where it is mounted here; *chance* names what is not whole yet."""
        self.failing = False
        self._root, self._settings, self._chance = root, settings, chance
        self._pool = Pool("volume", THREADS)

    @property
    def grant_seconds(self) -> float:
        """Return that what is mounted stays: pods are told no secret."""
        return FOR_EVER_SECONDS

    async def ensure(self) -> None:
        """Make the folders of the areas; the volume itself has to be mounted."""
        await self._do("making of its folders", self._make_folders)

    async def upload(
        self,
        area: Area,
        name: str,
        path: Path,
        progress: Callable[[int], None] | None = None,
        *,
        resume: bool = False,
    ) -> None:
        """Copy a file, block by block; *resume* has nothing to keep but whole files, which the caller knows."""
        del resume
        part = self._part(area, name)
        try:
            await self._do(f"copy of {name}", _begin, part)
            size = (await self._do(f"look at {path.name}", path.stat)).st_size
            for at in range(0, size, BLOCK):
                count = await self._do(f"copy of {name}", _append, path, part, at)
                if progress is not None:
                    progress(count)
            await self._do(f"copy of {name}", _give_name, part, self._at(area, name))
        finally:
            with suppress(StorageFailure):
                await self._do(f"removal of {part.name}", part.unlink, missing_ok=True)

    async def put(self, area: Area, name: str, data: bytes) -> None:
        """Write a small file, over what is there."""
        part = self._part(area, name)

        def write() -> None:
            _begin(part)
            part.write_bytes(data)
            _give_name(part, self._at(area, name))

        await self._do(f"writing of {name}", write)

    async def get(self, area: Area, name: str) -> bytes:
        """Return a small file. Raises StorageMissing."""
        return await self._do(f"reading of {name}", lambda: _content(self._at(area, name)).read_bytes())

    async def size_of(self, area: Area, name: str) -> int | None:
        """Return the size of a file, None if there is none."""
        try:
            return await self._do(f"look at {name}", lambda: _content(self._at(area, name)).stat().st_size)
        except StorageMissing:
            return None

    async def download(self, area: Area, name: str, target: Path) -> Mapping[str, str]:
        """Copy a file to *target* and return its report, if it has one. Raises StorageMissing."""
        source = self._at(area, name)

        def copy() -> Mapping[str, str]:
            shutil.copyfile(_content(source), target)
            return _metadata(source)

        return await self._do(f"copy of {name}", copy)

    async def listed(self, area: Area, prefix: str) -> list[StoredObject]:
        """Return every object whose name starts with *prefix*; an area that was not made yet has none."""
        root = self._root / area

        def walk() -> list[StoredObject]:
            return [_stored(root, path) for path in _objects(root, prefix)]

        return await self._do(f"listing of {prefix}", walk)

    async def remove(self, area: Area, prefix: str) -> int:
        """Remove every object whose name starts with *prefix*, with folders that are empty then; returns how many."""
        root = self._root / area

        def remove() -> int:
            count = 0
            for path in _objects(root, prefix):
                count += 1
                _remove(path)
            if prefix.endswith("/"):
                shutil.rmtree(root / _safe(prefix), ignore_errors=True)  # with what pods left half done
            return count

        return await self._do(f"removal of {prefix}", remove)

    async def check(self) -> None:
        """Look whether the folder is there and can be written."""

        def look() -> None:
            if not os.access(self._root, os.W_OK | os.X_OK):
                self._root.stat()
                raise PermissionError(f"{self._root} can't be written")

        await self._do("look at it", look)

    async def pod_access(self, needs: PodNeeds, now: datetime) -> dict[str, Any]:
        """Return that pods find what they need where it is mounted."""
        del now
        folders = {self._at(Area.RESULTS, unit).parent for unit in needs.units.values()}
        folders |= {self._at(Area.QUERIES, needs.tables).parent, self._root / Area.DATABASES}
        for folder in sorted(folders):
            await self._do("making of a folder for pods", _open_folder, folder)
        return {"kind": "volume", "folder": STORAGE_AT, "plan": PurePosixPath(needs.plan).name}

    def pod_mounts(self, query: str, results: str) -> PodMounts:
        """Return the volume, of which a pod sees its own query, its own results and the databases."""
        parts = [("query", Area.QUERIES, query, True), ("results", Area.RESULTS, results, False)]
        parts = [part for part in parts if part[2]] + [("databases", Area.DATABASES, "", True)]
        mounts = tuple(
            {
                "name": STORAGE,
                "mountPath": f"{STORAGE_AT}/{name}",
                "subPath": str(PurePosixPath(self._settings.sub_path, area, below)),
                "readOnly": read_only,
            }
            for name, area, below, read_only in parts
        )
        return PodMounts(volumes=({"name": STORAGE} | self._settings.source,), mounts=mounts)

    # ------------------------------------------------------------------ parts
    def _make_folders(self) -> None:
        if not self._root.is_dir():
            raise FileNotFoundError(f"{self._root} is no folder: mount the volume there")
        for area in Area:
            _open_folder(self._root / area)

    def _at(self, area: Area, name: str) -> Path:
        return self._root / area / _safe(name)

    def _part(self, area: Area, name: str) -> Path:
        path = self._at(area, name)
        return path.with_name(f".{path.name}.{self._chance.uuid().hex}.part")

    async def _do(self, what: str, work: Callable[..., T], *given: object, **more: object) -> T:
        """Do blocking work in the volume's own threads, and make its failure ours."""
        try:
            with _translated(what):
                found = await self._pool.run(partial(work, *given, **more), what)
        except (StorageAway, StorageDenied):
            self.failing = True
            raise
        self.failing = False
        return found


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StorageMissing(f"The shared volume has no such file ({what}).") from error
    except PermissionError as error:
        raise StorageDenied(f"The shared volume refuses the {what}: {error.strerror or error}.") from error
    except OSError as error:
        raise StorageAway(f"The shared volume can't be used ({what}): {error.strerror or error}.") from error


def _safe(name: str) -> PurePosixPath:
    """Return a name as a path below its area. Raises StorageFailure for one that would lead elsewhere."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise StorageFailure(f"An object can't be called {name[:100]!r}.")
    return path


def _open_folder(folder: Path) -> None:
    """Make a folder that pods of the same group may write, with those above it."""
    if not folder.is_dir():
        _open_folder(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir()
        folder.chmod(FOLDER_MODE)


def _begin(part: Path) -> None:
    _open_folder(part.parent)
    part.touch()
    part.chmod(FILE_MODE)


def _append(source: Path, part: Path, at: int) -> int:
    """Copy one block; returns its size."""
    with source.open("rb") as file, part.open("ab") as out:
        file.seek(at)
        return out.write(file.read(BLOCK))


def _give_name(part: Path, final: Path) -> None:
    put(part, final)
    flush_folder(final.parent)


def _content(path: Path) -> Path:
    """Return the file that holds an object's bytes."""
    return path / OUTPUT if path.is_dir() else path


def _metadata(path: Path) -> dict[str, str]:
    return {REPORT: (path / REPORT).read_text()} if path.is_dir() else {}


def _objects(root: Path, prefix: str) -> Iterator[Path]:
    """Yield the objects of an area by prefix: files, and folders that hold an output; what has no name yet is none."""
    start = root / _safe(prefix.rpartition("/")[0])
    for folder, folders, files in os.walk(start):
        here = Path(folder)
        found = [here / name for name in files]
        if OUTPUT in files and here != root:
            folders.clear()
            found = [here]
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (
            path for path in sorted(found) if path.name[0] != "." and str(path.relative_to(root)).startswith(prefix)
        )


def _stored(root: Path, path: Path) -> StoredObject:
    state = _content(path).stat()
    return StoredObject(
        name=str(path.relative_to(root)),
        size=state.st_size,
        metadata=_metadata(path),
        modified=datetime.fromtimestamp(state.st_mtime, UTC),
    )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def open_volume(settings: VolumeSettings, chance: Chance) -> SharedFolder:
    """Give the shared folder; nothing is looked at yet. Raises ConfigError."""
    if settings.folder is None:
        raise ConfigError("volume.folder: name the folder of this machine that the pods mount, too.")
    if len(settings.source) != 1:
        raise ConfigError(
            "volume.source: give one volume as in a Pod's spec, like "
            '{ persistentVolumeClaim = { claimName = "blastd" } } or { nfs = { server = "…", path = "/…" } }.'
        )
    return SharedFolder(settings.folder, settings, chance)
