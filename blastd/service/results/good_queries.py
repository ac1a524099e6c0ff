"""Which queries of a result have a good hit, kept for a while: a table that is sorted, filtered and turned asks each time."""

import asyncio
from collections import OrderedDict
from pathlib import Path
from weakref import WeakValueDictionary

from blastd.aio import by_size
from blastd.core.verdict import GoodHit
from blastd.results import query_rows

KEPT_NUMBERS = 2_000_000
"""Numbers of queries in all that is kept: some 100 MB at most, where a result alone has a million queries."""

Kept = tuple[Path, GoodHit]
"""An index of hits, which never changes under its name, and from where on a hit is good."""


class GoodQueries:
    """Remembers the good queries of the indices that were asked of last."""

    def __init__(self, most: int = KEPT_NUMBERS) -> None:
        """Begin with none; *most* is how many numbers are kept at most beside the result that was asked of last."""
        self._most = most
        self._kept: OrderedDict[Kept, frozenset[int]] = OrderedDict()
        self._locks: WeakValueDictionary[Kept, asyncio.Lock] = WeakValueDictionary()

    async def of(self, index: Path, rule: GoodHit, stored_bytes: int) -> frozenset[int]:
        """Return the numbers of the queries that have a good hit, found once however many ask at the same time."""
        key = (index, rule)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            found = self._kept.get(key)
            if found is None:
                found = await by_size(stored_bytes, query_rows.good_queries, index, rule)
                self._kept[key] = found
                while len(self._kept) > 1 and sum(1 + len(one) for one in self._kept.values()) > self._most:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return found
