"""What a BLAST+ process takes of memory beside its database, and into how many shards a database is cut so that it fits. Pure.

BLAST+ holds the queries of one round, not those of the whole file, and a query that is longer than a round at once. Measured with
2.12 (largest resident size, databases of 3 and 9 MB included): 40,000 reads of 150 letters in megablast 125 MB, a query of 5 million
letters 182 MB, 120 proteins in blastp 64 MB, blastx of 200 reads 65 MB.
"""

from blastd.core.plan import ROUND_LETTERS

BLAST_BYTES = 100 << 20
"""Code, lookup table, hit lists of a round."""
BYTES_PER_LETTER = 24
"""Of the letters that are held at once; twice what was measured, for rounds with many hits."""
BLASTN_ROUND_LETTERS = 5_000_000
"""The most that blastn puts into one round."""
MOST_SHARDS = 1000
SHARD_ROOM = 1.1
"""Shards are not cut more evenly than this."""


def process_bytes(program: str, letters: int, longest: int = 0) -> int:
    """Return what a process takes that searches queries of so many *letters*, the *longest* of so many, without its database."""
    at_once = ROUND_LETTERS.get(program, BLASTN_ROUND_LETTERS)
    return BLAST_BYTES + BYTES_PER_LETTER * max(longest, min(letters, at_once))


def shards_within(database_bytes: int, process: int, memory_bytes: int) -> int | None:
    """Return the least number of shards of which each fits into *memory_bytes* beside a process; None where none does."""
    room = memory_bytes - process
    if room <= 0:
        return None
    if database_bytes <= room:
        return 1
    shards = -(-int(database_bytes * SHARD_ROOM) // room)
    return shards if shards <= MOST_SHARDS else None
