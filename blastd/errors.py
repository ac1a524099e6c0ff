"""Every deliberate error of blastd.

A subclass says what the caller can do about it; `code` is its stable name in answers and rows, the docstring's
first line its default sentence. How an error becomes an HTTP answer is in `web/problems.py` alone.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Self, SupportsIndex

MOST_FAULTS = 100
"""Sentences that one answer holds; the rest is counted."""


class Faults(list[tuple[str, str]]):
    """What is wrong with a request, as (JSON pointer, sentence with the mend): the first MOST_FAULTS, and how many `more`.

    Whatever a request holds, its faults cost what a hundred cost.
    """

    def __init__(self, faults: Iterable[tuple[str, str]] = ()) -> None:
        """Begin with *faults*."""
        super().__init__()
        self.more = 0
        self.extend(faults)

    def append(self, fault: tuple[str, str]) -> None:
        """Add *fault*, or count it."""
        if len(self) < MOST_FAULTS:
            super().append(fault)
        else:
            self.more += 1

    def extend(self, faults: Iterable[tuple[str, str]]) -> None:
        """Add *faults*, and what others counted before."""
        for fault in faults:
            self.append(fault)
        self.more += faults.more if isinstance(faults, Faults) else 0

    def insert(self, index: SupportsIndex, fault: tuple[str, str]) -> None:
        """Refuse, since faults stand in the order in which they were found: a list's way around the bound is closed."""
        raise NotImplementedError  # on purpose, for good: nobody inserts

    def __iadd__(self, faults: Iterable[tuple[str, str]]) -> Self:  # type: ignore[override, misc]  # any faults, as list takes
        """Add *faults*, and what others counted before."""
        self.extend(faults)
        return self

    def each(self, names: Iterable[str], fault: Callable[[str], tuple[str, str]]) -> None:
        """Add the *fault* of each of *names*; those that are only counted cost no sentence."""
        for name in names:
            if len(self) < MOST_FAULTS:
                super().append(fault(name))
            else:
                self.more += 1

    def but(self, pointer: str) -> "Faults":
        """Return the faults that are not at *pointer*."""
        rest = Faults(fault for fault in self if fault[0] != pointer)
        rest.more = self.more
        return rest

    def told(self) -> tuple[tuple[str, str], ...]:
        """Return the faults as they are answered, the last of them how many more there are."""
        rest = (("", f"And {self.more:,} more."),) if self.more else ()
        return (*self, *rest)


class BlastdError(Exception):
    """Something went wrong."""

    code = "error"

    def __init__(self, sentence: str = "", **facts: object) -> None:
        """Take the sentence for the user (default: the docstring's first line) and *facts* that a program may use."""
        super().__init__(sentence or (type(self).__doc__ or "").splitlines()[0])
        self.facts: Mapping[str, object] = facts


class BadRequest(BlastdError):
    """The request could not be read."""

    code = "bad_request"


class UnsupportedEncoding(BadRequest):
    """The body is encoded in a way that is not read here."""

    code = "unsupported_media_type"


class Invalid(BlastdError):
    """The request was understood, but some of it is not acceptable."""

    code = "invalid"

    def __init__(self, faults: Iterable[tuple[str, str]], sentence: str = "") -> None:
        """Take every fault as (JSON pointer, sentence with the mend)."""
        self.faults = (faults if isinstance(faults, Faults) else Faults(faults)).told()
        super().__init__(sentence or "; ".join(text for _, text in self.faults[:3]) or "The request is not valid.")


class RequestTimeout(BlastdError, TimeoutError):
    """The body of the request stopped coming before its end: send it again.

    A TimeoutError, since aiohttp expects one of a body whose rest it reads before it closes the connection.
    """

    code = "request_timeout"


class TooLarge(BlastdError):
    """The body is larger than this service accepts."""

    code = "too_large"


class Unauthorized(BlastdError):
    """This needs a token: send it as 'Authorization: Bearer blastd_...'."""

    code = "unauthorized"


class Forbidden(BlastdError):
    """This needs the admin role."""

    code = "forbidden"


class NotFound(BlastdError):
    """There is nothing of this name here."""

    code = "not_found"


class Ambiguous(BlastdError):
    """More than one job begins like this: give more digits of its id."""

    code = "ambiguous_id"


class Conflict(BlastdError):
    """The state of the job does not allow this."""

    code = "conflict"


class NotReady(Conflict):
    """The search has not finished."""

    code = "not_finished"


class ResultGone(Conflict):
    """The stored result is no longer whole."""

    code = "result_missing"


class ResultDiffers(Conflict):
    """The same search gives another result than the stored one, so this format would not be of it. Tables, CSV and hits are stored; for others search again."""

    code = "result_differs"


class DatabaseGone(Conflict):
    """The database generation that was searched is gone."""

    code = "database_gone"


class Expired(BlastdError):
    """The results were removed at the end of their retention."""

    code = "expired"


class Unsupported(BlastdError):
    """This format is not made for this search."""

    code = "unsupported"


class RangeUnsatisfiable(BlastdError):
    """The range lies outside the result."""

    code = "range_not_satisfiable"


class IdempotencyMismatch(BlastdError):
    """This Idempotency-Key was used before with another request."""

    code = "idempotency_mismatch"


class TooMany(BlastdError):
    """You have as many jobs waiting or running as this service allows."""

    code = "too_many_jobs"


class QuotaUsed(TooMany):
    """You have searched as many letters within a day as this service allows."""

    code = "quota_used"


class Unavailable(BlastdError):
    """A part that this request needs is not available now."""

    code = "unavailable"


class Exhausted(Unavailable):
    """This machine has no file descriptor, process or memory left for this: it goes on by itself when there is some."""

    code = "machine_exhausted"


class ConfigError(BlastdError):
    """The configuration is not valid."""

    code = "config"


class SchemaTooNew(BlastdError):
    """The store was written by a newer blastd."""

    code = "schema_too_new"


class StoreBroken(BlastdError):
    """The store can't be read or written."""

    code = "store_broken"


class DiskFull(StoreBroken):
    """The disk of the service is full: nothing can be written until there is room."""

    code = "disk_full"


class StoreGone(StoreBroken):
    """The store was moved, removed or replaced beneath the service."""

    code = "store_gone"


class DatabaseBroken(BlastdError):
    """A BLAST database is not usable."""

    code = "database_broken"


class ToolFailed(BlastdError):
    """A BLAST+ application ended with an error."""

    code = "tool_failed"


class OperationFailed(BlastdError):
    """An operation of several that run together failed."""

    code = "operation_failed"
