"""Another BLAST service for the side-by-side: blastweb (PyPI), a Flask program that runs BLAST+ while the request waits.

The page's form is used: the JSON address of 0.1.6 answers 500 to every request.
"""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import aiohttp

START_SECONDS = 30.0


class Blastweb:
    """A running blastweb on a folder of databases; its answers are pages with a table."""

    def __init__(self, program: Path, databases: Path, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
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
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("blastweb does not listen")

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
