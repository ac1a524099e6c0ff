"""Q08, Q09: the description passes two linters, and clients made of it in three languages compile and search."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import MUSEUM, NODE, Served, ran
from tests.databases import LAMBDA_QUERY

HERE = Path(__file__).parent / "generated"
GO = {"GOPATH": str(MUSEUM / "go"), "GOFLAGS": "-modcacherw", "GOPROXY": "off", "GOTOOLCHAIN": "local"}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The description, as the command line prints it."""
    file = tmp_path_factory.mktemp("openapi") / "openapi.json"
    argv = [sys.executable, "-m", "blastd", "openapi"]
    file.write_bytes(subprocess.run(argv, capture_output=True, check=True).stdout)
    return file


def expected(served: Served) -> list[str]:
    """What each client must print: the search, as the service tells it, and a job that is not there."""
    row = served.daemon.run(LAMBDA_QUERY, options={"evalue": "1e-20"})
    hits = served.daemon.get(f"/api/blast/jobs/{row['job_id']}/hits").json
    size = len(served.daemon.results(row["job_id"], "tabular"))
    best = hits["hits"][0]
    return [f"completed {hits['total']} {best['subject']} {best['identity']:g} {size}", "404 not_found"]


def said(text: str) -> list[str]:
    """What a client printed, a number without a fraction as such."""
    return [" ".join(word.removesuffix(".0") for word in line.split()) for line in text.splitlines()]


def test_Q09_redocly_finds_no_error(document: Path) -> None:
    ended = ran(NODE / ".bin" / "redocly", "lint", document, "--format", "json", folder=document.parent)
    assert json.loads(ended.stdout)["totals"]["errors"] == 0


def test_Q09_spectral_finds_no_error(document: Path) -> None:
    rules = document.with_name("rules.yaml")
    rules.write_text('extends: ["spectral:oas"]\n')
    ran(NODE / ".bin" / "spectral", "lint", document, "-r", rules, "--fail-severity", "error", folder=document.parent)


def test_Q08_a_client_in_python_searches(document: Path, served: Served, tmp_path: Path) -> None:
    made = tmp_path / "blastd_client"
    words: list[str | Path] = ["generate", "--path", document, "--output-path", made, "--meta", "none"]
    ran(MUSEUM / "gen" / "bin" / "openapi-python-client", *words, folder=tmp_path)
    environ = {"PYTHONPATH": str(tmp_path)}
    python = MUSEUM / "gen" / "bin" / "python"
    ended = ran(python, HERE / "search.py", served.url, served.token, LAMBDA_QUERY, folder=tmp_path, environ=environ)
    assert said(ended.stdout) == expected(served)


def test_Q08_a_client_in_typescript_compiles_and_searches(document: Path, served: Served, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(NODE)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copy(HERE / "search.ts", tmp_path)
    ran(NODE / ".bin" / "openapi-typescript", document, "-o", tmp_path / "blastd.ts", folder=tmp_path)
    flags = ["--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
    declared = tmp_path / "node.d.ts"
    declared.write_text("declare const process: { argv: string[] };\n")
    ran(NODE / ".bin" / "tsc", *flags, "--skipLibCheck", "search.ts", "blastd.ts", declared, folder=tmp_path)
    ended = ran("node", "search.js", served.url, served.token, LAMBDA_QUERY, folder=tmp_path)
    assert said(ended.stdout) == expected(served)


def test_Q08_a_client_in_go_compiles_and_searches(document: Path, served: Served, tmp_path: Path) -> None:
    (tmp_path / "blastd").mkdir()
    config = tmp_path / "config.yaml"
    config.write_text("package: blastd\ngenerate: {models: true, client: true}\noutput: blastd/blastd.go\n")
    ran(MUSEUM / "bin" / "oapi-codegen", "-config", config, document, folder=tmp_path)
    for name in ("go.mod", "go.sum"):
        shutil.copy(MUSEUM / "go" / name, tmp_path)
    shutil.copy(HERE / "search.go", tmp_path / "main.go")
    ran("go", "vet", "./...", folder=tmp_path, environ=GO)
    ended = ran("go", "run", ".", served.url, served.token, LAMBDA_QUERY, folder=tmp_path, environ=GO)
    assert said(ended.stdout) == expected(served)
