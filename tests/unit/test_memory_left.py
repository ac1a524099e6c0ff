"""Memory is short by what the machine says, or the control group that the service lives in."""

from pathlib import Path

import pytest

from blastd.blastplus.memory import scarce

ROOMY = "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 500 kB\n"
TIGHT = "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 99 kB\n"


def machine(folder: Path, meminfo: str, group: dict[str, str] | None = None) -> tuple[Path, Path]:
    """Make what /proc and /sys/fs/cgroup would say."""
    proc, groups = folder / "proc", folder / "groups"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(meminfo)
    (proc / "self" / "cgroup").write_text("0::/system.slice/blastd.service\n")
    own = groups / "system.slice" / "blastd.service"
    own.mkdir(parents=True)
    for name, text in (group or {}).items():
        (own / name).write_text(text)
    return proc, groups


def group(limit: str, current: int, files: int) -> dict[str, str]:
    stat = f"anon 5\ninactive_file {files}\nactive_file 0\n"
    return {"memory.max": f"{limit}\n", "memory.current": f"{current}\n", "memory.stat": stat}


@pytest.mark.parametrize(
    ("meminfo", "its_group", "short"),
    [
        (ROOMY, None, False),
        (TIGHT, None, True),
        (ROOMY, group("max", 10**9, 0), False),
        (ROOMY, group("1000", 950, 0), True),
        (ROOMY, group("1000", 950, 500), False),  # the kernel lets go of what it holds of files
        ("nothing that is known", None, False),
    ],
)
def test_X03_memory_is_short(meminfo: str, its_group: dict[str, str] | None, short: bool, tmp_path: Path) -> None:
    assert scarce(*machine(tmp_path, meminfo, its_group)) is short


def test_a_system_without_such_files_is_never_short(tmp_path: Path) -> None:
    assert not scarce(tmp_path / "no", tmp_path / "no")
