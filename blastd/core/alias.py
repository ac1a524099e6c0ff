"""How a database is restricted without a copy, and what a proposing search asks: pure rules.

An alias database of the same name holds, per volume, a mask of positions (OIDLIST), and states the numbers of the whole
database (NSEQ, LENGTH, STATS_NSEQ, STATS_TOTLEN), so that every statistic of a search on it is that of the whole.
Neither -dbsize nor -searchsp is needed, and the user's own stay as they are.

A shard's search only *proposes* subjects: it leaves out the filters that drop hits after the preliminary list was cut,
keeps more subjects and takes a weaker e-value, so that every subject of the unsplit run's preliminary list comes out
of some shard. The *finish* runs the user's own options on the union.

Filters by id or taxonomy become sets of positions, with the statistics that BLAST+ uses for them (`select`).

A `Restriction` is data that can travel to another machine: file texts, where `{volume 3}` stands for the path of volume
3, and masks as ranges. `results/reformat.py` writes it out.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

import msgspec

from blastd.core.plan import SELECT, Options

Ranges = tuple[tuple[int, int], ...]
"""Positions as ascending half-open ranges."""

# Options that drop hits after the preliminary list was cut: a proposing search leaves them out.
LATE_FILTERS = ("perc_identity", "qcov_hsp_perc", "max_hsps", "subject_besthit")
DEFAULT_TARGETS = 500
DEFAULT_EVALUE = {"blastn-short": "1000", "blastp-short": "20000"}
# Programs that adjust scores by composition choose up to this many subjects first, by plain scores.
COMPOSITION_TARGETS = 1200
COMPOSITION_PROGRAMS = ("blastp", "blastx", "tblastn")
SUFFIX = {"nucl": ".nal", "prot": ".pal"}
# Names of our files in an alias folder: none that a database would have.
PART = "blastd-volume-{}"


class AliasVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume: its path without suffix, and how many sequences it holds."""

    path: str
    sequences: int


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """One database as -db names it; `volumes` are indexes into the layout's volumes."""

    name: str
    title: str
    sequences: int
    letters: int
    volumes: tuple[int, ...]


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """The databases of a search together: volumes in the order of positions."""

    molecule: str
    argument: str
    """The value of -db."""
    databases: tuple[Named, ...]
    volumes: tuple[AliasVolume, ...]
    has_ids: bool
    """Whether every sequence has an id by which blastdbcmd finds it."""

    @property
    def sequences(self) -> int:
        """Return how many sequences all databases have."""
        return sum(database.sequences for database in self.databases)

    @property
    def letters(self) -> int:
        """Return how many letters all databases have."""
        return sum(database.letters for database in self.databases)

    @property
    def addressable(self) -> bool:
        """Tell whether every position of the volumes belongs to a database, once."""
        owned = sorted(index for database in self.databases for index in database.volumes)
        whole = sum(volume.sequences for volume in self.volumes) == self.sequences
        return whole and self.sequences > 0 and owned == list(range(len(self.volumes)))


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What an alias says of a database, whatever it holds. `shortest` is stated for selections only."""

    sequences: int
    letters: int
    counted_sequences: int
    counted_letters: int
    shortest: int | None = None

    def lines(self) -> str:
        """Return the lines of the alias file."""
        text = (
            f"NSEQ {self.sequences}\nLENGTH {self.letters}\n"
            f"STATS_NSEQ {self.counted_sequences}\nSTATS_TOTLEN {self.counted_letters}\n"
        )
        return text if self.shortest is None else f"{text}MIN_SEQ_LENGTH {self.shortest}\n"


class Mask(msgspec.Struct, frozen=True, kw_only=True):
    """A mask file: `count` positions of which those in `ranges` are kept."""

    name: str
    count: int
    ranges: Ranges


class Restriction(msgspec.Struct, frozen=True, kw_only=True):
    """Files that make an alias folder. In `texts`, `{volume N}` stands for the path of volume N."""

    argument: str
    texts: tuple[tuple[str, str], ...]
    masks: tuple[Mask, ...]


def ranges(positions: Iterable[int]) -> Ranges:
    """Return *positions*, in any order, as ascending half-open ranges."""
    found: list[tuple[int, int]] = []
    for position in sorted(set(positions)):
        if found and found[-1][1] == position:
            found[-1] = (found[-1][0], position + 1)
        else:
            found.append((position, position + 1))
    return tuple(found)


def size(kept: Ranges) -> int:
    """Return how many positions *kept* holds."""
    return sum(end - start for start, end in kept)


def even_cuts(sequences: int, shards: int, before: Callable[[int], int]) -> tuple[int, ...]:
    """Return the positions at which *shards* of about the same letters begin, and the end of the last; none is empty.

    *before* tells the letters, or what is in proportion to them, of all sequences before a position, which ascends.
    """
    total, found = before(sequences), [0]
    for number in range(1, shards):
        wanted = total * number / shards
        low, high = found[-1] + 1, sequences - (shards - number)  # each shard has a sequence
        at = bisect_left(range(high + 1), wanted, lo=low, hi=high, key=before)
        nearer_before = at > low and wanted - before(at - 1) < before(at) - wanted
        found.append(at - 1 if nearer_before else at)
    return (*found, sequences)


def shard(cuts: Sequence[int], index: int) -> Ranges:
    """Return the positions of the *index*-th of the shards that *cuts* tell."""
    return ((cuts[index], cuts[index + 1]),)


def mask_bytes(mask: Mask) -> bytes:
    """Return the content of a mask file: the last position, big-endian, then one bit a position, first in bit 7."""
    bits = bytearray((mask.count + 31) // 32 * 4)
    for start, end in mask.ranges:
        at, end_at = (start + 7) // 8 * 8, end // 8 * 8
        if at >= end_at:
            for position in range(start, end):
                bits[position >> 3] |= 0x80 >> (position & 7)
            continue
        for position in (*range(start, at), *range(end_at, end)):
            bits[position >> 3] |= 0x80 >> (position & 7)
        bits[at >> 3 : end_at >> 3] = b"\xff" * ((end_at - at) >> 3)
    return max(mask.count - 1, 0).to_bytes(4, "big") + bytes(bits)


def whole(database: Named) -> Statistics:
    """Return the statistics of a database as it is."""
    return Statistics(
        sequences=database.sequences,
        letters=database.letters,
        counted_sequences=database.sequences,
        counted_letters=database.letters,
    )


def restrict(layout: Layout, kept: Ranges, statistics: Statistics | None = None) -> Restriction:
    """Return the files of an alias that holds only *kept*. *statistics* replaces those of the (one) database."""
    suffix = SUFFIX[layout.molecule]
    texts: list[tuple[str, str]] = []
    masks: list[Mask] = []
    start = 0
    for index, volume in enumerate(layout.volumes):
        name = PART.format(index)
        inside = tuple(
            (max(first - start, 0), min(last - start, volume.sequences))
            for first, last in kept
            if first < start + volume.sequences and last > start
        )
        masks.append(Mask(name=f"{name}.msk", count=volume.sequences, ranges=inside))
        texts.append((f"{name}{suffix}", f'TITLE {name}\nDBLIST "{{volume {index}}}"\nOIDLIST {name}.msk\n'))
        start += volume.sequences
    for database in layout.databases:
        parts = " ".join(PART.format(index) for index in database.volumes)
        said = statistics if statistics is not None and len(layout.databases) == 1 else whole(database)
        texts.append((f"{database.name}{suffix}", f"TITLE {database.title}\nDBLIST {parts}\n{said.lines()}"))
    return Restriction(argument=layout.argument, texts=tuple(texts), masks=tuple(masks))


def placed(text: str, layout: Layout) -> str:
    """Return an alias text with the paths of the layout's volumes."""
    for index, volume in enumerate(layout.volumes):
        text = text.replace(f"{{volume {index}}}", volume.path)
    return text


