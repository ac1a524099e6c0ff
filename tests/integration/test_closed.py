"""A connection to a store that is refused or damaged is closed by whoever opened it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from blastd.cli.main import main
from blastd.clock import SystemClock
from blastd.errors import BlastdError
from blastd.store.connect import open_beside
from blastd.store.sqlite import open_database, open_sync
from blastd.upkeep.fsck import check

NAME = "blastd.sqlite"


class Counted(sqlite3.Connection):
    """Says which connections are open."""

    opened: set[int] = set()

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.opened.add(id(self))

    def close(self) -> None:
        self.opened.discard(id(self))
        super().close()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[int]]:
    """The connections that are open; every one is made by this fixture's class."""
    connect = sqlite3.connect

    def counted(*given: Any, **more: Any) -> sqlite3.Connection:
        return connect(*given, **more, factory=Counted)

    monkeypatch.setattr(sqlite3, "connect", counted)
    Counted.opened.clear()
    yield Counted.opened
    assert not Counted.opened


def garbage(file: Path) -> None:
    file.write_bytes(b"no store at all " * 1000)


def truncated(file: Path) -> None:
    open_sync(file).close()
    file.write_bytes(file.read_bytes()[:6000])


def torn(file: Path) -> None:
    open_sync(file).close()
    whole = bytearray(file.read_bytes())
    whole[100:4096] = b"\xff" * 3996  # the schema is unreadable, the header is not
    file.write_bytes(whole)


def newer(file: Path) -> None:
    db = open_sync(file)
    db.execute("PRAGMA user_version = 9999")
    db.close()


def older(file: Path) -> None:
    db = open_sync(file)
    db.execute("PRAGMA user_version = 1")
    db.close()


def folder(file: Path) -> None:
    file.mkdir()


HARMS: list[Callable[[Path], None]] = [garbage, truncated, torn, newer, older, folder]
COMMANDS = [
    ["migrate"],
    ["doctor"],
    ["fsck"],
    ["token", "list"],
    ["token", "create", "--owner", "ada"],
    ["backup", "{new}"],
    ["export", "00000000", "--out", "{new}"],
]


@pytest.mark.parametrize("harm", HARMS)
async def test_nobody_leaves_a_connection_open(harm: Callable[[Path], None], tmp_path: Path, opened: set[int]) -> None:
    state = tmp_path / "state"
    state.mkdir()
    file = state / NAME
    harm(file)
    before = {path: path.read_bytes() for path in state.iterdir() if path.is_file()}

    def again() -> None:
        for path, content in before.items():
            path.write_bytes(content)

    for open_it in (open_sync, open_beside, lambda path: check(path, 0.0, running=False, mend=False)):
        try:
            held = open_it(file)
        except (BlastdError, sqlite3.DatabaseError):
            pass
        else:
            if isinstance(held, sqlite3.Connection):
                held.close()
        assert not opened, open_it
        again()
    with suppress(BlastdError, sqlite3.DatabaseError):
        async with open_database(file, SystemClock()):
            pass
    assert not opened, "open_database"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("harm", HARMS)
def test_no_command_leaves_a_connection_open(
    harm: Callable[[Path], None], words: list[str], tmp_path: Path, opened: set[int], capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    harm(state / NAME)
    main([*(word.format(new=tmp_path / "new") for word in words), "--state-dir", str(state)])
    assert not opened
    assert "Traceback" not in capsys.readouterr().err
