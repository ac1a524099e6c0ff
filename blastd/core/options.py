"""The options of a BLAST+ program, read from what the program says of itself, and the check of one value. Pure.

The source of truth is the installed BLAST+: a newer one brings its own options, ranges and defaults. `-xmlhelp` has
names, types, limits and conflicts; only `-help` has the names of the groups. Limits that BLAST+ applies without telling
them are in `NARROWED`, each as it was seen with 2.12.
"""

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from blastd.core.model import Frozen
from blastd.core.near import near

Value = str | bool | tuple[str, ...]

NS = "{ncbi:application}"
KINDS = {"Real": "number", "Integer": "integer", "Int8": "integer", "Boolean": "boolean"}
HIGHEST = {"Integer": 2**31 - 1, "Int8": 2**63 - 1}
"""BLAST+ refuses larger ones: "Integer value is out of range"."""
LISTS = frozenset({"seqidlist", "negative_seqidlist", "taxids", "negative_taxids"})
"""Offered by value, never as the name of a file."""
MATRICES = ("BLOSUM45", "BLOSUM50", "BLOSUM62", "BLOSUM80", "BLOSUM90", "PAM30", "PAM70", "PAM250", "IDENTITY")
NARROWED: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("", "evalue"): {"minimum": 0, "exclusive_minimum": True},
    ("", "dbsize"): {"minimum": 0},  # a negative one is taken, and means nothing
    ("", "gapopen"): {"minimum": 0},
    ("", "gapextend"): {"minimum": 0},
    ("", "penalty"): {"exclusive_maximum": True},  # "BLASTN penalty must be negative"
    ("", "matrix"): {"kind": "choice", "choices": MATRICES},
    # Any other text is read as one of these: "4" runs, with other rows.
    ("", "comp_based_stats"): {"kind": "choice", "choices": ("D", "d", "0", "F", "f", "1", "2", "T", "t", "3")},
    ("", "dust"): {"form": "yes, no, or three numbers 'level window linker' like '20 64 1'"},
    ("", "seg"): {"form": "yes, no, or three numbers 'window locut hicut' like '12 2.2 2.5'"},
    ("", "db_soft_mask"): {"form": "the id of a masking of the database, like 11"},
    ("", "db_hard_mask"): {"form": "the id of a masking of the database, like 11"},
    ("blastp", "word_size"): {"maximum": 7},  # "Word-size must be less than 8"
    ("blastx", "word_size"): {"maximum": 7},
    ("tblastn", "word_size"): {"maximum": 7},
    ("rpsblast", "comp_based_stats"): {"kind": "choice", "choices": ("D", "d", "0", "F", "f", "1", "T", "t")},
    ("rpstblastn", "comp_based_stats"): {"kind": "choice", "choices": ("D", "d", "0", "F", "f", "1", "T", "t")},
    ("psiblast", "word_size"): {"maximum": 7},
    ("deltablast", "word_size"): {"maximum": 7},
    ("", "rpsdb"): {"form": "the name of a database of domains"},
    ("tblastx", "word_size"): {"maximum": 5},  # "Word-size must be less than 6"
}
"""What BLAST+ demands without saying so in its help, by (program, or empty for all; option)."""

DEFAULT = re.compile(r"\s*Default = (?:`([^']*)'|'([^']*)'|([^\s(]+))(?: \(([^()]+) for ([\w-]+)\))?")
"""How a help tells a default: `10' up to 2.12; 10 (1000 for blastn-short), or '20 64 1' ('no' for blastn-short), in 2.16."""
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"[+-]?[0-9]+")
PLAIN = r"[0-9]+(?:\.[0-9]+)?"
FORMS = {
    "dust": re.compile(rf"yes|no|{PLAIN} {PLAIN} {PLAIN}"),
    "seg": re.compile(rf"yes|no|{PLAIN} {PLAIN} {PLAIN}"),
    "db_soft_mask": re.compile(r"[0-9A-Za-z_]{1,40}"),
    "db_hard_mask": re.compile(r"[0-9A-Za-z_]{1,40}"),
}
NUMBER_LETTERS = 40  # more digits than a double or a 64-bit integer can tell apart
LIST_ITEMS = 100_000
LIST_LETTERS = 2_000_000
"""Of all ids of one list: it is read with each row of the job."""
ITEM = re.compile(r"[\x21-\x22\x24-\x7e][\x21-\x7e]{0,199}")  # a line that begins with # is a comment in a list file
TAXID = re.compile(r"[1-9][0-9]{0,9}")
TEXT = re.compile(r"[\x21-\x2c\x2e-\x3f\x41-\x7e][\x20-\x7e]{0,199}")  # not - or @ at the front
TRUE_WORDS = frozenset({"true", "t", "yes", "y", "1"})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "0"})
TEXT_LETTERS = 1000
SHOWN = 60  # letters of a wrong value that an answer repeats


