"""Which texts a request may hold: what no surface, file name, child process or row could carry is refused at the door.

A text of one line (title, name, id, word of an option) has neither control characters nor half letters, and an end. Texts
of many lines are FASTA: their reader says what is wrong by record and line, so only what is no text at all is refused here.
"""

import re
from collections.abc import Iterator, Sequence

BLOCKS = frozenset({"query", "subject"})
"""Fields with text of many lines, as long as the body may be."""
LINE_LETTERS = 10_000
"""Longer than any title, name or address; each field with a meaning of its own has its own, lower limit."""
OPTION_LETTERS = 500_000
"""A list of ids or taxa in one text, separated by commas."""
DEPTH, MOST_FAULTS, SHOWN = 8, 20, 80
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
HALF = re.compile("[\ud800-\udfff]")
"""Letters that no UTF-8 has: a surrogate alone, or a byte that was kept as one."""
NAMES = {"\0": "a NUL", "\n": "a line end", "\r": "a line end", "\t": "a tab"}


def text_faults(name: str, value: object) -> list[tuple[tuple[str | int, ...], str]]:
    """Return what is wrong with the texts in *value*, which was sent as *name*: where below it, and a sentence.

    The first few of them: a hundred thousand ids are looked through in one go, and one by one only up to a bad one.
    """
    most = None if name in BLOCKS else OPTION_LETTERS if name == "options" else LINE_LETTERS
    found = []
    for at, text in _suspects(value, (), most, DEPTH):
        wrong = text_fault(text, most)
        if wrong is not None:
            said = at[-1] if at and isinstance(at[-1], str) else name
            found.append((at, f"{said[:SHOWN]!r} {wrong}"))
        if len(found) == MOST_FAULTS:
            break
    return found


def text_fault(text: str, most: int | None = LINE_LETTERS) -> str | None:
    """Return what is wrong with a text, as the end of a sentence; *most* letters of one line, or None for many lines."""
    if HALF.search(text) is not None:
        return None if most is None else "is no UTF-8 text."
    if most is None:
        return None
    if len(text) > most:
        return f"has {len(text):,} letters; up to {most:,} are taken."
    control = CONTROL.search(text)
    if control is None:
        return None
    said = NAMES.get(control[0], f"the control character U+{ord(control[0]):04X}")
    return f"holds {said} (letter {control.start() + 1}); it is one line of plain text."


def _suspects(
    value: object, at: tuple[str | int, ...], most: int | None, depth: int
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the texts in *value* that may be wrong, with their places."""
    if isinstance(value, str):
        yield at, value
        return
    if not depth or not isinstance(value, (dict, list, tuple)):
        return
    inner = list(value.items() if isinstance(value, dict) else enumerate(value))
    texts = [each for _, each in inner if isinstance(each, str)]
    names = [each for each in value if isinstance(each, str)] if isinstance(value, dict) else []
    if not _clean(names, LINE_LETTERS):
        yield from ((("name",), name) for name in names)
    if not _clean(texts, most):
        yield from (((*at, place), each) for place, each in inner if isinstance(each, str))
    for place, each in inner:
        if isinstance(each, (dict, list)):
            yield from _suspects(each, (*at, place), most, depth - 1)


def _clean(texts: Sequence[str], most: int | None) -> bool:
    """Tell whether none of *texts* is wrong, looking at all of them as one."""
    longest = max(map(len, texts), default=0)
    whole = "".join(texts)
    return (most is None or longest <= most) and text_fault(whole, None if most is None else len(whole)) is None
