"""Writes the table of acceptance ids in docs/acceptance.md and the files whose tests carry them: `make table`.

A test carries the ids that its name begins with: test_R05_R08_32_formulas is one of R05 and of R08, case 32.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "acceptance.md"
GROUPS = {
    "T": ("truth of state", 20),
    "C": ("control", 12),
    "I": ("input", 10),
    "R": ("results", 8),
    "S": ("security and service", 10),
    "N": ("NCBI clients", 3),
    "U": ("unbreakable", 20),
    "V": ("versions and programs", 12),
    "D": ("databases and taxonomy", 12),
    "K": ("clusters", 16),
    "W": ("page", 24),
    "P": ("people", 6),
    "Q": ("clients", 19),
    "Y": ("work", 14),
    "X": ("speed", 10),
}
"""Letter of the ids, what they are about, and how many there are."""
IDS = tuple(f"{letter}{number:02}" for letter, (_, count) in GROUPS.items() for number in range(1, count + 1))
BEGIN, END = "<!-- begin of the table that `make table` writes -->\n", "<!-- end of the table -->\n"
ID = re.compile(r"[TCIRSNUVDKWPQYX]\d\d")
CASE = re.compile(r"\d+[a-z]?")


def ids_of(name: str) -> list[str]:
    """Return the ids that the name of a test begins with; what follows them may be numbers of cases."""
    found = []
    for word in name.removeprefix("test_").split("_"):
        if ID.fullmatch(word):
            found.append(word)
        elif not CASE.fullmatch(word):
            break
    return found


def tests_in(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield file and name of every test."""
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield path, node.name


def files_by_id(folder: Path) -> dict[str, list[str]]:
    """Return the files with a test of each id, named from *folder*."""
    found: dict[str, set[str]] = {identifier: set() for identifier in IDS}
    for path, name in tests_in(folder):
        for identifier in ids_of(name):
            found.setdefault(identifier, set()).add(path.relative_to(folder).with_suffix("").as_posix())
    return {identifier: sorted(files) for identifier, files in found.items()}


def unknown(found: dict[str, list[str]]) -> list[str]:
    """Return ids in names of tests that the list does not have."""
    return sorted(found.keys() - set(IDS))


def missing(found: dict[str, list[str]]) -> list[str]:
    """Return the ids without a test."""
    return [identifier for identifier in IDS if not found[identifier]]


def table(found: dict[str, list[str]]) -> str:
    """Return the table, ids with the same files in one row."""
    lines = ["| about | id | files in `tests/` |", "|---|---|---|"]
    for letter, (about, _) in GROUPS.items():
        by_files: dict[tuple[str, ...], list[str]] = {}
        for identifier in (one for one in IDS if one.startswith(letter)):
            by_files.setdefault(tuple(found[identifier]), []).append(identifier)
        lines += [
            f"| {about} | {' '.join(identifiers)} | {', '.join(f'`{file}`' for file in files) or 'none'} |"
            for files, identifiers in by_files.items()
        ]
    return "\n".join(lines) + "\n"


def with_table(text: str, new: str, begin: str = BEGIN, end: str = END) -> str:
    """Return a page's *text* with the *new* table. Raises ValueError without its marks."""
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    if begin not in text or end not in rest:
        raise ValueError(f"the page lacks the lines {begin.strip()} and {end.strip()}")
    return before + begin + new + end + after


def main() -> int:
    """Write the table and say which ids have no test."""
    found = files_by_id(ROOT / "tests")
    PAGE.write_text(with_table(PAGE.read_text(), table(found)))
    print(f"without a test: {', '.join(missing(found)) or 'none'}")
    if strange := unknown(found):
        print(f"not in the list: {', '.join(strange)}")
    return 1 if strange else 0


if __name__ == "__main__":
    sys.exit(main())
