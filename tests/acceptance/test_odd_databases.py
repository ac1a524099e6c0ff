"""Folders with odd things beside good databases: the service starts, searches the good ones and names the others."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, PROTEIN_QUERY
from tests.odd_databases import BROKEN, LEFT_OUT, NUCLEOTIDE, PROTEIN, READY, Corpus, build, open_again

NOBODY = 65534
DATABASES = "/api/blast/databases"
TASKS = "/api/blast/database-tasks"


class Unprivileged(Daemon):
    """A daemon that root starts as nobody, since root reads what is closed; anybody else starts it as himself."""

    def __init__(self, state: Path, folders: list[Path]) -> None:
        super().__init__(state, folders)
        if os.geteuid() == 0:
            self.command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *self.command]
            self.environ["HOME"] = str(state)
            state.mkdir()
            os.chown(state, NOBODY, NOBODY)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody reaches, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="blastd-odd-"))
    folder.chmod(0o755)
    yield folder
    open_again(folder / "db")
    shutil.rmtree(folder)


@pytest.fixture
def corpus(place: Path) -> Corpus:
    (place / "db").mkdir(mode=0o755)
    return build(place / "db")


@pytest.fixture
def unprivileged(place: Path) -> Iterator[Unprivileged]:
    daemon = Unprivileged(place / "state", [place / "db"])
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()


def listed(daemon: Daemon) -> dict[str, dict[str, Any]]:
    answer = daemon.get(DATABASES)
    assert answer.status == 200, answer.text
    return {row["name"]: row for row in answer.json["databases"]}


def searched(daemon: Daemon) -> None:
    """Search both good databases; each finds something."""
    assert daemon.run(LAMBDA_QUERY, database=NUCLEOTIDE, reuse=False)["hits"] > 0
    assert daemon.run(PROTEIN_QUERY, program="blastp", database=PROTEIN, reuse=False)["hits"] > 0


def made(daemon: Daemon, name: str) -> dict[str, Any]:
    """Make a database, which looks through the folders, and wait for its end."""
    answer = daemon.ask("POST", f"{DATABASES}?name={name}&molecule=nucleotide", b">m1\nACGTACGTTTGACCA\n")
    assert answer.status == 202, answer.text
    task = answer.json["task"]
    for _ in range(600):
        task = daemon.get(f"{TASKS}/{task['id']}").json["task"]
        if task["status"] in ("completed", "failed"):
            return dict(task)
        daemon.get("/livez")
    raise AssertionError(task)


@pytest.mark.timeout(300)
def test_U05_odd_things_in_a_folder_are_named_and_stop_nothing(corpus: Corpus, unprivileged: Unprivileged) -> None:
    daemon = unprivileged.start().ready()
    assert daemon.get("/readyz").status == 200
    for again in range(2):
        rows = listed(daemon)
        for name, said in corpus.expected.items():
            if said == LEFT_OUT:
                assert name not in rows
            else:
                assert (name, rows[name]["state"]) == (name, said), rows[name]
                assert bool(rows[name]["reason"]) == (said == BROKEN), rows[name]
        assert rows[NUCLEOTIDE]["state"] == rows[PROTEIN]["state"] == READY
        problems = " ".join(daemon.get(DATABASES).json["problems"])
        for said in ("two\\x0alines", "lat\\udcffin", "closedfolder: Permission denied", "loop: this link leads back"):
            assert said in problems
        searched(daemon)
        assert made(daemon, f"made{again}")["status"] == "completed"
        assert daemon.post(f"{DATABASES}/rescan").status == 200
    refused = daemon.post("/api/blast/jobs", {"program": "blastn", "database": "fifopart", "query": LAMBDA_QUERY})
    assert (refused.status, "fifopart.nsq is a FIFO" in refused.text) == (422, True)
    assert daemon.stop() == 0
    daemon.start().ready()
    searched(daemon)
    assert daemon.stop() == 0


def test_U06_a_database_that_can_not_be_read_is_broken_with_that_reason_and_the_others_work(
    place: Path, unprivileged: Unprivileged
) -> None:
    folder = place / "db"
    folder.mkdir(mode=0o755)
    corpus = Corpus(folder)
    build_good(corpus)
    daemon = unprivileged.start().ready()
    assert listed(daemon)["later"]["state"] == READY
    closed = folder / "later.nsq"
    closed.chmod(0)
    assert daemon.post(f"{DATABASES}/rescan").status == 200
    row = listed(daemon)["later"]
    assert (row["state"], row["reason"]) == (BROKEN, "later.nsq can't be read: Permission denied")
    searched(daemon)
    assert made(daemon, "another")["status"] == "completed"  # it looks through the folders, too
    assert daemon.stop() == 0
    daemon.start().ready()
    assert listed(daemon)["later"]["state"] == BROKEN
    closed.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    answer = daemon.post("/api/blast/jobs", {"program": "blastn", "database": "later", "query": LAMBDA_QUERY})
    assert answer.status == 202, answer.text  # looked at again when it is searched
    assert daemon.ended(answer.json["job_id"])["status"] == "completed"


def build_good(corpus: Corpus) -> None:
    """Make the good databases, and a copy of one of them that a test closes."""
    from tests.databases import DB, make

    make(corpus.folder, DB / "nt.fa", NUCLEOTIDE, "nucl", "-parse_seqids", "-title", "good")
    make(corpus.folder, DB / "aa.fa", PROTEIN, "prot", "-parse_seqids", "-title", "goodaa")
    make(corpus.folder, DB / "nt.fa", "later", "nucl", "-parse_seqids", "-title", "later")
