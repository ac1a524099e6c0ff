"""U17: which store a command beside the daemon means; none of them makes one but `migrate`."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands import Nursery, nursery
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY

BESIDE = (
    ["token", "create", "--owner", "ada"],
    ["token", "list"],
    ["token", "revoke", "abcdefgh"],
    ["fsck"],
    ["fsck", "--mend"],
    ["backup", "copy"],
    ["export", "0123456789ab", "--out", "copy"],
    ["import", "copy"],
)


def home(folder: Path) -> dict[str, str]:
    """An environment in which nothing names a state folder."""
    return {"HOME": str(folder), "XDG_STATE_HOME": "", "STATE_DIRECTORY": "", "BLASTD_CONFIG": ""}


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Nursery]:
    """Commands that run in a folder of their own."""
    (tmp_path / "run").mkdir()
    with nursery(tmp_path / "run") as own:
        yield own


@pytest.mark.parametrize("named", ["nothing", "--config", "--state-dir", "variable", "empty file", "no folder"])
def test_U17_a_command_beside_the_daemon_makes_no_store(named: str, commands: Nursery, tmp_path: Path) -> None:
    state, settings, environ = tmp_path / "state", tmp_path / "blastd.toml", home(tmp_path)
    settings.write_text('[store]\nstate_dir = "state"\n')
    more = ["--state-dir", str(settings / "below" if named == "no folder" else state)]
    if named == "--config":
        more = ["--config", str(settings)]
    elif named == "variable":
        environ["STATE_DIRECTORY"], more = str(state), []
    elif named == "nothing":
        more = []
    elif named == "empty file":
        state.mkdir()
        (state / "blastd.sqlite").touch()
    before = files(tmp_path)
    for words in BESIDE:
        ended = commands.run(*words, *more, environ=environ)
        assert (ended.code, ended.out) == (2, b""), ended.said
        assert ended.sentence
        assert "blastd.sqlite" in ended.said, "it says which store it looked for"
        assert "migrate" in ended.said, "and what makes one"
        assert files(tmp_path) == before, words


def files(folder: Path) -> list[Path]:
    """Everything under a folder but what the commands said."""
    return sorted(path for path in folder.rglob("*") if path.suffix not in (".out", ".err"))


def test_U17_they_say_the_store_that_they_use(commands: Nursery, tmp_path: Path) -> None:
    settings, state = tmp_path / "blastd.toml", tmp_path / "here"
    settings.write_text('[store]\nstate_dir = "here"\n')
    environ = home(tmp_path)
    for words in (["migrate"], ["token", "create", "--owner", "ada"], ["token", "list"], ["fsck"], ["doctor"]):
        ended = commands.run(*words, "--config", str(settings), environ=environ)
        assert ended.code == 0, ended.said
        assert f"state: {state} (from {settings}: store.state_dir)" in ended.said, words
    ended = commands.run("backup", str(tmp_path / "copy"), environ=environ | {"BLASTD_STORE__STATE_DIR": str(state)})
    assert f"state: {state} (from BLASTD_STORE__STATE_DIR)" in ended.said
    ended = commands.run("fsck", environ=environ | {"STATE_DIRECTORY": str(state)})
    assert f"state: {state} (from STATE_DIRECTORY)" in ended.said


def test_U17_a_token_made_by_the_services_configuration_is_one_of_the_service(
    fresh: Daemon, commands: Nursery, tmp_path: Path
) -> None:
    """As under systemd: the service is told its state by its settings file, and so is the command."""
    settings = tmp_path / "blastd.toml"
    settings.write_text(f'[store]\nstate_dir = "{fresh.state}"\n')
    fresh.start()
    assert fresh.get("/api/me").status == 200
    made = commands.run("token", "create", "--owner", "ada", "--config", str(settings), environ=home(tmp_path))
    assert made.code == 0, made.said
    assert fresh.get("/api/me").status == 401, "the first token protects the service"
    fresh.token = made.out.decode().strip()
    assert fresh.get("/api/me").json["owner"] == "ada"
    fresh.run(LAMBDA_QUERY)
    assert fresh.stop() == 0


def test_U17_an_older_store_is_upgraded_by_migrate_and_nobody_beside(commands: Nursery, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert commands.run("migrate", "--state-dir", str(state)).code == 0

    with closing(sqlite3.connect(state / "blastd.sqlite")) as db:
        db.execute("PRAGMA user_version = 1")
    ended = commands.run("token", "list", "--state-dir", str(state))
    assert ended.code == 1
    assert "blastd migrate" in ended.said
    assert commands.run("backup", str(tmp_path / "copy"), "--state-dir", str(state)).code == 0, "as before an upgrade"
    with closing(sqlite3.connect(state / "blastd.sqlite")) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 1
