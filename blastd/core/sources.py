"""What a source of databases offers, read from what it publishes, and where a fetch may go.

NCBI publishes a list of records, one a database (blastdb-metadata-1-1.json; update_blastdb.pl reads the same), on its file
server with archives and their .md5, and in clouds with plain files in a folder that `latest-dir` names. Only the last part
of the addresses in a record is used: everything is asked of the source that the operator configured.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec

from blastd.core.model import Frozen

MOST_OFFERS = 20_000
MOST_FILES = 20_000
"""Of one database; nt has 3,454 in the cloud (2026)."""
TITLE_LETTERS = 1000
OFFER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MD5 = re.compile(r"\b([0-9a-fA-F]{32})\b")
SHA256 = re.compile(r"\b([0-9a-fA-F]{64})\b")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MOLECULES = {"n": "nucl", "p": "prot"}
PORTS = {"http": 80, "https": 443}


TAXDUMP, TAXA = "taxdump", "taxa"
"""What NCBI's taxonomy is called among the databases of sources, and its molecule: it is none that is searched."""


class SourceUnreadable(ValueError):
    """What a source published is not what its layout says."""


class Offer(Frozen, frozen=True, kw_only=True):
    """A database that a source offers. Numbers that it does not tell are 0; `files` are names in the source.

    `version` changes whenever the content does: a date where the source tells one.
    """

    name: str
    molecule: str
    title: str = ""
    date: str = ""
    version: str = ""
    sequences: int = 0
    letters: int = 0
    bytes: int = 0
    files: tuple[str, ...] = ()


def offers(document: bytes) -> list[Offer]:
    """Return what a list of records offers, by name; records that are none are left out. Raises SourceUnreadable."""
    try:
        data = msgspec.json.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SourceUnreadable(f"its list of databases is no JSON: {error}") from error
    if isinstance(data, dict):  # the older form, in clouds: name -> record
        data = [{"dbname": name} | record for name, record in data.items() if isinstance(record, dict)]
    if not isinstance(data, list):
        raise SourceUnreadable("its list of databases is no list of records")
    found = [offer for record in data[:MOST_OFFERS] if isinstance(record, dict) and (offer := _offer(record))]
    return sorted(found, key=lambda offer: (offer.name, offer.molecule))


def _offer(record: dict[str, Any]) -> Offer | None:
    """Return what a record offers, None for one that names no database or no file of it."""
    name, kind = record.get("dbname"), record.get("dbtype", "")
    addresses = record.get("files")
    if not isinstance(name, str) or not OFFER.fullmatch(name) or not isinstance(addresses, list):
        return None
    files = [str(address).rsplit("/", 1)[-1] for address in addresses[: MOST_FILES + 1]]
    molecule = MOLECULES.get(str(kind)[:1].lower()) or _by_files(files)
    if not files or len(files) > MOST_FILES or molecule is None or not all(FILE.fullmatch(file) for file in files):
        return None
    date = str(record.get("last-updated") or record.get("last_updated") or "")[:40]
    return Offer(
        name=name,
        molecule=molecule,
        title=" ".join(str(record.get("description") or name).split())[:TITLE_LETTERS],
        date=match[0] if (match := DAY.match(date)) else "",
        version=date or ",".join(sorted(files))[:200],
        sequences=_number(record.get("number-of-sequences")),
        letters=_number(record.get("number-of-letters")),
        bytes=_number(record.get("bytes-total")),
        files=tuple(dict.fromkeys(files)),
    )


def _by_files(files: Sequence[str]) -> str | None:
    """Return the molecule that plain files of a database tell by their suffix."""
    letters = {file.rsplit(".", 1)[-1][:1] for file in files if file.rsplit(".", 1)[-1] in ("nin", "pin", "nal", "pal")}
    return MOLECULES.get(letters.pop()) if len(letters) == 1 else None


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**62 else 0


def latest_folder(text: bytes) -> str:
    """Return the folder that `latest-dir` names. Raises SourceUnreadable."""
    name = text.decode("utf-8", "replace").strip().rstrip("/")
    if not FOLDER.fullmatch(name):
        raise SourceUnreadable(f"latest-dir names no folder: {name[:60]!r}")
    return name


def checksum(text: bytes) -> str:
    """Return the checksum that a .md5 or .sha256 file holds, as `md5:…` or `sha256:…`. Raises SourceUnreadable."""
    words = text[:4096].decode("utf-8", "replace")
    for kind, pattern in (("sha256", SHA256), ("md5", MD5)):
        if (match := pattern.search(words)) is not None:
            return f"{kind}:{match[1].lower()}"
    raise SourceUnreadable("a file of a checksum holds none")


def is_checksum(text: str) -> bool:
    """Tell whether *text* is a checksum as `checksum` returns it."""
    kind, _, value = text.partition(":")
    return {"md5": MD5, "sha256": SHA256}.get(kind, re.compile("$^")).fullmatch(value) is not None


def newer(offered: str, installed: str) -> bool:
    """Tell whether the version *offered* is newer than the one *installed*: later for dates, another for all else."""
    if DAY.match(offered) and DAY.match(installed):
        return offered > installed
    return bool(offered) and offered != installed


class Endpoint(Frozen, frozen=True, kw_only=True):
    """Scheme, host and port of an address."""

    scheme: str
    host: str
    port: int


def place(address: str) -> Endpoint:
    """Return where *address* leads. Raises SourceUnreadable for what no fetch may ask."""
    try:
        parts = urlsplit(address)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise SourceUnreadable(f"{address[:200]!r} is no address") from error
    if scheme not in PORTS or not host or parts.username or parts.password:
        raise SourceUnreadable(f"{address[:200]!r} is no http or https address")
    return Endpoint(scheme=scheme, host=host, port=port or PORTS[scheme])


def redirected(address: str, location: str, hosts: Collection[str]) -> str:
    """Return where an answer of *address* with *location* leads. Raises SourceUnreadable where a fetch may not follow.

    It may stay on its host and port, or go to one of *hosts* (HOST or HOST:PORT), never from https to http.
    """
    target = urljoin(address, location)
    here, there = place(address), place(target)
    known = {host.lower() for host in hosts}
    stays = (there.host, there.port) == (here.host, here.port) or (
        there.host == here.host and there.port == PORTS[there.scheme] and here.port == PORTS[here.scheme]
    )
    if not stays and not {there.host, f"{there.host}:{there.port}"} & known:
        raise SourceUnreadable(
            f"{here.host} redirects to {there.host}:{there.port}, which is not configured: add it to the hosts of the source"
        )
    if here.scheme == "https" and there.scheme == "http":
        raise SourceUnreadable(f"{here.host} redirects from https to http")
    return target
