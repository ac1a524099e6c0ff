"""The processes of this machine, counted, and memory that is as short as a test says."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from blastd.blastplus.process import Child, Limits, SystemProcesses, SystemTalking
from blastd.daemon import Outside, ask_applications


class CountedProcesses(SystemProcesses):
    """Notes each process of a search: `alone` for those of one search, `residents` for those that are fed."""

    def __init__(self) -> None:
        self.alone: list[Child] = []
        self.residents: list[SystemTalking] = []
        self.short = False

    @property
    def number(self) -> int:
        """Return how many were started."""
        return len(self.alone) + len(self.residents)

    @property
    def living(self) -> list[SystemTalking]:
        """Return the residents whose process has not ended."""
        return [resident for resident in self.residents if resident.returncode is None]

    async def start(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], stdout: Path, stderr: Path, limits: Limits
    ) -> Child:
        child = await super().start(argv, cwd, env, stdout, stderr, limits)
        self.alone.append(child)
        return child

    async def talk(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], limits: Limits) -> SystemTalking:
        resident = await super().talk(argv, cwd, env, limits)
        self.residents.append(resident)
        return resident

    def scarce(self) -> bool:
        return self.short

    def outside(self) -> Outside:
        """Return what the daemon is given."""
        return Outside(processes=self, applications=ask_applications)


def alive(mark: str) -> list[int]:
    """Return the processes, zombies left out, whose environment has *mark*."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and int(entry.name) != os.getpid() and mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    return found
