"""The BLAST+ applications on this machine: where they are, their version, and one short run with a time limit.

Long searches are run by the engines; this is for blastdbcmd, makeblastdb and questions.
"""

import asyncio
import os
import re
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from blastd.aio import duty, uninterrupted
from blastd.blastplus.exits import DISK_WORDS
from blastd.blastplus.process import tied
from blastd.core.model import Frozen
from blastd.durable import is_full, of_machine
from blastd.errors import DiskFull, Exhausted, ToolFailed, Unavailable

log = structlog.get_logger()

PROGRAMS = ("blastn", "blastp", "blastx", "tblastn", "tblastx")
FURTHER = {
    "psiblast": ("psiblast",), "deltablast": ("deltablast",), "rpsblast": ("rpsblast", "rpsblast+"),
    "rpstblastn": ("rpstblastn", "rpstblastn+"),
}  # fmt: skip
"""Programs that are offered where they are installed, and what they may be called: Debian has an rpsblast+."""
HELPERS = ("blastdbcmd", "makeblastdb")
VERSION = re.compile(r"(\d+\.\d+\.\d+\+?)")
LIBRARY = re.compile(r"(?:=> |^\s*)(/\S+) \(0x", re.MULTILINE)
VERSION_TRIES = 3  # of asking a program that is being replaced at this moment
OUTPUT_BYTES = 64 << 20  # more than any question is answered with; searches write to files
HELP_SECONDS = 60.0  # 0.05 s on an idle machine; a network file system or a busy start takes longer
INSTALL = "Install NCBI BLAST+ (Debian and Ubuntu: apt-get install ncbi-blast+), or set blast.bin to its folder."


def failure(said: str, sentence: str, folder: Path | None = None) -> ToolFailed | DiskFull:
    """Return the error of an application that ended badly with *said*: a full disk is no fault of the application.

    On a full disk of *folder* it aborts, and even its last words may find no room.
    """
    full = any(word in said.lower() for word in DISK_WORDS) or (folder is not None and is_full(folder))
    return DiskFull() if full else ToolFailed(sentence)


class Ran(Frozen, frozen=True, kw_only=True):
    """How a short run ended; negative exit codes are signals."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    def text(self) -> str:
        """Return standard output as text. Raises ToolFailed with the last line of stderr if the run failed, DiskFull."""
        if self.exit_code != 0:
            lines = self.stderr.decode("utf-8", "replace").strip().splitlines()
            last = lines[-1] if lines else f"it ended with {self.exit_code} and said nothing"
            raise failure(last, last)
        return self.stdout.decode("utf-8", "surrogateescape")


Identity = tuple[tuple[int, int, int, int] | None, ...]
"""Device, inode, size and time of each file; None for one that is not there."""


class Build(Frozen, frozen=True, kw_only=True):
    """A program as it is installed now: its version, and its files."""

    version: str
    files: Identity = ()


class KnownVersion(Frozen, frozen=True, kw_only=True):
    """The version that a program has told, and its files as they were then."""

    libraries: tuple[str, ...]
    identity: Identity
    version: str


def identity(paths: Sequence[str]) -> Identity:
    """Return what changes when one of *paths*, or what its links lead to, is replaced or rewritten; blocking."""
    found: list[tuple[int, int, int, int] | None] = []
    for path in paths:
        try:
            stat = Path(path).stat()
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


class Tools(Frozen, frozen=True, kw_only=True):
    """Paths by name, the version of blastn at the start, and the environment in which all of them run.

    `known` remembers what programs have told of their versions.
    """

    paths: Mapping[str, str]
    version: str
    environment: Mapping[str, str]
    known: dict[str, KnownVersion] = {}

    async def version_of(self, name: str) -> str:
        """Return the version of the application that runs now. Raises as `build_of` does."""
        return (await self.build_of(name)).version

    async def build_of(self, name: str) -> Build:
        """Return what the application is that runs now: it is asked for its version again when one of its files has changed.

        Raises Unavailable when it does not say, Exhausted when the machine has no room to ask.
        """
        path = self.paths[name]
        for _ in range(VERSION_TRIES):
            known = self.known.get(path)
            if known is not None and await duty(identity, known.libraries) == known.identity:
                return Build(version=known.version, files=known.identity)
            libraries = (path, *await self._libraries(path))
            before = await duty(identity, libraries)
            version = await ask_version(path, self.environment)
            if await duty(identity, libraries) == before:
                if known is not None and known.version != version:
                    log.warning("blast_replaced", program=name, before=known.version, now=version)
                self.known[path] = KnownVersion(libraries=libraries, identity=before, version=version)
        return Build(version=version)

    async def _libraries(self, path: str) -> Sequence[str]:
        """Return the shared libraries that a program loads, which hold most of BLAST+ on Debian; none where none are told."""
        loader = shutil.which("ldd", path=self.environment.get("PATH"))
        if loader is None:
            return ()
        try:
            ran = await run([loader, path], cwd=Path("/"), env=self.environment, seconds=HELP_SECONDS)
        except ToolFailed:
            return ()
        return LIBRARY.findall(ran.stdout.decode("utf-8", "replace"))

    async def run(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        cwd: Path,
        seconds: float = 60.0,
        started: Callable[[int], None] | None = None,
    ) -> Ran:
        """Run an application by *name* in *cwd*; *started* is told its process id."""
        argv = [self.paths[name], *arguments]
        return await run(argv, cwd=cwd, env=self.environment, seconds=seconds, started=started)


def locate(folder: Path | None, search_path: str) -> dict[str, str]:
    """Return the paths of all applications, from *folder* or *search_path*. Raises Unavailable naming the missing ones."""
    path = str(folder) if folder is not None else search_path
    found = {name: shutil.which(name, path=path) for name in (*PROGRAMS, *HELPERS)}
    missing = [name for name, place in found.items() if place is None]
    if missing:
        raise Unavailable(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed. {INSTALL}")
    for name, others in FURTHER.items():
        found[name] = next((place for other in others if (place := shutil.which(other, path=path))), None)
    return {name: place for name, place in found.items() if place is not None}


def environment(search_path: str, home: str, taxonomy_folders: Sequence[Path] = ()) -> dict[str, str]:
    """Return the environment of every BLAST+ process: no locale, no report to NCBI, nothing of the daemon's own."""
    env = {"PATH": search_path, "HOME": home, "LANG": "C.UTF-8", "BLAST_USAGE_REPORT": "false"}
    if taxonomy_folders:
        env["BLASTDB"] = ":".join(map(str, taxonomy_folders))
    return env


