"""The wheel holds everything that the service needs, and runs outside of the source tree.

Without the network: the build takes hatchling from this environment, and the new one borrows its other packages.
"""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from blastd import __version__
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("BLASTD_", "PYTHON"))}


def run(*words: str | Path, folder: Path, environ: dict[str, str] | None = None) -> str:
    ended = subprocess.run(
        list(map(str, words)),
        cwd=folder,
        env=environ or ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words: list[str | Path] = [
        "wheel",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
        ROOT,
    ]
    run(sys.executable, "-m", "pip", *words, folder=folder, environ=dict(os.environ))
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and an empty folder to work in beside it; returns its python."""
    home = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", home / "venv", folder=home)
    python = home / "venv" / "bin" / "python"
    words: list[str | Path] = ["install", "--quiet", "--no-index", "--no-deps", wheel]
    run(sys.executable, "-m", "pip", "--python", python, *words, folder=home)
    here = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=home).strip())
    (here / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")  # behind its own packages
    where = run(python, "-c", "import blastd; print(blastd.__file__)", folder=home).strip()
    assert Path(where).is_relative_to(here)
    return python


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = {name for name in file.namelist() if not name.endswith("/")}
        metadata = file.read(next(name for name in names if name.endswith("METADATA"))).decode()
    sources = [path for path in (ROOT / "blastd").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    wanted = {path.relative_to(ROOT).as_posix() for path in sources}
    wanted |= {f"blastd/migrations/{path.name}" for path in (ROOT / "migrations").glob("*.sql")}
    assert {name for name in names if ".dist-info/" not in name} == wanted
    assert {Path(name).suffix for name in wanted} >= {".py", ".sql", ".html", ".css", ".js", ".svg"}
    assert f"Version: {__version__}" in metadata.splitlines()
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_commands_work_outside_of_the_source_tree(installed: Path, tmp_path: Path) -> None:
    run(installed, "-m", "blastd", "migrate", "--state-dir", tmp_path / "state", folder=tmp_path)
    assert (tmp_path / "state" / "blastd.sqlite").exists()
    assert run(installed, "-m", "blastd", "fsck", "--state-dir", tmp_path / "state", folder=tmp_path) == ""
    document = json.loads(run(installed, "-m", "blastd", "openapi", folder=tmp_path))
    assert document["info"]["version"] == __version__
    assert run(installed.with_name("blastd"), "--version", folder=tmp_path).split() == ["blastd", __version__]


def test_the_service_runs_outside_of_the_source_tree(installed: Path, tmp_path: Path, database_folder: Path) -> None:
    daemon = Daemon(tmp_path / "state", [database_folder], {"PYTHONPATH": ""})
    daemon.command, daemon.folder = [str(installed), "-m", "blastd"], tmp_path
    daemon.start()
    try:
        assert daemon.get("/api/openapi.json").json["info"]["version"] == __version__
        page = daemon.get("/search")
        assert (page.status, "<form" in page.text) == (200, True)
        for path in (ROOT / "blastd" / "web" / "static").iterdir():
            assert daemon.get(f"/static/now/{path.name}").body == path.read_bytes(), path.name
        assert daemon.run(LAMBDA_QUERY)["hits"] > 0
    finally:
        assert daemon.stop() == 0
