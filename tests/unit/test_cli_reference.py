"""Q19: completion, manual page and reference say what the parser says; a client needs no part of the server."""

import subprocess
import sys
from pathlib import Path

import pytest

from blastd.cli import ends
from blastd.cli.ends import SERVER_PARTS
from blastd.cli.flags import Parser
from blastd.cli.main import main
from blastd.cli.parser import commands_of, every_command, make_parser
from blastd.core.program_table import TITLES
from tests.cli_reference import PAGE, page

COMMANDS = [(" ".join(words), command) for words, command in every_command(make_parser()) if not commands_of(command)]
CLIENTS = ("jobs", "submitting", "service", "databases", "connection", "shells", "reading", "ends")


def test_Q19_the_reference_is_what_the_parser_says() -> None:
    assert page() == PAGE.read_text(), "run 'python -m tests.cli_reference'"


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_Q19_every_command_is_there_and_has_examples(name: str, command: Parser) -> None:
    assert callable(command.get_default("run").function()), name
    assert command.examples
    assert all("blastd" in example for example in command.examples)


def test_Q19_bash_completes_commands_and_flags(tmp_path: Path) -> None:
    script = subprocess.run([sys.executable, "-m", "blastd", "completion", "bash"], capture_output=True, check=True)
    (tmp_path / "blastd").write_bytes(script.stdout)
    ask = (
        'source ./blastd; complete_at() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _shtab_blastd; '
        'echo "${COMPREPLY[@]}"; }; complete_at blastd su; complete_at blastd submit --prog; complete_at blastd db l'
    )
    told = subprocess.run(["bash", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["submit", "--program", "list"], told.stderr


def test_Q19_the_manual_page_has_every_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "blastd.1"
    assert main(["man", "--out", str(file)]) == 0
    text = file.read_text()
    assert text.startswith(".TH BLASTD 1")
    heads = [line for line in text.splitlines() if line.startswith(".SS ")]
    alike = set(TITLES) - {"blastn"}  # BLAST+'s programs are told once
    told = [line.replace("\\-", "-").removeprefix(".SS blastd ") for line in heads]
    assert [name for name, _ in COMMANDS if name not in alike and not any(line.startswith(name) for line in told)] == []
    assert main(["man"]) == 0
    assert capfd.readouterr().out == text


def test_Q19_a_client_reads_no_part_of_the_server() -> None:
    names = ", ".join(f"blastd.cli.{name}" for name in CLIENTS)
    ask = f"import sys, {names}; print(*sorted({set(SERVER_PARTS)!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split() == []


def test_Q19_a_server_command_of_a_client_says_what_is_missing(capfd: pytest.CaptureFixture[str]) -> None:
    assert ends._end(ModuleNotFoundError("No module named 'structlog'", name="structlog")) == 2
    assert "pip install 'blastd[server]'" in capfd.readouterr().err
