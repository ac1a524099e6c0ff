"""Which options a sentence of BLAST+ means, so that who reads it is led to the fields. Pure; what went wrong is told elsewhere."""

import re
from collections.abc import Collection

SAID = (
    (re.compile(r"substitution scores? \S+ and \S+ (?:are|is) not", re.IGNORECASE), ("reward", "penalty")),
    (re.compile(r"gap existence and extension", re.IGNORECASE), ("gapopen", "gapextend")),
    (re.compile(r"\bmatrix\b", re.IGNORECASE), ("matrix",)),
    (re.compile(r"word.?size", re.IGNORECASE), ("word_size",)),
    (re.compile(r"composition.?based", re.IGNORECASE), ("comp_based_stats",)),
    (re.compile(r"e-?value|expect value", re.IGNORECASE), ("evalue",)),
)
"""What BLAST+ 2.12 to 2.17 calls options by, where it is another word than the option's name."""
ARGUMENT = re.compile(r'Argument "(\w+)"')


def meant_options(sentence: str, known: Collection[str]) -> list[str]:
    """Return the names of *known* options that a sentence means, in the order of BLAST+'s words; none for most sentences."""
    found = [(match.start(), name) for match in ARGUMENT.finditer(sentence) for name in (match[1],)]
    found += [(match.start(), name) for words, names in SAID for match in words.finditer(sentence) for name in names]
    found += [(match.start(), name) for name in known if "_" in name for match in re.finditer(rf"\b{name}\b", sentence)]
    names = dict.fromkeys(name for _, name in sorted(found, key=lambda one: one[0]))
    return [name for name in names if name in known]
