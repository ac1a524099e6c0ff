"""What a disk that fails means for the user."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from blastd.blastplus.anatomy import anatomy
from blastd.blastplus.blastdb import BlastDatabase
from blastd.blastplus.generation import pin
from blastd.chance import SystemChance
from blastd.durable import of_machine
from blastd.engines.local.units import trouble_of
from blastd.errors import BlastdError, DatabaseBroken, DiskFull, Exhausted, StoreBroken


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.ENOSPC, DiskFull, "disk_full"),
        (errno.EDQUOT, DiskFull, "disk_full"),
        (errno.EROFS, StoreBroken, "store_broken"),
        (errno.EACCES, StoreBroken, "store_broken"),
        (errno.EIO, StoreBroken, "store_broken"),
        (errno.EMFILE, Exhausted, "machine_exhausted"),
        (errno.ENFILE, Exhausted, "machine_exhausted"),
        (errno.EAGAIN, Exhausted, "machine_exhausted"),
        (errno.ENOMEM, Exhausted, "machine_exhausted"),
    ],
)
def test_S06_a_disk_that_fails_has_a_code_and_shows_no_path(number: int, kind: type[BlastdError], code: str) -> None:
    error = OSError(number, "said", "/secret/place")
    ours, trouble = of_machine(error), trouble_of("blastn", "/state/jobs/1", error)
    assert type(ours) is kind
    assert ours is not None
    assert (ours.code, trouble.code) == (code, code)
    assert trouble.retryable
    assert "/secret" not in str(ours) + trouble.text


def test_other_errors_of_files_are_not_taken_for_the_disk() -> None:
    missing = FileNotFoundError(errno.ENOENT, "No such file", "x")
    assert of_machine(missing) is None
    assert trouble_of("blastn", "/state/jobs/1", missing).code == "engine_error"


def test_U19_files_of_a_search_that_are_not_there_were_moved_beneath_it() -> None:
    missing = FileNotFoundError(errno.ENOENT, "No such file", "/state/jobs/1/units/0.1-3.part")
    trouble = trouble_of("blastn", "/state/jobs/1", missing)
    assert (trouble.code, trouble.retryable) == ("store_gone", True)
    assert "/state" not in trouble.text


def test_S06_a_disk_that_takes_no_links_is_not_the_fault_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "secret" / "tnt"
    base.parent.mkdir()
    base.with_suffix(".nin").write_bytes(b"")
    parts = anatomy(base, "nucl").parts
    database = BlastDatabase(
        name="tnt", path=str(base), molecule="nucl", fingerprint="f" * 64, parts=parts, digests=("",) * len(parts)
    )

    def refuse(number: int) -> Callable[..., None]:
        def link(*_: object) -> None:
            raise OSError(number, os.strerror(number), str(base))

        return link

    for number, kind in ((errno.EROFS, StoreBroken), (errno.ENOSPC, DiskFull), (errno.ENAMETOOLONG, DatabaseBroken)):
        monkeypatch.setattr(os, "link", refuse(number))
        with pytest.raises(kind) as caught:
            pin(database, tmp_path / "generations", SystemChance())
        assert "secret" not in str(caught.value)
        assert list((tmp_path / "generations").iterdir()) == []
