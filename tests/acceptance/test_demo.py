"""U17: the demonstration shows its own daemon, or says why it can't; set-up says nothing but its own lines."""

import os
import subprocess
import sys
from pathlib import Path

from tests.daemon import Daemon
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


def sh(script: str, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    given = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | environ
    return subprocess.run(
        ["sh", str(ROOT / "config" / script), *words],
        cwd=ROOT, env=given, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip


def test_U17_a_demonstration_whose_port_is_taken_by_another_blastd_fails_and_says_so(
    daemon: Daemon, tmp_path: Path
) -> None:
    where = daemon.url.removeprefix("http://")
    ended = sh("demo/demo.sh", "--once", BLASTD_DEMO_DIR=str(tmp_path / "demo"), BLASTD_DEMO_LISTEN=where)
    assert ended.returncode == 1
    assert f"did not start on {where}" in ended.stderr
    assert "in use" in ended.stderr
    assert "BLASTD_DEMO_LISTEN" in ended.stderr, "the way out"
    assert "submit" not in ended.stdout, "nothing was searched in the other one"


def test_U17_a_demonstration_searches_in_its_own_daemon(daemon: Daemon, tmp_path: Path) -> None:
    """Also where the environment names another service, with a token of its own."""
    ended = sh(
        "demo/demo.sh", "--once", BLASTD_DEMO_DIR=str(tmp_path / "demo"), BLASTD_DEMO_LISTEN="127.0.0.1:0",
        BLASTD_URL=daemon.url, BLASTD_TOKEN="blastd_of_another",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "16S_demo" in ended.stdout
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "demo" / "hits.tsv").stat().st_mode & 0o077 == 0


def test_U17_shims_of_pythons_that_are_not_there_are_not_heard(tmp_path: Path) -> None:
    for name in ("python3.14", "python3.13", "python3.12", "python3.11", "python3", "python"):
        shim = tmp_path / "shims" / name
        shim.parent.mkdir(exist_ok=True)
        shim.write_text(f"#!/bin/sh\necho 'pyenv: {name}: command not found' >&2\nexit 127\n")
        shim.chmod(0o755)
    given = {"PATH": f"{tmp_path / 'shims'}:/nowhere"}
    ended = subprocess.run(
        ["/bin/sh", str(ROOT / "config" / "venv.sh"), str(tmp_path / "venv")],
        env=given, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr == "blastd needs Python 3.11 or later, with its modules venv and ensurepip.\n"
