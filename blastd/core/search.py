"""A search on its way in: what was asked for, in one shape for every surface, and what BLAST+ will be told. Pure."""

from collections.abc import Mapping
from typing import Any

from blastd.core.model import Frozen
from blastd.core.options import Value


class Search(Frozen, frozen=True, kw_only=True):
    """A search as it was asked for, nothing checked; the sequences come beside it."""

    program: str
    databases: tuple[str, ...]
    task: str | None = None
    """None: the program's default."""
    options: Mapping[str, Any] = {}
    """By BLAST+'s names, with values as they came."""
    query_loc: str | None = None
    organisms: tuple[str, ...] = ()
    """Names or taxonomy ids of any rank, to which the search is limited; empty: it is not."""
    exclude_organisms: tuple[str, ...] = ()
    query_type: str = "sequences"
    """What the query is: sequences, pssm or msa."""
    title: str = ""
    engine: str | None = None
    """None: the service chooses."""
    priority: int = 0
    time_limit_seconds: int | None = None
    """How long it may run; None: as the operator allows."""
    reuse: bool = True
    molecule_check: bool = True
    source: str = "api"
    """The surface that it came by."""
    webhook: str | None = None
    """Address that is told of the end; None: the owner's own, empty: none."""
    presentation: Mapping[str, str] = {}
    """How a client of the NCBI URL API wants the result to be shown later."""
    watch: str | None = None
    """The watch that asks for it: nobody waits for it now."""


class Arguments(Frozen, frozen=True, kw_only=True):
    """What BLAST+ is told of a search, checked: `options` by name as text, True, or a list of ids."""

    program: str
    task: str
    options: dict[str, Value]
    query_loc: str | None
