"""Commands of blastd in children of one process that has read its modules already: a fraction of a second each.

Each child ends as a command does, through the interpreter's own end, where a text that can't be flushed would be told of.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 60.0
NURSERY = """
import json, os, signal, sys
from blastd.cli import admin, databases, doctor, ends, fsck, jobs, service, submitting  # what commands read
from blastd.cli.main import main
def place(name, flags, number):
    if name == "closed pipe":
        reading, writing = os.pipe()
        os.close(reading)
    elif name == "closed":
        os.close(number)
        return
    else:
        writing = os.open(name, flags, 0o600)
    os.dup2(writing, number)
    os.close(writing)
given = None
for line in sys.stdin:
    given = json.loads(line)
    pid = os.fork()
    if pid == 0:
        break
    print(pid, flush=True)
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
else:
    sys.exit(0)
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.clear()
os.environ.update(given["environ"])
os.chdir(given["folder"])
out = os.O_WRONLY | os.O_CREAT | os.O_APPEND
for name, flags, number in ((given["stdin"], os.O_RDONLY, 0), (given["stderr"], out, 2), (given["stdout"], out, 1)):
    place(name, flags, number)
if given["stdout"] == "closed":
    sys.stdout = None
sys.argv = ["blastd", *given["words"]]
sys.exit(main())
"""


class Ended:
    """How a command ended."""

    def __init__(self, code: int, out: bytes, said: str) -> None:
        self.code, self.out, self.said = code, out, said

    @property
    def sentence(self) -> bool:
        """Tell whether what was said has no traceback, and says something where it did not end well."""
        bad = ("Traceback", "Exception ignored", "most recent call", "Task exception")
        return not any(word in self.said for word in bad) and (self.code == 0 or bool(self.said.strip()))


class Command:
    """A command that runs."""

    def __init__(self, pid: int, nursery: "Nursery", stdout: str, stderr: Path) -> None:
        self.pid, self._nursery, self._stdout, self.stderr = pid, nursery, stdout, stderr

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self, seconds: float = SECONDS) -> Ended:
        """Wait for the end; one that takes longer is killed, and fails the test."""
        code = self._nursery.line(seconds, self.pid)
        path = Path(self._stdout)
        out = path.read_bytes() if path.is_file() else b""
        return Ended(int(code), out, self.stderr.read_text(errors="replace"))


class Nursery:
    """Runs commands, one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._number, self._read = folder, 0, b""
        self._process = subprocess.Popen([sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self) -> None:
        """End it."""
        try:
            self._process.communicate(timeout=SECONDS)
        finally:
            self._process.kill()

    def start(
        self, *words: str, environ: Mapping[str, str] | None = None, stdin: str = "/dev/null", stdout: str = ""
    ) -> Command:
        """Start a command; *stdout* is a file, "closed", or "closed pipe"."""
        self._number += 1
        err = self._folder / f"{self._number}.err"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BLASTD_")}
        given: dict[str, Any] = {
            "words": list(words), "environ": inherited | dict(environ or {}), "folder": str(self._folder),
            "stdin": stdin, "stdout": stdout or str(self._folder / f"{self._number}.out"), "stderr": str(err),
        }  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(given).encode() + b"\n")
        self._process.stdin.flush()
        return Command(int(self.line(SECONDS)), self, given["stdout"], err)

    def run(self, *words: str, seconds: float = SECONDS, **how: Any) -> Ended:
        """Run a command to its end."""
        return self.start(*words, **how).end(seconds)

    def line(self, seconds: float, pid: int | None = None) -> str:
        """Read a line of the nursery's own; kills *pid* when there is none in time."""
        assert self._process.stdout is not None
        until = time.monotonic() + seconds
        while b"\n" not in self._read:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
                    self.line(SECONDS)
                raise TimeoutError(f"the command has not ended within {seconds} s")
            block = os.read(self._process.stdout.fileno(), 1024)
            assert block, "the nursery has ended"
            self._read += block
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()


@contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    """Give a nursery whose commands run in *folder*."""
    own = Nursery(folder)
    try:
        yield own
    finally:
        own.close()