async def find(folder: Path | None, search_path: str, home: str, taxonomy_folders: Sequence[Path] = ()) -> Tools:
    """Find the applications and ask blastn for its version. Raises Unavailable."""
    paths = locate(folder, search_path)
    env = environment(search_path, home, taxonomy_folders)
    return Tools(paths=paths, version=await ask_version(paths["blastn"], env), environment=env)


async def ask_version(path: str, env: Mapping[str, str]) -> str:
    """Ask a program for its version. Raises Unavailable when it does not say, ToolFailed when it can't start."""
    ran = await run([path, "-version"], cwd=Path("/"), env=env, seconds=HELP_SECONDS)
    match = VERSION.search(ran.stdout.decode("utf-8", "replace"))
    if ran.exit_code != 0 or match is None:
        raise Unavailable(f"{path} does not say its version (exit {ran.exit_code}). {INSTALL}")
    return match[1]


async def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    seconds: float,
    stdin: bytes | None = None,
    started: Callable[[int], None] | None = None,
) -> Ran:
    """Run *argv* to its end with at most OUTPUT_BYTES of output in memory; no process is left behind, by a crash neither.

    *started* is told the id of its process.

    Raises ToolFailed at the time limit, when it says too much, or when it can't start; Exhausted when the machine has no room.
    """
    name = Path(argv[0]).name
    words = tied(argv) if os.access(argv[0], os.X_OK) else argv
    try:
        child = await asyncio.create_subprocess_exec(
            *words,
            cwd=cwd,
            env=dict(env),
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            process_group=0,
        )
    except OSError as error:
        if isinstance(ours := of_machine(error), Exhausted):
            raise ours from error
        raise ToolFailed(f"{argv[0]} could not be started: {error}.") from error
    try:
        if started is not None:
            started(child.pid)
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            out = group.create_task(_read(child, child.stdout), name=f"{name} stdout")
            err = group.create_task(_read(child, child.stderr), name=f"{name} stderr")
            if stdin is not None:
                group.create_task(_write(child.stdin, stdin), name=f"{name} stdin")
            code = await child.wait()
    except TimeoutError as error:
        raise ToolFailed(f"{name} did not end within {seconds:g} s.") from error
    finally:
        if child.returncode is None:
            await uninterrupted(_end(child))
    if max(len(out.result()), len(err.result())) > OUTPUT_BYTES:
        raise ToolFailed(f"{name} said more than {OUTPUT_BYTES:,} bytes.")
    return Ran(exit_code=code, stdout=out.result(), stderr=err.result())


async def _read(child: asyncio.subprocess.Process, stream: asyncio.StreamReader | None) -> bytes:
    """Read to the end, or a little over OUTPUT_BYTES and stop the child."""
    blocks, size = [], 0
    while stream is not None and size <= OUTPUT_BYTES and (block := await stream.read(1 << 16)):
        size += len(block)
        blocks.append(block)
    if size > OUTPUT_BYTES:
        _kill(child)
    return b"".join(blocks)


async def _write(stream: asyncio.StreamWriter | None, text: bytes) -> None:
    if stream is None:
        return
    try:
        stream.write(text)
        await stream.drain()
        stream.close()
        await stream.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        return  # it ended without reading to the end: its exit code says why


def _kill(child: asyncio.subprocess.Process) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


async def _end(child: asyncio.subprocess.Process) -> None:
    _kill(child)
    await child.wait()
