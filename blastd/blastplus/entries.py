"""Sequences of a database by their accessions, from blastdbcmd.

blastdbcmd is generous: it upper-cases, and takes ids apart. Only what is exactly called so counts here.
"""

from collections.abc import Sequence
from pathlib import Path

from blastd.aio import duty, offload
from blastd.blastplus.blastdb import BlastDatabase, quoted
from blastd.blastplus.tools import Tools
from blastd.core.model import Frozen

SECONDS = 30.0
"""One entry of a database of 100 GB takes a second on a cold disk."""


class Entry(Frozen, frozen=True, kw_only=True):
    """A sequence: accession with version, id with bars, NCBI's number if it has one, title, letters."""

    accession: str
    id: str
    gi: str
    title: str
    letters: str

    def called(self, name: str) -> bool:
        """Tell whether *name* (an accession with or without version, an id with bars, a GI) names this sequence."""
        parts = [part.casefold() for part in name.split("|") if part]
        if len(parts) > 1:
            if parts[0] == "gi":
                return parts[1] == self.gi
            if name.casefold() == self.id.casefold():
                return True
            parts = parts[1:]
        own = self.accession.casefold()
        return parts[0] in (own, own.rpartition(".")[0], self.gi)

    def fasta(self) -> str:
        """Return it as FASTA, its letters on one line."""
        return f">{self.accession} {self.title}".rstrip() + f"\n{self.letters}\n"


async def find(database: BlastDatabase, names: Sequence[str], tools: Tools, work: Path) -> dict[str, Entry]:
    """Return the sequences of *database* by those of *names* that it holds; *work* is a file name for the list.

    Raises ToolFailed at the time limit, and for more than 64 MB of sequences.
    """
    base = Path(database.path)
    await duty(work.write_text, "".join(f"{name}\n" for name in names), "utf-8", "surrogateescape")
    try:
        words = ["-db", quoted(base.name), "-dbtype", database.molecule, "-entry_batch", str(work)]
        ran = await tools.run("blastdbcmd", [*words, "-outfmt", "%s %a %i %g %t"], cwd=base.parent, seconds=SECONDS)
    finally:
        await duty(work.unlink, missing_ok=True)
    # It ends with 1 when one of them is missing; the lines are those that are there.
    text = ran.stdout.decode("utf-8", "surrogateescape")
    return await offload(_named, text, names)


def _named(text: str, names: Sequence[str]) -> dict[str, Entry]:
    found: list[Entry] = []
    for line in text.splitlines():
        letters, accession, its_id, gi, *title = line.split(" ", 4)
        found.append(Entry(accession=accession, id=its_id, gi=gi, title=" ".join(title), letters=letters))
    named = {name: next((entry for entry in found if entry.called(name)), None) for name in names}
    return {name: entry for name, entry in named.items() if entry is not None}
