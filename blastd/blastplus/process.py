"""One BLAST+ child process: its process group, its limits, its end.

Output and stderr go to files, so no pipe can fill up and block; a process that is talked with (`Talking`) writes to a pipe
that is read as it comes. The kernel kills the child when the daemon dies
(PR_SET_PDEATHSIG through util-linux's setpriv, since Python's preexec_fn would forbid vfork); memory and core limits
are set by prlimit(2). RLIMIT_DATA and not RLIMIT_AS, because BLAST+ maps databases that may be larger than the memory.
"""

import asyncio
import fcntl
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from errno import EAGAIN
from functools import cache
from pathlib import Path
from typing import IO, Protocol

import structlog

from blastd.aio import uninterrupted
from blastd.blastplus.memory import scarce
from blastd.clock import Clock
from blastd.core.model import Frozen

log = structlog.get_logger()

TERM_SECONDS = 2.0  # BLAST+ ends at once on SIGTERM; what does not is killed
MARK = "BLASTD_CHILD_OF"
PIPE_BYTES = 1 << 20  # of output that waits for the loop; the kernel's own 64 KiB would hold BLAST+ up


class Limits(Frozen, frozen=True, kw_only=True):
    """What a child may use."""

    seconds: float
    memory_bytes: int | None = None
    nice: int = 0


class Ended(Frozen, frozen=True, kw_only=True):
    """How a child ended. Exactly one of exit code and signal is set; `timed_out`: it was killed at its time limit."""

    started_at: datetime
    ended_at: datetime
    exit_code: int | None
    signal: int | None
    timed_out: bool = False


class Child(Protocol):
    """A process that was started, with a group of its own."""

    @property
    def returncode(self) -> int | None:
        """Return the exit code, or the signal's number below zero; None while it runs."""

    async def wait(self) -> int:
        """Wait for its end and return the same."""

    def signal(self, number: int) -> None:
        """Send a signal to its whole group; harmless when it has ended."""


class Talking(Child, Protocol):
    """A child that is fed and answers, again and again."""

    def write(self, text: bytes) -> None:
        """Give it *text* to read; harmless when it has ended."""

    async def read(self) -> bytes:
        """Wait for what it writes and return it; empty once it writes no more. One caller at a time."""

    @property
    def complained(self) -> bool:
        """Tell whether it wrote anything to stderr."""

    @property
    def private_bytes(self) -> int:
        """Return the memory that it shares with nobody; 0 where that is not known."""

    def close(self) -> None:
        """Let go of its pipes, whether it has ended or not."""


class Processes(Protocol):
    """What starts processes, injected like time."""

    async def start(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], stdout: Path, stderr: Path, limits: Limits
    ) -> Child:
        """Start *argv*; a cancelled caller leaves no process behind. Raises OSError."""

    async def talk(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], limits: Limits) -> Talking:
        """Start *argv* to be fed; a cancelled caller leaves no process behind. Raises OSError."""

    def scarce(self) -> bool:
        """Tell whether memory is so short that nothing should stay that only saves time; blocking, some microseconds."""

    def kill_orphans(self, state_dir: Path) -> int:
        """Kill what an earlier daemon of this state folder left behind; blocking. Returns how many processes."""


@cache
def _tool(name: str) -> str | None:
    return shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")


def tied(argv: Sequence[str]) -> list[str]:
    """Return *argv* so that the kernel kills it when the daemon dies, where this system has setpriv."""
    setpriv = _tool("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--", *argv] if setpriv is not None else list(argv)


def limit(pid: int, limits: Limits) -> None:
    """Set the limits of a child that has just been started, and is still on its way to BLAST+.

    From here, since each tool before BLAST+ (prlimit, nice) costs a tiny search one or two of its hundred milliseconds.
    """
    try:
        if hasattr(resource, "prlimit"):  # Linux
            if limits.memory_bytes:
                resource.prlimit(pid, resource.RLIMIT_DATA, (limits.memory_bytes, limits.memory_bytes))
            resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        if limits.nice:
            os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + limits.nice)
    except ProcessLookupError:
        return  # it has ended
    except OSError as error:  # a sandbox that forbids it: the search is not the worse for it
        log.warning("limits_not_set", reason=str(error))


class SystemChild:
    """A process of this machine."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Take a process that leads a group."""
        self._process, self.wait = process, process.wait

    @property
    def returncode(self) -> int | None:
        """Return the exit code, or the signal's number below zero; None while it runs."""
        return self._process.returncode

    def signal(self, number: int) -> None:
        """Send a signal to its whole group; harmless when it has ended."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


class SystemTalking(SystemChild):
    """A process of this machine that is talked with."""

    def __init__(self, process: asyncio.subprocess.Process, output: int, errors: IO[bytes]) -> None:
        """Take a process that leads a group, the end of the pipe from which its output is read, and the file of its stderr."""
        super().__init__(process)
        self._output, self._errors = output, errors
        self._pid, self._input = process.pid, process.stdin

    def write(self, text: bytes) -> None:
        """Give it *text* to read; harmless when it has ended."""
        if self._input is not None and not self._input.is_closing():
            self._input.write(text)

    async def read(self) -> bytes:
        """Wait for what it writes and return it; empty once it writes no more."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            loop.remove_reader(self._output)
            if not ready.done():
                ready.set_result(None)

        loop.add_reader(self._output, tell)
        try:
            await ready
        finally:
            loop.remove_reader(self._output)
        return os.read(self._output, PIPE_BYTES)

    @property
    def complained(self) -> bool:
        """Tell whether it wrote anything to stderr."""
        return os.fstat(self._errors.fileno()).st_size > 0

    @property
    def private_bytes(self) -> int:
        """Return the memory that it shares with nobody; 0 where that is not known."""
        try:
            pages = Path(f"/proc/{self._pid}/statm").read_text("ascii").split()
        except OSError:
            return 0
        return (int(pages[1]) - int(pages[2])) * resource.getpagesize()

    def close(self) -> None:
        """Let go of its pipes, whether it has ended or not."""
        if self._input is not None:
            self._input.close()
        if not self._errors.closed:
            os.close(self._output)
            self._errors.close()


