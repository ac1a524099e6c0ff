"""Databases that change: families of sequences made from a seed, of which entries are added, replaced and removed."""

import random
from pathlib import Path

from tests.databases import make

LETTERS = {"nucl": "ACGT", "prot": "ARNDCQEGHILKMFPSTWYV"}
Entries = dict[str, str]
"""Sequences by name, in the order of the database."""


def mutated(rng: random.Random, text: str, rate: float, kind: str) -> str:
    """Return *text* with each letter drawn anew at a *rate*."""
    return "".join(rng.choice(LETTERS[kind]) if rng.random() < rate else letter for letter in text)


def families(rng: random.Random, kind: str, count: int, members: int, letters: int) -> Entries:
    """Return *count* families of *members* that are more or less alike."""
    entries: Entries = {}
    for family in range(count):
        base = "".join(rng.choices(LETTERS[kind], k=letters))
        for member in range(members):
            entries[f"f{family}m{member}"] = mutated(rng, base, rng.choice((0.0, 0.03, 0.1, 0.3)), kind)
    return entries


def changed(rng: random.Random, entries: Entries, kind: str, share: float) -> Entries:
    """Return *entries* with about a *share* of them added, replaced and removed; what is new comes anywhere."""
    items = list(entries.items())
    for _ in range(max(1, int(len(items) * share))):
        action, at = rng.choice(("add", "add", "replace", "remove")), rng.randrange(len(items))
        name, text = items[at]
        if action == "add":
            new = (f"n{rng.randrange(10**9)}", mutated(rng, text, rng.choice((0.0, 0.05, 0.2)), kind))
            items.insert(rng.randrange(len(items)), new)
        elif action == "replace":
            items[at] = (name, mutated(rng, text, 0.05, kind))
        else:
            del items[at]
    return dict(items)


def build(folder: Path, name: str, entries: Entries, kind: str) -> None:
    """Make the database *name* of *entries*, in place of one that is there."""
    folder.mkdir(exist_ok=True)
    fasta = folder / f"{name}.fa"
    fasta.write_text(fasta_of(entries))
    make(folder, fasta, name, kind, "-parse_seqids", "-title", name)
    fasta.unlink()


def fasta_of(entries: Entries) -> str:
    """Return *entries* as FASTA."""
    return "".join(f">{name}\n{text}\n" for name, text in entries.items())
