"""Small and read-only file systems, for tests of what happens on them. Linux, as root."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOM = 16 << 20
BLOCK = b"x" * 4096


@contextmanager
def small(folder: Path, size: int = ROOM) -> Iterator[Path]:
    """Mount a file system of *size* bytes on *folder* for the block."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write under *folder* for the block; files that are open stay open, as when a disk turns read-only."""
    subprocess.run(["mount", "--bind", folder, folder], check=True, capture_output=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True, capture_output=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Use up the last byte of the file system of *folder* for the block."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(BLOCK):
                pass
        except OSError:
            pass
    try:
        yield
    finally:
        ballast.unlink()


def possible() -> bool:
    """Tell whether this user may mount."""
    try:
        with tempfile.TemporaryDirectory() as folder, small(Path(folder, "probe"), 1 << 20), read_only(Path(folder)):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
