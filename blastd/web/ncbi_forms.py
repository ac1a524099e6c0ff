r"""The texts of the NCBI URL API, in the exact forms that clients search for.

Clients read these pages with regular expressions (`RID = (.*)\\n`, `Status=(\\w+)`), so blanks and line ends matter.
Source: NCBI, "BLAST URL API"; Biopython's Bio.Blast.NCBIWWW and BioPerl's RemoteBlast read them so.
"""

import re
from collections.abc import Sequence
from html import escape

from blastd.core.model import Warned
from blastd.errors import MOST_FAULTS

DOCTYPE = '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>\n<body>\n'
END = "</body></html>\n"
SENTENCE_LETTERS = 2000
SIGNS = re.compile(r"((?:Status|RID|RTOE|ThereAreHits)\s*)=", re.IGNORECASE)
"""What clients search a page for."""


def shown(text: str) -> str:
    """Return a text of somebody else for a page: no mark-up, and nothing that clients read as a sign of ours."""
    return SIGNS.sub(r"\1&#61;", escape(text))


def shortened(sentences: Sequence[str]) -> list[str]:
    """Return the first of very many sentences, each in its first letters, and how many more there are."""
    shown_letters = [
        text if len(text) <= SENTENCE_LETTERS else text[:SENTENCE_LETTERS] + "..." for text in sentences[:MOST_FAULTS]
    ]
    rest = len(sentences) - MOST_FAULTS
    return [*shown_letters, f"And {rest:,} more."] if rest > 0 else shown_letters


def notes(warnings: Sequence[Warned]) -> str:
    """Return the warnings of a search for a page, outside of everything that clients read."""
    texts = [f"Query {warned.query}: {warned.text}" if warned.query else warned.text for warned in warnings]
    return "".join(f'<p class="warning">Warning: {shown(text)}</p>\n' for text in shortened(texts))


def accepted(rid: str, rtoe: int, warnings: Sequence[Warned] = ()) -> str:
    """Return the answer to a Put: the RID and the seconds after which to look."""
    return (
        DOCTYPE.format(title="NCBI Blast:request")
        + notes(warnings)
        + f'<form action="Blast.cgi" method="get">\n<input name="RID" value="{rid}" type="text">\n'
        + '<input type="hidden" name="CMD" value="Get">\n<input type="submit" value="View report">\n</form>\n'
        + f"<!--QBlastInfoBegin\n    RID = {rid}\n    RTOE = {rtoe}\nQBlastInfoEnd\n-->\n"
        + END
    )


def refused(number: int, sentences: Sequence[str]) -> str:
    """Return the error page of a request: no RID at all, and each fault in NCBI's form `Message ID#NN Error: ...`.

    The first fault stands in a paragraph of the class `error` as well, and there are no empty lines for RID and RTOE: BioPerl
    takes such lines for an answer and ends without a word, other clients show what follows them.
    """
    lines = "\n".join(
        f'<li class="error"><div class="error msInf">Message ID#{number} Error: {shown(text)}</div></li>'
        for text in shortened(sentences)
    )
    first = shown(" ".join(sentences))
    return (
        DOCTYPE.format(title="NCBI Blast:error")
        + f'<p class="error">Message ID#{number} Error: {first}</p>\n<ul id="msgR" class="msg">\n{lines}\n</ul>\n'
        + END
    )


def status(
    rid: str,
    word: str,
    detail: str = "",
    *,
    hits: bool | None = None,
    refresh: int = 0,
    warnings: Sequence[Warned] = (),
) -> str:
    """Return the page of a search that has no result to show: WAITING, FAILED, UNKNOWN, or READY for SearchInfo."""
    head = DOCTYPE.format(title="NCBI Blast:request")
    if refresh:
        head = head.replace("<title>", f'<meta http-equiv="refresh" content="{refresh}"><title>')
    text = f"<!--\nQBlastInfoBegin\n\tStatus={word}\nQBlastInfoEnd\n-->\n"
    if hits is not None:
        text += f"<!--\nQBlastInfoBegin\n\tThereAreHits={'yes' if hits else 'no'}\nQBlastInfoEnd\n-->\n"
    sentences = {
        "WAITING": "This page will be updated when the search has ended.",
        "UNKNOWN": "There is no such search here.",
    }
    paragraph = shown(detail or sentences.get(word, ""))
    return (
        head
        + text
        + f'<p>Request ID {shown(rid)}: {word.lower()}.</p>\n<p class="{word.lower()}">{paragraph}</p>\n'
        + notes(warnings)
        + END
    )


READY = "<p><!--\nQBlastInfoBegin\n\tStatus=READY\nQBlastInfoEnd\n--><p>\n"


def before(rid: str, warnings: Sequence[Warned], *, html: bool) -> bytes:
    """Return what comes before a text result: text begins with the state, as Bio.Blast.qblast asserts; *html* is a page."""
    return ((DOCTYPE.format(title=f"NCBI Blast:{rid}") + notes(warnings) if html else "") + READY).encode()


PRE = b"<PRE>\n"


def after(*, html: bool) -> bytes:
    """Return what comes after a text result."""
    return b"</PRE>\n" + (END.encode() if html else b"")
