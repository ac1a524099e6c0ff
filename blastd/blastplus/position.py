"""How far another process has read a file, as the kernel tells it: true progress of a tool that says nothing itself."""

import re
from pathlib import Path

POSITION = re.compile(rb"^pos:\s*(\d+)", re.MULTILINE)


def position(pid: int, file: Path) -> int | None:
    """Return the position of process *pid* in *file* (proc(5), fdinfo), the furthest of several; blocking.

    None where it does not hold the file open, has ended, or this system tells nothing.
    """
    try:
        wanted = file.stat()
        opened = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return None
    found: list[int] = []
    for descriptor in opened:
        try:
            held = descriptor.stat()
            if (held.st_dev, held.st_ino) != (wanted.st_dev, wanted.st_ino):
                continue
            match = POSITION.search(Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_bytes())
        except OSError:  # closed meanwhile
            continue
        if match is not None:
            found.append(int(match[1]))
    return max(found, default=None)
