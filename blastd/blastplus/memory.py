"""How much memory is left for processes of this machine, or of the control group that the service lives in."""

from pathlib import Path

SHARE = 0.1
"""Of all memory: with less left, nothing stays that only saves time."""
CGROUPS = Path("/sys/fs/cgroup")


def scarce(proc: Path = Path("/proc"), groups: Path = CGROUPS) -> bool:
    """Tell whether less than SHARE of the memory is left; False where nothing tells. Blocking, some microseconds."""
    return any(left < SHARE * total for left, total in (*_machine(proc), *_group(proc, groups)))


def _machine(proc: Path) -> list[tuple[int, int]]:
    try:
        lines = (proc / "meminfo").read_text("ascii").splitlines()
        found = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        return [(found["MemAvailable"], found["MemTotal"])]
    except (OSError, ValueError, KeyError, IndexError):
        return []


def _group(proc: Path, groups: Path) -> list[tuple[int, int]]:
    """Return what is left of the limit of the service's control group (version 2); what it holds of files can go."""
    try:
        own = (proc / "self" / "cgroup").read_text("ascii").strip().removeprefix("0::").lstrip("/")
        folder = groups / own
        total = int((folder / "memory.max").read_text("ascii"))
        lines = (folder / "memory.stat").read_text("ascii").splitlines()
        files = sum(int(line.split()[1]) for line in lines if line.startswith(("inactive_file ", "active_file ")))
        return [(total - int((folder / "memory.current").read_text("ascii")) + files, total)]
    except (OSError, ValueError, IndexError):  # no limit ("max"), or no such group
        return []
