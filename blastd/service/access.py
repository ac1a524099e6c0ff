"""Who asks, and what they may see: tokens to identities, and the one rule of ownership.

Users see and change their own jobs, admins all. A job of somebody else does not exist for a user: NotFound, on every
route. How a token travels (Bearer, Basic, cookie) is the web layer's matter.
"""

import asyncio

import structlog

from blastd.clock import Clock
from blastd.core.ids import Owner
from blastd.core.model import Frozen
from blastd.errors import StoreBroken, Unauthorized
from blastd.store import tokens
from blastd.store.sqlite import Store

LOCAL = Owner("local")
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

    @property
    def admin(self) -> bool:
        """Tell whether this one sees everybody's jobs."""
        return self.role == "admin" and self.surface is None

    @property
    def scope(self) -> Owner | None:
        """Return the owner whose jobs this one sees, None for all."""
        return None if self.admin else self.owner


class Access:
    """Turns tokens into identities."""

    def __init__(self, store: Store, clock: Clock, *, loopback: bool) -> None:
        """Take the store of tokens; *loopback* tells whether only this machine can reach the service."""
        self._store = store
        self._clock = clock
        self._noted: dict[str, float] = {}
        self._closed, self._asked_at = not loopback, -FIRST_TOKEN_SECONDS
        self._asking = asyncio.Lock()

    async def tokens_on(self) -> bool:
        """Tell whether requests need a token: always off loopback, and from the first token that was made.

        A token that was revoked still counts, so that revoking the last one does not open the door.
        """
        now = self._clock.monotonic()
        if not self._closed and now - self._asked_at >= FIRST_TOKEN_SECONDS:
            async with self._asking:  # who comes meanwhile waits for the answer instead of asking, too
                if now - self._asked_at >= FIRST_TOKEN_SECONDS:
                    self._closed = await self._store.read_few(lambda db: bool(tokens.list_all(db, limit=1)))
                    self._asked_at = now
        return self._closed

    async def identify(self, text: str | None) -> Identity:
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
