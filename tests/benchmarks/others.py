"""What runs beside blastd: another BLAST service, and the least that a durable queue does (floor.py).

blastweb (PyPI) is a Flask program that runs BLAST+ while the request waits. Its page's form is used: the JSON address of
0.1.6 answers 500 to every request.
"""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp

START_SECONDS = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Return once something listens on *port*."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nothing listens on port {port}")


class Floor:
    """floor.py on a database, with blastd's addresses for submit and row."""

    def __init__(self, database: Path, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        argv = [sys.executable, "-m", "tests.benchmarks.floor", "--folder", str(folder), "--database", str(database)]
        with (folder / "floor.log").open("ab") as log:
            self.process = subprocess.Popen([*argv, "--port", str(port)], stdout=log, stderr=log)
        wait_for(port)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


class Blastweb:
    """A running blastweb on a folder of databases; its answers are pages with a table."""

    def __init__(self, program: Path, databases: Path, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        blastn = shutil.which("blastn")
        assert blastn is not None
        config = folder / "blast.yaml"
        config.write_text(f"blast_path: {Path(blastn).parent}\nblast_db: {databases}\n")
        argv = [
            str(program.absolute()),
            "runserver",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--config",
            str(config),
        ]
        with (folder / "blastweb.log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder)
        wait_for(port)

    async def search(self, session: aiohttp.ClientSession, letters: str, database: str, task: str) -> tuple[float, int]:
        """Search with BLAST+'s own defaults; returns seconds and rows."""
        form: dict[str, str] = {"sequence": letters, "program": "blastn", "database": database, "evalue": "10"}
        form |= {"max_target_seqs": "500", "extra_args": f"-task {task}"}
        begin = time.perf_counter()
        async with session.post(self.url, data=form) as answer:
            page = await answer.text()
            assert answer.status == 200, page
        return time.perf_counter() - begin, page.count("<tr>") - 1

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
