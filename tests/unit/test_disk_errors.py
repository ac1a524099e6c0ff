"""What a disk that fails means for the user."""

import errno

import pytest

from blastd.durable import of_disk
from blastd.engines.local.units import trouble_of
from blastd.errors import DiskFull, StoreBroken


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.ENOSPC, DiskFull, "disk_full"),
        (errno.EDQUOT, DiskFull, "disk_full"),
        (errno.EROFS, StoreBroken, "store_broken"),
        (errno.EACCES, StoreBroken, "store_broken"),
        (errno.EIO, StoreBroken, "store_broken"),
    ],
)
def test_S06_a_disk_that_fails_has_a_code_and_shows_no_path(number: int, kind: type[StoreBroken], code: str) -> None:
    error = OSError(number, "said", "/secret/place")
    ours, trouble = of_disk(error), trouble_of("blastn", error)
    assert type(ours) is kind
    assert (ours.code, trouble.code) == (code, code)
    assert trouble.retryable
    assert "/secret" not in str(ours) + trouble.text


def test_other_errors_of_files_are_not_taken_for_the_disk() -> None:
    missing = FileNotFoundError(errno.ENOENT, "No such file", "x")
    assert of_disk(missing) is None
    assert trouble_of("blastn", missing).code == "engine_error"
