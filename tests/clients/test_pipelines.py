"""What docs/pipelines.md shows runs with the tools that it is for, and a workflow that was written of a job gives its bytes."""

import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import MUSEUM, PYTHON, ROOT, ran
from tests.daemon import Daemon, cli
from tests.databases import DB, LAMBDA_QUERY, make

SNAKEMAKE = MUSEUM / "flow" / "bin" / "snakemake"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A service with the database that the page names."""
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "db").mkdir()
    make(folder / "db", DB / "nt.fa", "16S_demo", "nucl", "-parse_seqids")
    daemon = Daemon(folder / "state", [folder / "db"]).start().ready()
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture
def environ(service: Daemon, tmp_path: Path) -> dict[str, str]:
    """Where somebody runs what the page shows: a query lies there, and BLASTD_URL says where the service is."""
    (tmp_path / "query.fa").write_text(LAMBDA_QUERY)
    job_id = service.run(LAMBDA_QUERY, database="16S_demo")["job_id"]
    path = f"{Path(sys.executable).parent}:{SNAKEMAKE.parent}:{os.environ['PATH']}"
    return {"BLASTD_URL": service.url, "JOB": job_id, "PATH": path, "HOME": str(tmp_path)}


def shown(title: str) -> str:
    """Return the block of the page below a title."""
    section = (ROOT / "docs" / "pipelines.md").read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    return textwrap.dedent("\n".join(line for line in section.splitlines() if line.startswith("    "))) + "\n"


def test_the_shell_script_of_the_page_runs_twice_as_one_search(
    service: Daemon, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "search.sh").write_text(shown("Shell"))
    before = len(service.get("/api/blast/jobs").json["jobs"])
    for _ in range(2):
        assert "2 hits.tsv" in ran("sh", "search.sh", folder=tmp_path, environ=environ).stdout
    assert len(service.get("/api/blast/jobs").json["jobs"]) == before + 1


def test_the_snakefile_of_the_page_runs(service: Daemon, environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(shown("Snakemake"))
    ran(SNAKEMAKE, "--cores", "1", folder=tmp_path, environ=environ)
    assert (tmp_path / "hits.tsv").read_bytes() == service.results(environ["JOB"], "tabular")


def test_Q05_pandas_and_r_read_as_the_page_shows(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "hits.py").write_text(shown("pandas"))
    (tmp_path / "hits.R").write_text(shown("R"))
    assert "2 ['bitscore', 'evalue']" in ran(PYTHON, "hits.py", folder=tmp_path, environ=environ).stdout
    assert "2 hits" in ran("Rscript", "hits.R", folder=tmp_path, environ=environ).stdout


def test_a_job_as_a_workflow_gives_the_same_bytes(service: Daemon, environ: dict[str, str], tmp_path: Path) -> None:
    done = cli("workflow", environ["JOB"], "--dir", str(tmp_path / "again"), "--url", service.url)
    assert done.returncode == 0, done.stderr
    ran(
        SNAKEMAKE, "--cores", "1", "--directory", "again", "--snakefile", "again/Snakefile", folder=tmp_path,
        environ=environ,
    )  # fmt: skip
    assert (tmp_path / "again" / "result.tabular").read_bytes() == service.results(environ["JOB"], "tabular")
