"""Links from a subject to where more is known of it, from templates of the configuration. Pure.

What a subject is called comes from others: it goes into an address percent-encoded, so that it can't leave its place there.
"""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from urllib.parse import quote, urlsplit

from blastd.core.model import Frozen

_PLACE = re.compile(r"\{(\w*)\}")
PLACES = ("id", "accession")
"""`{id}` is what hits call `subject` (accession with version, or the id), `{accession}` the same without version."""


class OutLink(Frozen, frozen=True, kw_only=True):
    """A link of a subject: what it is called, and where it leads."""

    label: str
    url: str


class LinkTemplate(Frozen, frozen=True, kw_only=True):
    """A template, and the databases (names, `*` stands for any letters) whose subjects have it."""

    label: str
    url: str
    databases: tuple[str, ...]


def template_fault(url: str) -> str | None:
    """Return why *url* is no template, None if it is one: http or https, with a place behind its host."""
    places = _PLACE.findall(url)
    if not places or any(name not in PLACES for name in places):
        return f"it needs {{{PLACES[0]}}} or {{{PLACES[1]}}} where the subject's name goes, and no other braces"
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        return "it must begin with http:// or https:// and a host"
    if _PLACE.search(parts.netloc) or "{" in _PLACE.sub("", url) or not url.isprintable() or " " in url:
        return "the subject's name may stand behind the host only, and there are no blanks and no other braces"
    return None


def fitting(templates: Iterable[LinkTemplate], databases: Sequence[str]) -> list[LinkTemplate]:
    """Return the templates of a search in *databases*."""
    return [
        template
        for template in templates
        if any(fnmatchcase(name, pattern) for name in databases for pattern in template.databases)
    ]


def links_of(templates: Iterable[LinkTemplate], subject: str, accession: str) -> list[OutLink]:
    """Return the links of a subject."""
    values = {"id": quote(subject, safe=""), "accession": quote(accession, safe="")}
    return [
        OutLink(label=template.label, url=_PLACE.sub(lambda place: values[place[1]], template.url))
        for template in templates
    ]
