"""Durable files."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from blastd import durable
from blastd.durable import SharedFlush, put


def test_a_flush_serves_all_who_asked_before_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[float] = []

    def slow(folder: Path) -> None:
        assert folder == tmp_path
        begun.append(time.monotonic())
        time.sleep(0.05)

    monkeypatch.setattr(durable, "flush_folder", slow)
    shared, start = SharedFlush(tmp_path), threading.Barrier(8)

    def ask(_: int) -> tuple[float, float]:
        start.wait()
        asked = time.monotonic()
        shared.flush()
        return asked, time.monotonic()

    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(ask, range(8)))
    assert len(begun) < 8
    for asked, done in waits:  # each was served by a flush that began after it had asked
        assert any(asked <= at and at + 0.05 <= done + 0.001 for at in begun)


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
