"""How a fetch fails: for a reason that may pass, or for good. None of it concerns the database that is in service."""

from blastd.errors import Unavailable


class FetchFailed(Unavailable):
    """The database could not be fetched."""

    code = "fetch_failed"


class Interrupted(Unavailable):
    """The source could not be asked, or broke off: it is asked again."""

    code = "source_unreachable"

    def __init__(self, sentence: str, code: str = "", after_seconds: float | None = None) -> None:
        """Take the cause, its stable name where it is another, and how long to wait where the source says so."""
        super().__init__(sentence)
        self.code, self.after_seconds = code or type(self).code, after_seconds


class SourceChanged(Interrupted):
    """The source published another version while it was fetched."""

    code = "source_changed"