class Option(Frozen, frozen=True, kw_only=True):
    """An option as it is offered; `kind` is integer, number, boolean, flag, choice, text, list or file (not offered).

    `default` is that of the program; tasks have their own beside it, of which the help tells those `by_task`. `form` says in words what a text must look like.
    """

    name: str
    kind: str
    help: str
    group: str
    default: str | None = None
    by_task: Mapping[str, str] = {}
    minimum: int | float | None = None
    maximum: int | float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    choices: tuple[str, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    form: str | None = None
    excludes: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """Return what the option takes, in words."""
        if self.form is not None:
            return self.form
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.ranges:
            return "one of " + ", ".join(f"{low}-{high}" if low != high else str(low) for low, high in self.ranges)
        noun = {"integer": "a whole number", "number": "a finite decimal number", "list": "a list of ids"}
        if self.kind in ("boolean", "flag"):
            return "true or false"
        limits = []
        if self.minimum is not None:
            limits.append(f"{'greater than' if self.exclusive_minimum else 'at least'} {self.minimum}")
        if self.maximum is not None:
            limits.append(f"{'less than' if self.exclusive_maximum else 'at most'} {self.maximum}")
        said = noun.get(self.kind, "a text of printable ASCII that begins with neither '-' nor '@'")
        return said + (" " + " and ".join(limits) if limits else "")


# ---------------------------------------------------------------- what a program says of itself


def read_help(xml: str, text: str = "", program: str = "") -> dict[str, Option]:
    """Return every option of *program* from its `-xmlhelp`, with groups from its `-help` *text*.

    Raises ValueError when *xml* is not such a document.
    """
    try:
        root = ET.fromstring(xml)  # noqa: S314  # written by the program that we run, not by a user
    except ET.ParseError as error:
        raise ValueError(f"-xmlhelp is not well-formed: {error}") from error
    groups, excludes, requires = (
        _groups(text),
        _pairs(root, "first_excludes_second"),
        _pairs(root, "first_requires_second"),
    )
    found = {}
    for node in root.iter():
        name = node.get("name")
        if node.tag in (f"{NS}key", f"{NS}flag") and name:
            facts = {**_facts(node, name), **NARROWED.get(("", name), {}), **NARROWED.get((program, name), {})}
            found[name] = Option(
                name=name,
                group=groups.get(name, ""),
                excludes=excludes.get(name, ()),
                requires=requires.get(name, ()),
                **facts,
            )
    if not found:
        raise ValueError("-xmlhelp names no option")
    return found


def _groups(text: str) -> dict[str, str]:
    """Return the heading above each option in `-help`: ` *** General search options`, then ` -evalue <Real>`."""
    found, heading = {}, ""
    for line in text.splitlines():
        if line.startswith(" *** "):
            heading = line[5:].strip()
        elif match := re.match(r" -([a-z_]+)\b", line):
            found[match[1]] = heading
    return found


def _pairs(root: ET.Element, tag: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for pair in root.iter(f"{NS}{tag}"):
        first, second = pair.findtext(f"{NS}arg1") or "", pair.findtext(f"{NS}arg2") or ""
        found.setdefault(first, []).append(second)
    return {name: tuple(others) for name, others in found.items()}


def _facts(node: ET.Element, name: str) -> dict[str, Any]:
    told, words = node.get("type") or "", node.findtext(f"{NS}synopsis") or ""
    limits: dict[str, Any] = {}
    for part in node.iter(f"{NS}constraint"):
        limits |= _limits((part.findtext(f"{NS}description") or "").strip())
    kind = KINDS.get(told, "text")
    if node.tag == f"{NS}flag":
        kind = "flag"
    elif name in LISTS:
        kind, limits = "list", {}
    elif told.startswith("File") or words == "filename":
        kind = "file"
    elif kind == "text" and limits.get("choices"):
        kind = "choice"
    if told in HIGHEST and not limits.get("choices") and not limits.get("ranges"):
        limits.setdefault("maximum", HIGHEST[told])
    text = " ".join((node.findtext(f"{NS}description") or "").split())
    said = DEFAULT.search(text)
    default = node.findtext(f"{NS}default")
    if default is None and said is not None:
        default = next(value for value in said.group(1, 2, 3) if value is not None)
    by_task = {said[5]: said[4].strip("'`")} if said is not None and said[5] else {}
    help_text = DEFAULT.sub("", text).strip()
    return {"kind": kind, "help": help_text, "default": default, "by_task": by_task, **limits}


def _limits(text: str) -> dict[str, Any]:
    """Read a constraint's words: `>=4`, `0..100`, `(>0 and <0.5)`, quoted choices, `values between: 1-6, 9-16`."""
    if quoted := re.findall(r"[`']([^`']+)'", text):
        return {"choices": tuple(quoted)}
    if "between" in text:
        parts = re.findall(r"([0-9]+)(?:-([0-9]+))?", text.split(":", 1)[-1])
        return {"ranges": tuple((int(low), int(high or low)) for low, high in parts)}
    if span := re.fullmatch(r"(-?[0-9.]+?)\.\.(-?[0-9.]+)", text):
        return {"minimum": _plain(span[1]), "maximum": _plain(span[2])}
    values: dict[str, Any] = {}
    for sign, number in re.findall(r"([<>=]{1,2})\s*(-?[0-9]+(?:\.[0-9]+)?)", text):
        side = "minimum" if ">" in sign else "maximum"
        values[side] = _plain(number)
        values[f"exclusive_{side}"] = "=" not in sign
    return values


def _plain(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


# ---------------------------------------------------------------- one value


def check_value(option: Option, value: object) -> tuple[Value | None, str | None]:
    """Return the normalised value, or None and what is wrong with it.

    Numbers stay the text that was given (JSON numbers in their shortest form), so that BLAST+ sees what the user wrote.
    Flags become True or False, other booleans the text true or false.
    """
    match option.kind:
        case "flag" | "boolean":
            good = _boolean(value)
            if good is None:
                return None, _wrong(option, value)
            return (good if option.kind == "flag" else str(good).lower()), None
        case "integer" | "number":
            return _number(option, value)
        case "list":
            return _list(option, value)
    return _text(option, value)


def _wrong(option: Option, value: object) -> str:
    return f"{option.name} {_shown(value)} is not {option.allowed}."


def _shown(value: object) -> str:
    """Return the beginning of a wrong value, whatever its size and depth."""
    if isinstance(value, Mapping):
        return "{...}"
    if isinstance(value, list | tuple):
        return "[...]"
    text = value if isinstance(value, str) else str(value)
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")


def _boolean(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def _number(option: Option, value: object) -> tuple[str | None, str | None]:
    fault = _wrong(option, value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None, fault
    text = value.strip(" ") if isinstance(value, str) else repr(value)
    pattern = INTEGER if option.kind == "integer" else NUMBER
    if len(text) > NUMBER_LETTERS or not pattern.fullmatch(text):
        return None, fault
    number = int(text) if option.kind == "integer" else float(text)
    return (text, None) if math.isfinite(number) and _within(option, number) else (None, fault)


def _within(option: Option, number: int | float) -> bool:
    if option.ranges:
        return any(low <= number <= high for low, high in option.ranges)
    if option.choices:
        return str(number) in option.choices
    low, high = option.minimum, option.maximum
    if low is not None and (number < low or (option.exclusive_minimum and number == low)):
        return False
    return not (high is not None and (number > high or (option.exclusive_maximum and number == high)))


def _text(option: Option, value: object) -> tuple[str | None, str | None]:
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None, _wrong(option, value)
    text = str(value).strip(" ")
    if len(text) > TEXT_LETTERS:
        return None, _wrong(option, value)
    if option.choices:
        if option.name == "matrix":
            text = text.upper()  # as BLAST+ does
        return (text, None) if text in option.choices else (None, _wrong(option, value) + near(text, option.choices))
    form = FORMS.get(option.name, TEXT)
    if option.name in ("dust", "seg"):
        text = " ".join(text.split(" "))
    return (text, None) if form.fullmatch(text) else (None, _wrong(option, value))


def _list(option: Option, value: object) -> tuple[tuple[str, ...] | None, str | None]:
    if isinstance(value, str):
        items = value.split(",")
    elif isinstance(value, int) and not isinstance(value, bool):
        items = [str(value)]
    elif isinstance(value, list | tuple) and all(isinstance(part, str | int) and part is not True for part in value):
        items = [str(part) for part in value]
    else:
        return None, _wrong(option, value)
    items = list(dict.fromkeys(stripped for item in items if (stripped := item.strip(" "))))
    if not items or len(items) > LIST_ITEMS:
        return None, f"{option.name} takes between 1 and {LIST_ITEMS:,} ids, not {len(items):,}."
    if sum(map(len, items)) > LIST_LETTERS:
        return None, f"{option.name} takes ids of up to {LIST_LETTERS:,} letters together."
    if option.name.endswith("taxids"):
        bad = [item for item in items if not TAXID.fullmatch(item) or int(item) > HIGHEST["Integer"]]
        what = "taxonomy ids are whole numbers, separated by commas"
    else:
        bad = [item for item in items if not ITEM.fullmatch(item)]
        what = "sequence ids are up to 200 letters of ASCII without blanks, and don't begin with #"
    if bad:
        return None, f"{option.name} {bad[0][:SHOWN]!r} is not an id: {what}."
    return tuple(items), None
