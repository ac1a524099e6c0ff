"""What BLAST+ told one daemon of the tests is lent to the others, as a daemon remembers it from one start to the next.

Else each start asks some twenty processes, two seconds of a core. What was told by other programs is not believed (`facts`).
"""

import os
import shutil
import tempfile
from pathlib import Path

from blastd.blastplus.facts import NAME

LENT = Path(tempfile.gettempdir()) / f"blastd-tests-{os.getuid()}-{NAME}"


def lend(state: Path) -> None:
    """Put it into the state folder of a daemon that is going to start."""
    if LENT.exists() and not (state / NAME).exists():
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(LENT, state / NAME)
        (state / NAME).chmod(0o600)


def keep(state: Path) -> None:
    """Keep what a daemon with the installed BLAST+ was told, in place of what an earlier blastd or BLAST+ was."""
    blastn, told = shutil.which("blastn") or "", state / NAME
    if not told.exists() or f'"{blastn}"'.encode() not in (said := told.read_bytes()):
        return
    if not LENT.exists() or LENT.read_bytes() != said:
        part = LENT.with_suffix(f".{os.getpid()}")
        shutil.copyfile(told, part)
        part.replace(LENT)
