"""Every command that README and docs show is run here as a reader would type it, or stands below with the reason why not."""

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import cli_reference
from tests.daemon import Daemon, cli
from tests.databases import make
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("blastd ", ".venv/bin/blastd ", "curl ", "mkdir ", "cp ", "from ", "(umask", "python", "pip ")
SHOWN_ADDRESS = "http://127.0.0.1:8470"
ELSEWHERE = {
    "make ": "CI runs the targets themselves",
    "blastd serve": "the daemon of this test is one",
    "docker ": "needs a container engine",
    "#!/bin/sh": "make clients runs it",
    "rule all": "make clients runs it with Snakemake",
    "snakemake ": "make clients runs it",
    "kubectl ": "the cluster tests run them",
    "helm ": "needs a cluster",
    "az ": "needs an account in Azure",
    "systemctl ": "needs a service manager",
    "install ": "writes outside of the test's folder",
    "ln ": "writes outside of the test's folder",
    "sed ": "writes outside of the test's folder",
    "python3 -m venv": "writes outside of the test's folder; a test installs the built wheel",
    "pip install": "needs the registry; a test installs the built wheel",
    "blastd token create --owner ada --config /etc": "reads settings outside of the test's folder",
    "mkdir /srv": "writes outside of the test's folder",
    "blastd db push": "the cluster tests run it",
    "blastd db warm": "the cluster tests run it",
    "blastd doctor --config /etc": "looks at a cluster",
    "blastd watch changes": "needs a database that has changed; test_watches has one",
    "curl -X PUT": "needs a receiver; test_webhooks has one",
    "from standardwebhooks": "needs a webhook; test_webhooks verifies with it",
    "[": "settings, not a command; the configuration's tests read them",
}
"""Beginnings of what is not run here, with the reason."""
MISSING = {
    "16S_ribosomal_RNA": "needs a source; test_fetches has one",
    "program=psiblast": "needs proteins; test_profiles has some",
    "16S.fa.gz": "is an example's name; test_cli_examples makes such a database",
    "old-result.xml": "is an example's name; test_imports imports such a file",
    "matrix.smp": "is made by the line before; test_profiles searches with one",
}
"""What is named in commands and is not there in the demonstration, with who runs such commands."""


WHOLE = ("#!/bin/sh", "rule all")
"""How a block begins that is one file; ELSEWHERE says who runs it."""


def blocks(page: Path) -> Iterator[list[str]]:
    """Yield the indented blocks of a page."""
    block: list[str] = []
    text = page.read_text("utf-8").partition(cli_reference.BEGIN)[
        0
    ]  # test_cli_examples runs what is made of the parser
    for line in [*text.splitlines(), ""]:
        if re.match(r" {4,}\S", line) and (block or not line.lstrip().startswith(("-", "*"))):
            block.append(line.strip() if not block else line)
        elif block:
            yield [re.sub("^ {4}", "", text) for text in block]
            block = []


def is_code(block: list[str]) -> bool:
    """Tell whether a block is something to type, and not output, settings or a list."""
    return block[0].startswith((*PROGRAMS, *ELSEWHERE)) and not block[0].startswith("[")


class Reader:
    """Somebody who types what a page says, in a folder with the demonstration's files and a query of their own."""

    def __init__(self, folder: Path, daemon: Daemon, job_id: str) -> None:
        self.folder, self.daemon, self.job_id, self.other = folder, daemon, job_id, folder / "other"
        (folder / "config").symlink_to(ROOT / "config")
        (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
        for name in ("query.fa", "mine.fa"):
            shutil.copy(ROOT / "config" / "demo" / "query.fa", folder / name)
        (folder / "backup").mkdir()
        (folder / "token.txt").touch()
        for name in ("share/bash-completion/completions", "share/man/man1"):
            (folder / ".local" / name).mkdir(parents=True)
        assert cli("migrate", "--state-dir", str(self.other)).returncode == 0

    def type(self, block: list[str]) -> None:
        """Run a block: Python as one program, commands one by one."""
        if block[0].startswith("from "):
            if not block[0].startswith(tuple(ELSEWHERE)):
                self._run([sys.executable, "-c", self._meant("\n".join(block))])
            return
        if block[0].startswith(WHOLE):
            return
        for line in "\n".join(block).replace("\\\n", " ").splitlines():
            command = re.split(r"\s{2,}#", line.strip())[0]
            if command and not command.startswith(tuple(ELSEWHERE)) and not any(it in command for it in MISSING):
                self._run(["bash", "-c", self._meant(command)])

    def _meant(self, text: str) -> str:
        """Put what is really there in place of what stands for it."""
        quiet = text.startswith("blastd token") or "--mend" in text  # would change who may ask the shared daemon
        places = {
            SHOWN_ADDRESS: self.daemon.url,
            "https://blast.example.org": self.daemon.url,
            "OTHER_STATE": str(self.other),
            "TOKEN_ID": self._token_id() if "TOKEN_ID" in text else "",
            "WATCH": self._watch_id() if "WATCH" in text else "",
            "STATE": str(self.other if quiet else self.daemon.state),
            "/backup": str(self.folder / "backup"),
            "--db 16S ": "--db 16S_demo ",
        }
        for shown, real in places.items():
            text = text.replace(shown, real)
        return re.sub(r"\bID\b", self.job_id, text)

    def _watch_id(self) -> str:
        made = self.daemon.post("/api/blast/watches", {"job": self.job_id})
        return str(made.json["watch"]["watch_id"])

    def _token_id(self) -> str:
        listed = cli("token", "list", "--state-dir", str(self.other)).stdout.splitlines()
        return listed[-1].split()[0]

    def _run(self, argv: list[str]) -> None:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env=os.environ
            | {"BLASTD_URL": self.daemon.url, "PATH": path, "HOME": str(self.folder), "XDG_CONFIG_HOME": ""},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{argv[-1]}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}"
        assert not re.search(r'"status": ?[45]\d\d', done.stdout), f"{argv[-1]}\n{done.stdout[-1000:]}"


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, str]]:
    """A daemon with the demonstration's database, and the id of a search that has ended there."""
    folder = tmp_path_factory.mktemp("demo")
    fasta = folder / "16S_demo.fa"
    fasta.write_bytes(gzip.decompress((ROOT / "config" / "demo" / "16S_demo.fa.gz").read_bytes()))
    (folder / "db").mkdir()
    make(folder / "db", fasta, "16S_demo", "nucl", "-parse_seqids")
    daemon = Daemon(folder / "state", [folder / "db"]).start().ready()
    words = ["submit", "--program", "blastn", "--db", "16S_demo", str(ROOT / "config" / "demo" / "query.fa"), "--wait"]
    done = cli(*words, environ={"BLASTD_URL": daemon.url})
    assert done.returncode == 0, done.stderr
    yield daemon, done.stdout.split()[0]
    daemon.stop()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(map(is_code, blocks(page)))], ids=lambda page: page.stem
)
def test_what_the_papers_show_runs(page: Path, tmp_path: Path, demonstration: tuple[Daemon, str]) -> None:
    reader = Reader(tmp_path, *demonstration)
    for block in blocks(page):
        if is_code(block):
            reader.type(block)