def selecting(options: Options) -> dict[str, str | bool | tuple[str, ...]]:
    """Return those of *options* that select sequences of the database."""
    return {name: value for name, value in options.items() if name in SELECT}


def unfiltered(options: Options) -> dict[str, str | bool | tuple[str, ...]]:
    """Return *options* without those that select sequences of the database."""
    return {name: value for name, value in options.items() if name not in SELECT}


def targets(options: Options) -> int:
    """Return how many subjects the user keeps for each query."""
    return int(str(options.get("max_target_seqs", DEFAULT_TARGETS)))


def wide(program: str, task: str | None, options: Options) -> dict[str, str | bool | tuple[str, ...]]:
    """Return the options of a proposing search: every subject of the unsplit preliminary list should come out of it.

    BLAST+ keeps up to 2N + 50 subjects first (1050 for N up to 500 where composition adjusts scores, chosen by plain
    scores, so the proposing search uses plain scores, too).
    """
    found = {name: value for name, value in unfiltered(options).items() if name not in LATE_FILTERS}
    evalue = str(found.pop("evalue", None) or DEFAULT_EVALUE.get(task or "", "10"))
    found.pop("num_descriptions", None)
    found.pop("num_alignments", None)
    count = 4 * targets(options) + 200
    if program in COMPOSITION_PROGRAMS and not options.get("ungapped"):
        composition = str(found.pop("comp_based_stats", "2"))
        found.pop("use_sw_tback", None)
        if composition not in ("0", "F", "f"):
            count = max(COMPOSITION_TARGETS, count)
        found.setdefault("xdrop_gap_final", str(found.get("xdrop_gap", "15")))
        found["comp_based_stats"] = "0"
    return found | {"max_target_seqs": str(count), "evalue": f"{float(evalue) * 10:g}"}


def asks_again(program: str, options: Options) -> bool:
    """Tell whether a query whose proposals are cut must be asked again without limit.

    A gapped nucleotide search chooses its preliminary list by scores that no option makes visible.
    """
    return program == "blastn" and not options.get("ungapped")
