"""Limits by organism as the NCBI URL API and NCBI's own form have them. Pure.

ENTREZ_QUERY and EQ_TEXT hold terms like `txid562[ORGN]`, joined by OR and NOT, also `all[filter] NOT txid9606[ORGN]`: what
else Entrez can do needs NCBI's Entrez, and is refused. EQ_MENU (and EQ_MENU1, …) is a name or id of the form's list, which
EQ_OP=NOT or ORG_EXCLUDE leaves out.
"""

import re
from collections.abc import Mapping

from blastd.core.model import Frozen
from blastd.core.ncbi_parameters import asks_nothing
from blastd.core.ncbi_view import YES

TOKEN = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\))|(?P<word>OR|NOT|AND\s+NOT)\b|(?P<all>all\s*\[filter\])"
    r"|txid(?P<taxid>[1-9][0-9]{0,9})\s*\[(?:orgn|organism)(?::exp)?\])\s*",
    re.IGNORECASE,
)
FIELD = re.compile(r"EQ_MENU([0-9]{0,3})")
QUERIES = ("ENTREZ_QUERY", "EQ_TEXT")
FORM = "like 'txid562[ORGN] OR txid9606[ORGN] NOT txid83333[ORGN]'; for anything else NCBI's Entrez is needed"


class Organisms(Frozen, frozen=True, kw_only=True):
    """What a search is limited to, and what it leaves out, as names or ids."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


def organisms(given: Mapping[str, str], faults: list[str]) -> Organisms:
    """Return the limits of a Put, whose names are in upper case; adds to *faults*."""
    include, exclude = list[str](), list[str]()
    given = {name: value for name, value in given.items() if not asks_nothing(value)}
    for name in QUERIES:
        if text := given.get(name, ""):
            found = entrez(text)
            if found is None:
                faults.append(f"{name} {text[:60]!r} is not offered here: limits by organism are, {FORM}.")
            else:
                include += found.include
                exclude += found.exclude
    word = given.get("EQ_OP", "").strip().upper()
    if word not in ("", "AND", "OR", "NOT"):
        faults.append(f"EQ_OP {word[:20]!r} is none of AND, OR and NOT.")
    for name, value in given.items():
        field = FIELD.fullmatch(name)
        if field is None:
            continue
        if (not field[1] and word == "NOT") or given.get(f"ORG_EXCLUDE{field[1]}", "").strip().lower() in YES:
            exclude.append(value)
        elif include and not field[1] and word != "OR":
            faults.append(
                f"{name} with {' or '.join(QUERIES)} is what both hold, which is not offered here: say EQ_OP=OR."
            )
        else:
            include.append(value)
    return Organisms(include=tuple(dict.fromkeys(include)), exclude=tuple(dict.fromkeys(exclude)))


def entrez(text: str) -> Organisms | None:
    """Return the limits of an Entrez query of nothing but organisms, None for any other.

    Entrez reads from left to right, so that an OR behind a NOT would add to what is left; that is no limit BLAST+ knows.
    """
    tokens = _tokens(text)
    if tokens is None:
        return None
    found: dict[bool, list[str]] = {True: [], False: []}
    kept, at, first = True, 0, True
    while at < len(tokens):
        word = tokens[at]
        if word in ("OR", "NOT"):
            if (word == "OR" and (first or not kept)) or at + 1 == len(tokens):
                return None
            kept, at = kept and word == "OR", at + 1
            taken = _term(tokens, at)
        else:
            taken = _term(tokens, at) if first else None
        if taken is None or ("" in taken[0] and not (first and kept)):
            return None
        found[kept] += taken[0]
        at, first = taken[1], False
    everything = found[True] == [""]
    unfit = ("" in found[True] and not everything) or not (found[False] or (found[True] and not everything))
    return None if unfit else Organisms(include=() if everything else tuple(found[True]), exclude=tuple(found[False]))


def _tokens(text: str) -> list[str] | None:
    """Return the words, brackets and ids of *text*, "" for all; None where something else stands."""
    tokens, at = list[str](), 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.end() == at:
            return None
        if match["word"]:
            tokens.append(match["word"].upper().split()[-1])
        else:
            tokens.append("" if match["all"] else match["taxid"] or match[0].strip())
        at = match.end()
    return tokens


def _term(tokens: list[str], at: int) -> tuple[list[str], int] | None:
    """Return an id, or several in brackets joined by OR, and where it ends; None where there is none."""
    if at < len(tokens) and (tokens[at] == "" or tokens[at].isdigit()):
        return [tokens[at]], at + 1
    if at >= len(tokens) or tokens[at] != "(":
        return None
    ids = list[str]()
    while at + 2 < len(tokens) and tokens[at] in ("(", "OR") and tokens[at + 1].isdigit():
        ids.append(tokens[at + 1])
        at += 2
    return (ids, at + 1) if ids and at < len(tokens) and tokens[at] == ")" else None
