"""Q19: every example that a command shows runs, as it stands there, against a real service."""

import gzip
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blastd.cli.parser import commands_of, every_command, make_parser
from blastd.cli.reading import read
from tests.daemon import Daemon
from tests.databases import DB, LAMBDA_QUERY, PROTEIN_QUERY, SLOW, SLOW_QUERY, make

SHOWN = "3f9c27a81b04"
"""The id of a job that examples name."""
WATCH = "5b1e0c77d2a9"
"""The id of a watch that they name."""
ONLY_READ = (
    "serve",
    "watch changes",
    "db push",
    "db warm",
    "fsck --mend",
    "doctor",
    "blastp",
    "blastx",
    "tblastn",
    "tblastx",
)
"""What ends never, needs a cluster, a database that has changed or a stopped service, or shows the same as blastn: their words are only parsed."""
EXAMPLES = [
    (" ".join(words), example)
    for words, command in every_command(make_parser())
    if not commands_of(command)
    for example in command.examples
]
pytestmark = pytest.mark.slow  # sixty commands, each in a shell of its own
RUN = [pair for pair in EXAMPLES if not f"{pair[0]} {pair[1]}".startswith(ONLY_READ) and "fsck --mend" not in pair[1]]


class Place:
    """A folder with all files that examples name, and a service with their databases."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon, self.folder = daemon, folder
        (folder / "bin").mkdir()
        blastd = folder / "bin" / "blastd"
        blastd.write_text(f'#!/bin/sh\nexec {sys.executable} -m blastd "$@"\n')
        blastd.chmod(0o755)
        texts = {
            "query.fa": LAMBDA_QUERY,
            "mine.fa": PROTEIN_QUERY,
            "16S.fa": (DB / "nt.fa").read_text(),
            "token.txt": "",
        }
        texts["elastic-blast.ini"] = "[blast]\nprogram = blastn\ndb = nt\nqueries = query.fa\n"
        for name, text in texts.items():
            (folder / name).write_text(text)
        for name, text in {
            "proteins.fa.gz": PROTEIN_QUERY,
            "reads.fa.gz": LAMBDA_QUERY,
            "16S.fa.gz": texts["16S.fa"],
        }.items():
            (folder / name).write_bytes(gzip.compress(text.encode()))
        (folder / "backup").mkdir()
        for home in (".local/share/bash-completion/completions", ".local/share/man/man1", ".zfunc"):
            (folder / home).mkdir(parents=True)
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(("BLASTD_", "XDG_"))} | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), "BLASTD_URL": daemon.url,
        }  # fmt: skip

    def job(self, name: str) -> str:
        """Return the id of a job in which the example of a command makes sense."""
        if name in ("cancel", "retry"):
            job_id = str(self.daemon.submit(SLOW_QUERY, **SLOW)["job_id"])
            if name == "retry":
                self.daemon.post(f"/api/blast/jobs/{job_id}/cancel")
                self.daemon.ended(job_id)
            return job_id
        return str(self.daemon.run(LAMBDA_QUERY, database="nt", reuse=False)["job_id"])

    def run(self, name: str, example: str) -> subprocess.CompletedProcess[str]:
        """Run an example, its id and its places being ours."""
        job_id = self.job(name) if SHOWN in example else ""
        if WATCH in example:
            done = self.daemon.run(LAMBDA_QUERY, database="nt")["job_id"]
            made = self.daemon.post("/api/blast/watches", {"job": done}).json
            example = example.replace(WATCH, made["watch"]["watch_id"])
        state = self.folder / "state" if name.startswith("token") else self.daemon.state
        text = example.replace(SHOWN, job_id)
        text = text.replace("https://blast.example.org", self.daemon.url).replace("/backup/", "backup/")
        ended = subprocess.run(
            ["bash", "-o", "pipefail", "-c", text], cwd=self.folder, capture_output=True, text=True,
            env=self.environ | {"STATE_DIRECTORY": str(state)}, timeout=100, check=False,
        )  # fmt: skip
        if name == "retry":
            self.daemon.post(f"/api/blast/jobs/{job_id}/cancel")
        return ended


@pytest.fixture(scope="module")
def place(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("examples")
    own = folder / "databases"
    own.mkdir()
    for name in ("nt", "16S_demo"):
        make(own, DB / "nt.fa", name, "nucl", "-parse_seqids", "-title", name)
    make(own, DB / "aa.fa", "swissprot", "prot", "-parse_seqids", "-title", "swissprot")
    daemon = Daemon(folder / "state", [own, databases]).start().ready()
    (folder / "run").mkdir()
    yield Place(daemon, folder / "run")
    assert daemon.stop() == 0


@pytest.mark.parametrize(("name", "example"), RUN, ids=[example for _, example in RUN])
def test_Q19_an_example_runs(name: str, example: str, place: Place) -> None:
    prepared = {
        "login": "blastd login lab --url https://blast.example.org < token.txt",
        "logout": "blastd login lab --url https://blast.example.org < token.txt",
        "import": f"rm -f job.tar.gz; blastd export {SHOWN} --out job.tar.gz",
        "export": "rm -f job.tar.gz",
        "workflow": "rm -rf again",
        "import-xml": f"rm -f old-result.xml; blastd results {SHOWN} --format xml --out old-result.xml && gzip --keep --force old-result.xml",
        "token create": "blastd migrate",
        "token list": "blastd migrate",
        "token revoke": "blastd migrate",
    }
    if before := prepared.get(name):
        assert place.run(name if name.startswith("token") else "", before).returncode == 0
    if name == "token revoke":
        made = place.run(name, "blastd token create --owner ada").stdout
        example = example.replace("k3v9x2ab", made.removeprefix("blastd_")[:8])
    ended = place.run(name, example)
    assert ended.returncode == 0, f"{example}: {ended.stdout[-500:]} {ended.stderr[-1500:]}"
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("example", sorted({example for _, example in EXAMPLES} - {example for _, example in RUN}))
def test_Q19_an_example_that_can_not_run_here_is_understood(example: str) -> None:
    program, *words = shlex.split(example, comments=True)
    assert program == "blastd"
    assert callable(read(words).run)
