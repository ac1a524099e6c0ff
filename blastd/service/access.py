"""Who asks, and what they may see: tokens, a trusted proxy and links to identities, and the one rule of ownership.

Users see and change their own jobs, admins all. A job of somebody else does not exist for a user: NotFound, on every
route, unless `access.visibility` lets all who are signed in read it, or a link to it does. How a token travels (Bearer, Basic,
cookie) is the web layer's matter.
"""

import asyncio
import hmac
import ipaddress
import re

import structlog
from msgspec.structs import replace

from blastd.clock import Clock
from blastd.config import AccessSettings
from blastd.core.ids import JobId, Owner
from blastd.core.model import Frozen
from blastd.errors import StoreBroken, Unauthorized
from blastd.store import shares, tokens
from blastd.store.sqlite import Store

LOCAL = Owner("local")
NOBODY = Owner("")
"""Who holds nothing but a link: no job is theirs."""
USER = re.compile(r"[^\x00-\x20\x7f]{1,128}")
"""A name that a proxy tells: no blanks, no control characters."""
USED_SECONDS = 60.0
"""How exactly the last use of a token is noted: a write for each request would be one fsync for each request."""
FIRST_TOKEN_SECONDS = 0.1
"""How long after the first token was made (beside the service, by the command line) requests without one may still pass."""

log = structlog.get_logger()


class Identity(Frozen, frozen=True, kw_only=True):
    """Who asks. Without `token_id` it is whoever may reach the loopback address while there are no tokens."""

    owner: Owner
    role: str
    token_id: str | None = None
    surface: str | None = None
    """The one surface that this one's key is good for, None for all."""
    proxied: bool = False
    """Whether a trusted proxy told who this is."""
    reads_all: bool = False
    """Whether this one may read everybody's jobs, without changing them."""
    shared: JobId | None = None
    """The one job that a link lets this one read."""

    @property
    def admin(self) -> bool:
        """Tell whether this one sees everybody's jobs."""
        return self.role == "admin" and self.surface is None

    @property
    def scope(self) -> Owner | None:
        """Return the owner whose jobs this one sees, None for all."""
        return None if self.admin else self.owner

    @property
    def reads(self) -> Owner | None:
        """Return the owner whose jobs this one may read, None for all; a link's job comes beside them."""
        return None if self.admin or self.reads_all else self.owner


class JobLink(Frozen, frozen=True, kw_only=True):
    """The text of a link, and the id or prefix of the job that is asked for with it, as digits."""

    text: str
    asked: str


class ProxyClaim(Frozen, frozen=True, kw_only=True):
    """What a request says of who was signed in by a proxy: not believed before its address and secret are right."""

    address: str
    secret: str
    users: tuple[str, ...]
    groups: tuple[str, ...]


class Access:
    """Turns tokens, claims of a trusted proxy and links into identities."""

    def __init__(self, store: Store, clock: Clock, settings: AccessSettings, *, loopback: bool) -> None:
        """Take the store of tokens; *loopback* tells whether only this machine can reach the service."""
        self._store = store
        self._clock = clock
        self._settings = settings
        self._proxies = [ipaddress.ip_network(one, strict=False) for one in settings.proxy_addresses]
        self._noted: dict[str, float] = {}
        self._closed, self._asked_at = not loopback or bool(self._proxies), -FIRST_TOKEN_SECONDS
        self._asking = asyncio.Lock()

    async def tokens_on(self) -> bool:
        """Tell whether requests need a token: off loopback, with a trusted proxy, and from the first token that was made.

        A token that was revoked still counts, so that revoking the last one does not open the door.
        """
        now = self._clock.monotonic()
        if not self._closed and now - self._asked_at >= FIRST_TOKEN_SECONDS:
            async with self._asking:  # who comes meanwhile waits for the answer instead of asking, too
                if now - self._asked_at >= FIRST_TOKEN_SECONDS:
                    self._closed = await self._store.read_few(lambda db: bool(tokens.list_all(db, limit=1)))
                    self._asked_at = now
        return self._closed

    async def identify(
        self, text: str | None, claim: ProxyClaim | None = None, link: JobLink | None = None
    ) -> Identity:
        """Return who holds the token *text*, or was signed in by a proxy, or has a *link* to the job that is asked for.

        Raises Unauthorized for none of them, and for a wrong, revoked or expired token.
        """
        now = self._clock.now()
        share = await self._store.read_few(lambda db: shares.verify(db, link.text, now)) if link else None
        if share is not None and link is not None and not share.job_id.replace("-", "").startswith(link.asked):
            share = None
        try:
            who = self._proxied(claim) or await self._holder(text)
        except Unauthorized:
            if share is None:
                raise
            return Identity(owner=NOBODY, role="user", token_id=share.share_id, shared=share.job_id)
        reads_all = self._settings.visibility == "team" and who.surface is None
        return replace(who, reads_all=reads_all, shared=share.job_id if share is not None else None)

    def _proxied(self, claim: ProxyClaim | None) -> Identity | None:
        """Return whom a trusted proxy signed in, None where no proxy that is trusted says so."""
        if claim is None or not self._proxies or not claim.users:
            return None
        try:
            address = ipaddress.ip_address(claim.address)
        except ValueError:
            return None
        listed = any(address in network for network in self._proxies)
        right = hmac.compare_digest(
            claim.secret.encode(errors="replace"), self._settings.proxy_secret.reveal().encode()
        )
        if not (listed and right):
            return None
        if len(claim.users) > 1 or not USER.fullmatch(claim.users[0]):
            raise Unauthorized("The proxy must tell one user, without blanks.")
        admin = self._settings.proxy_admin_group and self._settings.proxy_admin_group in claim.groups
        return Identity(owner=Owner(claim.users[0]), role="admin" if admin else "user", proxied=True)

    async def _holder(self, text: str | None) -> Identity:
        """Return who holds the token *text*. Raises Unauthorized for none and for a wrong, revoked or expired one."""
        if text is None:
            if await self.tokens_on():
                raise Unauthorized
            return Identity(owner=LOCAL, role="admin")
        now = self._clock.now()
        token = await self._store.read_few(lambda db: tokens.verify(db, text, now))
        if token is None:
            raise Unauthorized("This token is not valid here: it may be mistyped, revoked or expired.")
        await self._note(token.token_id)
        return Identity(owner=token.owner, role=token.role, token_id=token.token_id, surface=token.surface)

    async def valid(self, text: str) -> bool:
        """Tell whether *text* is a valid token for everything that its role may do."""
        now = self._clock.now()
        token = await self._store.read_few(lambda db: tokens.verify(db, text, now))
        return token is not None and token.surface is None

    async def _note(self, token_id: str) -> None:
        at = self._clock.monotonic()
        if at - self._noted.get(token_id, -USED_SECONDS) < USED_SECONDS:
            return
        self._noted[token_id] = at
        now = self._clock.now()
        try:
            await self._store.write(lambda db: tokens.used(db, token_id, now), of=())
        except StoreBroken as error:  # a full disk must not keep anybody from reading
            log.warning("token_use_not_noted", token_id=token_id, error=str(error))