class SystemProcesses:
    """The processes of this machine."""

    async def start(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], stdout: Path, stderr: Path, limits: Limits
    ) -> Child:
        """Start *argv* in a process group of its own, tied to this one's life. Raises OSError."""
        with stdout.open("wb") as out, stderr.open("wb") as err:
            try:
                process = await asyncio.create_subprocess_exec(
                    *tied(argv),
                    cwd=cwd,
                    env=dict(env),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    process_group=0,
                )
            except RuntimeError as error:  # where a thread waits for each child and none can be made
                raise OSError(EAGAIN, os.strerror(EAGAIN)) from error
        limit(process.pid, limits)
        return SystemChild(process)

    async def talk(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], limits: Limits) -> SystemTalking:
        """Start *argv* in a process group of its own, tied to this one's life, to be fed. Raises OSError."""
        output, its_output = os.pipe()
        with suppress(OSError):  # a small pipe is only slower
            fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        errors = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process; it has no name, so nothing is left of it
        try:
            process = await asyncio.create_subprocess_exec(
                *tied(argv),
                cwd=cwd,
                env=dict(env),
                stdin=asyncio.subprocess.PIPE,
                stdout=its_output,
                stderr=errors,
                process_group=0,
            )
        except BaseException as error:
            os.close(output)
            errors.close()
            if isinstance(error, RuntimeError):  # as in `start`
                raise OSError(EAGAIN, os.strerror(EAGAIN)) from error
            raise
        finally:
            os.close(its_output)
        limit(process.pid, limits)
        return SystemTalking(process, output, errors)

    def scarce(self) -> bool:
        """Tell whether memory is so short that nothing should stay that only saves time; blocking, some microseconds."""
        return scarce()

    def kill_orphans(self, state_dir: Path) -> int:
        """Kill what an earlier daemon of this state folder left behind; blocking. Returns how many processes."""
        return kill_orphans(state_dir)


SYSTEM = SystemProcesses()


async def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdout: Path,
    stderr: Path,
    limits: Limits,
    clock: Clock,
    processes: Processes = SYSTEM,
) -> Ended:
    """Run *argv* to its end, its output in *stdout* and *stderr*. A cancelled caller leaves no process behind.

    Raises OSError when it can't be started.
    """
    started = clock.now()
    child = await processes.start(argv, cwd, env, stdout, stderr, limits)
    timed_out = False
    try:
        async with asyncio.timeout(limits.seconds):
            await child.wait()
    except TimeoutError:
        timed_out = True
    finally:
        if child.returncode is None:
            await uninterrupted(_end(child))
    code = child.returncode if child.returncode is not None else -signal.SIGKILL
    return Ended(
        started_at=started,
        ended_at=clock.now(),
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        timed_out=timed_out,
    )


async def _end(child: Child) -> None:
    child.signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(TERM_SECONDS):
            await child.wait()
    except TimeoutError:
        pass
    child.signal(signal.SIGKILL)
    await child.wait()


def kill_orphans(state_dir: Path) -> int:
    """Kill what an earlier daemon of this state folder left behind; returns how many processes.

    The kernel kills children of a dead daemon; this covers the moment between fork and that order. Children carry
    the state folder in their environment (`BLASTD_CHILD_OF`), those of this daemon, too: it is for the time before they
    are started, while the caller holds the folder.
    """
    wanted = f"{MARK}={state_dir}".encode()
    killed = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) != os.getpid() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
                killed += 1
        except (OSError, ValueError):
            continue  # ended meanwhile, or another user's
    return killed


def excerpt(path: Path, size: int) -> str:
    """Return a text file of at most about *size* bytes whole, else its beginning and its end; empty if there is none.

    BLAST+ says at the beginning what holds for the whole search, and at the end why it stopped.
    """
    try:
        with path.open("rb") as file:
            left_out = path.stat().st_size - size
            if left_out <= 0:
                return file.read().decode("utf-8", "replace")
            first = file.read(size // 2)
            file.seek(-(size // 2), os.SEEK_END)
            last = file.read()
    except FileNotFoundError:
        return ""
    first, last = first[: first.rfind(b"\n") + 1] or first, last[last.find(b"\n") + 1 :] or last  # whole lines
    return f"{first.decode('utf-8', 'replace')}[... {left_out:,} bytes are left out ...]\n{last.decode('utf-8', 'replace')}"
