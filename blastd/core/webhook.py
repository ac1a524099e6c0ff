"""What a webhook says, how it is signed, where it may go, and when it is tried again.

Headers and signature follow Standard Webhooks (https://www.standardwebhooks.com), for which receivers have libraries: the
signature is over id, time and body, so that a message can neither be changed nor sent again later.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection
from datetime import datetime

import msgspec

from blastd.core.difference import DifferenceCounts
from blastd.core.model import Frozen, Job
from blastd.core.watching import Watch, WatchRun

# Stricter than RFC 3986, so that no two readers of an address see different hosts in it.
URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:(?P<port>\d{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
MAX_URL = 2000
PORTS = {"https": 443, "http": 80}
BASE64_KEY = "whsec_"
GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
TO_V4 = ipaddress.IPv6Network("64:ff9b::/96")
V4_INSIDE = ipaddress.IPv6Network("2002::/16")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Where(Frozen, frozen=True, kw_only=True):
    """The parts of an address that decide whether it may be used; `host` is lower case without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def key(self) -> str:
        """Return host and port, by which deliveries take turns."""
        return f"{self.host}:{self.port}"


class EndedJob(Frozen, frozen=True, kw_only=True):
    """The job of a message, as it was at its end."""

    job_id: str
    short_id: str
    title: str
    program: str
    task: str
    database: list[str]
    status: str
    attempt: int
    hits: int | None
    error_code: str | None
    error: str | None
    created_at: str
    finished_at: str | None


class ChangedWatch(Frozen, frozen=True, kw_only=True):
    """The watch of a message: `job_id` is the run that found changes since the run `before_job_id`.

    `new`, `lost` and `changed` count subjects of each query, `queries` those that have some.
    """

    watch_id: str
    label: str
    run: int
    job_id: str
    before_job_id: str | None
    program: str
    database: list[str]
    new: int
    lost: int
    changed: int
    queries: int


class Message(Frozen, frozen=True, kw_only=True):
    """The body of a webhook. `id` is the same however often it is sent."""

    id: str
    type: str
    timestamp: str
    data: EndedJob


class ChangedMessage(Frozen, frozen=True, kw_only=True):
    """The same, of a watch."""

    id: str
    type: str
    timestamp: str
    data: ChangedWatch


def message(job: Job, event_id: int, now: datetime) -> Message:
    """Return what is told of the end of *job*, whose event is *event_id*."""
    return Message(
        id=f"{job.short_id}-{event_id}",
        type=f"job.{job.status}",
        timestamp=_text(now),
        data=EndedJob(
            job_id=job.job_id,
            short_id=job.short_id,
            title=job.title,
            program=job.program,
            task=job.task,
            database=[database.name for database in job.databases],
            status=str(job.status),
            attempt=job.attempt,
            hits=job.hits,
            error_code=job.error_code,
            error=job.error,
            created_at=_text(job.created_at),
            finished_at=None if job.finished_at is None else _text(job.finished_at),
        ),
    )


def changed_message(watch: Watch, job: Job, run: WatchRun, event_id: int, now: datetime) -> ChangedMessage:
    """Return what is told of a *run* of a watch whose search *job* found changes; *event_id* is its event."""
    counts = run.difference or DifferenceCounts()
    return ChangedMessage(
        id=f"{job.short_id}-{event_id}",
        type="watch.changed",
        timestamp=_text(now),
        data=ChangedWatch(
            watch_id=watch.watch_id,
            label=watch.label,
            run=run.number,
            job_id=job.job_id,
            before_job_id=run.base_job,
            program=job.program,
            database=[database.name for database in job.databases],
            new=counts.new,
            lost=counts.lost,
            changed=counts.changed,
            queries=counts.queries,
        ),
    )


def encode(told: Message | ChangedMessage) -> str:
    """Return the body of a message."""
    return msgspec.json.encode(told).decode()


def key(secret: str) -> bytes:
    """Return the key of a secret: base64 behind `whsec_`, else its bytes. Raises ValueError for one that is too short."""
    try:
        found = (
            base64.b64decode(secret.removeprefix(BASE64_KEY), validate=True) if secret.startswith(BASE64_KEY) else None
        )
    except binascii.Error as error:
        raise ValueError("behind whsec_ must be base64") from error
    found = secret.encode() if found is None else found
    if len(found) < 16:
        raise ValueError("must have 16 bytes or more")
    return found


def of_old_form(secret: str) -> bool:
    """Tell whether a secret is plain text, which the libraries of Standard Webhooks read as base64."""
    return not secret.startswith(BASE64_KEY)


def headers(secret: bytes, identifier: str, body: str, seconds: int) -> dict[str, str]:
    """Return the headers of a message that is sent *seconds* after the epoch."""
    signed = hmac.new(secret, f"{identifier}.{seconds}.{body}".encode(), hashlib.sha256).digest()
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(seconds),
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
    }


def where(url: str) -> Where | None:
    """Return the parts of *url*, None for what is no plain web address."""
    match = URL.fullmatch(url)
    if match is None or len(url) > MAX_URL:
        return None
    port = int(match["port"]) if match["port"] else PORTS[match["scheme"]]
    if not 0 < port < 65536:
        return None
    return Where(scheme=match["scheme"], host=match["host"].strip("[]").lower(), port=port)


def fault(url: str, allowed: Collection[str]) -> str | None:
    """Return why a webhook may not go to *url*, None if it may; the address behind a name is checked at each sending."""
    to = where(url)
    if to is None:
        return f"A webhook is an address like https://example.org/path, up to {MAX_URL} letters, without user, blanks or '#'."
    if is_allowed(to, allowed):
        return None
    if to.scheme != "https":
        return "A webhook needs https; the operator may list hosts without in webhooks.allowed_hosts."
    literal = address(to.host)
    if literal is not None and not is_public(literal):
        return f"{to.host} is no public address; the operator may list it in webhooks.allowed_hosts."
    return None


def is_allowed(to: Where, allowed: Collection[str]) -> bool:
    """Tell whether the operator listed the host, alone or with its port."""
    known = {one.lower() for one in allowed}
    shown = f"[{to.host}]" if ":" in to.host else to.host
    return bool(known & {to.host, shown, f"{shown}:{to.port}"})


def address(host: str) -> Address | None:
    """Return the IP address that *host* is, None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(found: Address) -> bool:
    """Tell whether an address is one of the public internet, also behind what carries IPv4 in IPv6."""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(found.ipv4_mapped)
        if found in TO_V4:
            return is_public(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
        if found not in GLOBAL_V6 or found in V4_INSIDE:
            return False
    return found.is_global and not found.is_multicast


def delay(attempts: int, first: float, longest: float, jitter: float) -> float:
    """Return seconds until the next try after *attempts* (1 or more) failed; *jitter* in 0..1 takes up to half away."""
    return min(first * 2.0 ** min(attempts - 1, 30), longest) * (1.0 - 0.5 * jitter)


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
