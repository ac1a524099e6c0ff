"""The name that was meant when one is not known. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches

WORD_LETTERS = 60
"""What is longer is no misspelt name of ours, and comparing it would take long."""
NAMES = 500
"""How many known names a word is compared with: a third of a millisecond for a hundred."""
SUGGESTIONS = 5
"""For the first few of many unknown names; who has more did not misspell one."""


class Nearest:
    """Suggests names for the first few words of one request."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the known *names*."""
        self._names = list(names)
        self._left = SUGGESTIONS

    def hint(self, word: str) -> str:
        """Return " Did you mean 'x'?" for the name that resembles *word* most, or nothing."""
        if self._left == 0:
            return ""
        self._left -= 1
        return near(word, self._names)


def near(word: str, names: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the one of *names* that resembles *word* most, or nothing."""
    if not word or len(word) > WORD_LETTERS:
        return ""
    by_lower = {name.lower(): name for name, _ in zip(names, range(NAMES), strict=False)}
    close = get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return f" Did you mean {by_lower[close[0]]!r}?" if close else ""
