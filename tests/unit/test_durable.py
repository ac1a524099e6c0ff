"""Durable files."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from blastd import durable
from blastd.durable import SharedFlush, put
from tests.patience import until


def test_a_flush_serves_all_who_asked_before_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one flushes until the others have asked: they are served together, by a flush that begins after that."""
    flushes: list[int] = []

    def slow(folder: Path) -> None:
        assert folder == tmp_path
        flushes.append(shared._asked)
        if len(flushes) == 1:
            until(lambda: shared._asked == 8)

    monkeypatch.setattr(durable, "flush_folder", slow)
    shared = SharedFlush(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(shared.flush)
    assert len(flushes) == 2
    assert flushes[1] == 8


def test_a_flush_that_failed_serves_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = SharedFlush(tmp_path / "missing")
    for _ in range(2):
        with pytest.raises(OSError, match="missing"):
            shared.flush()
    monkeypatch.setattr(durable, "flush_folder", lambda _folder: None)
    shared.flush()


def test_a_file_gets_its_name(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b">r\nAC\n")
    put(tmp_path / "b", tmp_path / "b.fa")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"b.fa": b">r\nAC\n"}
