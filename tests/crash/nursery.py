"""Starts daemons by fork from a process that has imported blastd already, and has asked BLAST+ for its options once.

Those are two thirds of what a start costs. Otherwise a child runs the ordinary command line (`blastd.cli.main`), with its
doom if it has one, and is killed like any other.
"""

import asyncio
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from blastd.blastplus import facts, tools
from blastd.blastplus.tools import Tools
from blastd.core.programs import Catalogue
from tests.crash import doomed

IMPORTED = ("blastd.daemon", "blastd.web.app", "blastd.engines.kubernetes.engine")
SECONDS = 30.0


class Child:
    """A daemon that the nursery started; as much of `subprocess.Popen` as a test needs."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self._nursery, self.pid = nursery, pid

    @property
    def returncode(self) -> int | None:
        return self._nursery.ended.get(self.pid)

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float = SECONDS) -> int:
        until = time.monotonic() + timeout
        while (code := self.returncode) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that forks; made once for a campaign, closed at its end."""

    def __init__(self) -> None:
        argv = [sys.executable, "-m", "tests.crash.nursery"]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ended: dict[int, int] = {}
        self._started: list[int] = []
        self._news = threading.Condition()
        self._order = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def start(self, words: Sequence[str], environ: Mapping[str, str], log: Path) -> Child:
        """Start a command, written as for `tests.crash.doomed`."""
        order = {"words": list(words), "environ": dict(environ), "log": str(log)}
        with self._order:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            with self._news:
                assert self._news.wait_for(lambda: bool(self._started), SECONDS), "the nursery does not answer"
                return Child(self, self._started.pop())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(SECONDS)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            pid, _, code = line.partition(" ")
            with self._news:
                if code.strip():
                    self.ended[int(pid)] = int(code)
                else:
                    self.ended.pop(int(pid), None)  # an earlier process of this number
                    self._started.append(int(pid))
                self._news.notify_all()


def serve() -> None:
    """Fork for each line of stdin; tell the process, and later how it ended."""
    for name in IMPORTED:
        importlib.import_module(name)
    catalogue = asyncio.run(_offered())

    async def offered(tools: Tools, folder: Path) -> Catalogue:  # noqa: ARG001  # the signature of the real one
        return catalogue

    facts.offered = offered
    gc.freeze()
    alive: set[int] = set()
    signal.signal(signal.SIGCHLD, lambda *_: _reap(alive))
    while line := sys.stdin.readline():
        order = json.loads(line)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # its start is told before its end
        pid = os.fork()
        if pid == 0:
            _run(order)
        alive.add(pid)
        os.write(1, f"{pid}\n".encode())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for pid in alive:  # the campaign has ended, or was killed itself
        with suppress(ChildProcessError):  # one that has been reaped is no child any more
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                os.kill(pid, signal.SIGKILL)


async def _offered() -> Catalogue:
    found = await tools.find(None, os.environ["PATH"], "/")
    return facts.understood(found, await facts.ask(found))


def _reap(alive: set[int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        alive.discard(pid)
        os.write(1, f"{pid} {os.waitstatus_to_exitcode(status)}\n".encode())


def _run(order: dict[str, Any]) -> None:
    code = 70
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        null, log = (
            os.open(os.devnull, os.O_RDONLY),
            os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600),
        )
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.environ.clear()
        os.environ.update(order["environ"])
        code = doomed.run(order["words"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
