"""The programs and options of BLAST+ 2.12 as captured in tests/data/help, for tests that run without BLAST+."""

import gzip
from functools import cache
from pathlib import Path

from blastd.core.options import Option, read_help
from blastd.core.program_table import TITLES
from blastd.core.programs import Catalogue, catalogue

HELP = Path(__file__).parent / "data" / "help"


def captured(name: str) -> str:
    """Return a captured text such as blastn.xml."""
    return gzip.decompress((HELP / f"{name}.gz").read_bytes()).decode()


@cache
def told(program: str) -> dict[str, Option]:
    """Return everything that a program tells of its options."""
    return read_help(captured(f"{program}.xml"), captured(f"{program}.txt"), program)


@cache
def blast_2_12() -> Catalogue:
    """Return what blastd offers with BLAST+ 2.12."""
    return catalogue("2.12.0+", {name: told(name) for name in TITLES})
