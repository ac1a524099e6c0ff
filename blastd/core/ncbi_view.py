"""How a Get of the NCBI URL API wants its result, and what of it a Put may say for later. Pure.

Source: NCBI, "BLAST URL API" (https://blast.ncbi.nlm.nih.gov/doc/blast-help/urlapi.html). What only shapes a report may be
given with the search and is remembered; a Get that gives it, too, wins.
"""

import re
from collections.abc import Collection, Mapping

from blastd.core.fewer_subjects import Most
from blastd.core.model import Frozen

REMEMBERED = ("FORMAT_TYPE", "ALIGNMENT_VIEW", "DESCRIPTIONS", "ALIGNMENTS", "NCBI_GI")
"""FORMAT_OBJECT is not among them: a client that asks whether a search is READY says so itself."""
STANDARD = "HTML"
TEXTS = frozenset({"TEXT", "HTML"})
"""Formats that ALIGNMENT_VIEW and NCBI_GI shape; those for programs are always the same."""
VIEWS = {
    "": "pairwise",
    "pairwise": "pairwise",
    "queryanchored": "anchored",
    "queryanchorednoidentities": "anchored_letters",
    "flatqueryanchored": "flat",
    "flatqueryanchorednoidentities": "flat_letters",
    "tabular": "commented",
}
OBJECTS = frozenset({"", "alignment"})
"""Of FORMAT_OBJECT; SearchInfo is answered before."""
YES = frozenset({"on", "yes", "true", "t", "1", "checked"})
NO = frozenset({"off", "no", "false", "f", "0", "", "unchecked"})
EMPTY = frozenset({"", "(none)", "none", "null", "0", "off", "no", "false"})


class View(Frozen, frozen=True, kw_only=True):
    """What a Get shows: FORMAT_TYPE in upper case, our name of the text format if it is text, how much, and GIs or not."""

    kind: str
    text: str
    most: Most
    gis: bool


def remembered(given: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a Put that later Gets go by."""
    return {name: given[name].strip() for name in REMEMBERED if given.get(name, "").strip()}


def view(
    given: Mapping[str, str], kinds: Collection[str], kept: Mapping[str, str] | None = None
) -> tuple[View, list[str]]:
    """Return what the parameters of a Get ask for, over what its Put said (*kept*), and every fault.

    *kinds* are the values of FORMAT_TYPE that are offered.
    """
    faults: list[str] = []
    merged = {**(kept or {}), **{name: value for name, value in given.items() if value.strip()}}

    def word(name: str) -> str:
        return merged.get(name, "").strip()

    kind = word("FORMAT_TYPE").upper() or STANDARD
    if kind not in kinds:
        faults.append(f"FORMAT_TYPE {kind[:40]!r} is not offered here: choose one of {', '.join(kinds)}.")
    text = VIEWS.get(word("ALIGNMENT_VIEW").lower())
    if text is None:
        faults.append(
            f"ALIGNMENT_VIEW {word('ALIGNMENT_VIEW')[:40]!r} is not offered here: choose Pairwise, QueryAnchored, "
            "QueryAnchoredNoIdentities, FlatQueryAnchored, FlatQueryAnchoredNoIdentities or Tabular."
        )
    gis = word("NCBI_GI").lower()
    if gis not in YES | NO:
        faults.append(f"NCBI_GI {gis[:40]!r} is neither T nor F.")
    thing = word("FORMAT_OBJECT").lower()
    if thing not in OBJECTS:
        faults.append(f"FORMAT_OBJECT {thing[:40]!r} is not offered here: ask for Alignment or SearchInfo.")
    most = _most(merged, faults)
    return View(kind=kind, text=text or "", most=most, gis=gis in YES), faults


def _most(given: Mapping[str, str], faults: list[str]) -> Most:
    """Return how many subjects are shown. HITLIST_SIZE 0 is NCBI's own default: all that is kept."""
    numbers: dict[str, int | None] = {}
    for name in ("DESCRIPTIONS", "ALIGNMENTS", "HITLIST_SIZE"):
        text = given.get(name, "").strip()
        numbers[name] = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
        if text and numbers[name] is None:
            faults.append(f"{name} {text[:40]!r} is not a number of subjects.")
    return Most(
        descriptions=numbers["DESCRIPTIONS"],
        alignments=numbers["ALIGNMENTS"],
        hits=numbers["HITLIST_SIZE"] or None,
    )
