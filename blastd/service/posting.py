"""One letter by HTTP to an address that may be told of ends: what `service.webhooks` sends with.

An answer or a sentence, never an exception: what becomes of the letter is decided elsewhere.
"""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from blastd.config import WebhooksSettings
from blastd.core import webhook

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[tuple[int | None, str]]]
"""Posts a body with headers to an address; returns the status of the answer, or None and why there is none."""
Posting = Callable[[WebhooksSettings], AbstractAsyncContextManager[Post]]
"""Opens what posts."""


class Refused(OSError):
    """A name led to an address where webhooks may not go."""


class Guard(AbstractResolver):
    """Resolves names to public addresses only, except for hosts that the operator lists.

    The connection is made to what this returns, so a name can't lead elsewhere between the check and its use.
    """

    def __init__(self, allowed: Collection[str], inner: AbstractResolver) -> None:
        """Take the hosts that may be anywhere, and what asks the DNS."""
        self._allowed, self._inner = allowed, inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of *host*. Raises Refused when one of them is not public."""
        found = await self._inner.resolve(host, port, family)
        for one in found:
            check_address(one["host"], webhook.Where(scheme="https", host=host.lower(), port=port), self._allowed)
        return found

    async def close(self) -> None:
        """Close what asks the DNS."""
        await self._inner.close()


def check_address(text: str, to: webhook.Where, allowed: Collection[str]) -> None:
    """Raise Refused unless the address *text* of *to* is public, or the operator allows the host."""
    address = webhook.address(text.partition("%")[0])
    if not webhook.is_allowed(to, allowed) and (address is None or not webhook.is_public(address)):
        raise Refused(f"{to.host} is not a public address")


@asynccontextmanager
async def posting(settings: WebhooksSettings) -> AsyncIterator[Post]:
    """Post to public addresses and the hosts that the operator lists, without redirects, cookies or proxies."""
    guard = Guard(settings.allowed_hosts, aiohttp.ThreadedResolver())
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=guard, use_dns_cache=False, limit=settings.at_once, force_close=True),
        timeout=aiohttp.ClientTimeout(total=settings.timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    ) as http:

        async def post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int | None, str]:
            try:
                async with http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                    return answer.status, ""
            except TimeoutError:
                return None, f"no answer within {settings.timeout_seconds:g} s"
            except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a name that the DNS can't have
                cause = error.__cause__ if isinstance(error.__cause__, Refused) else error
                return None, f"{type(cause).__name__}: {cause}"[:300]

        yield post
