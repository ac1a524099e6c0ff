"""What a webhook says, where it may go, and when it is tried again."""

import base64
import hashlib
import hmac
import socket
import time

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from blastd.core import webhook
from blastd.service.posting import Guard, Refused


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "ftp://example.org/", "file:///etc/passwd", "https://", "https:///x", "https://u:p@example.org/",
        "https://example.org#x", "https://example.org/a b", "https://example.org\\@evil.example/", "https://exa\nmple.org",
        "https://example.org:99999/", "https://example.org:0/", "https://ex\u00e4mple.org/", "https://[::1", "https://-a/",
        "https://example.org/\x00", "https://example.org/" + "x" * 2000, "HTTPS://example.org/", " https://example.org",
        "http://example.org/", "https://127.0.0.1/", "https://10.1.2.3:8443/x", "https://192.168.0.1", "https://0.0.0.0/",
        "https://169.254.169.254/latest/meta-data", "https://[::1]/", "https://[fd00::1]/", "https://[fe80::1]/",
        "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[::]/",
        "https://100.64.0.1/", "https://224.0.0.1/", "https://[ff02::1]/", "https://[::127.0.0.1]/",
    ],
)  # fmt: skip
def test_addresses_that_are_not_taken(url: str) -> None:
    assert webhook.fault(url, []) is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org", "https://example.org:8443/hook?job=1&x=%20", "https://EXAMPLE.org/a", "https://8.8.8.8/",
        "https://[2606:4700::1111]/x",
    ],
)  # fmt: skip
def test_addresses_that_are_taken(url: str) -> None:
    assert webhook.fault(url, []) is None


@pytest.mark.parametrize("allowed", ["intern.example", "Intern.Example:8080"])
def test_a_listed_host_needs_neither_https_nor_a_public_address(allowed: str) -> None:
    assert webhook.fault("http://intern.example:8080/x", [allowed]) is None
    assert webhook.fault("http://other.example:8080/x", [allowed]) is not None
    assert webhook.fault("http://intern.example.evil.example:8080/x", [allowed]) is not None
    assert (webhook.fault("http://intern.example:22/x", [allowed]) is None) == (":" not in allowed)


def test_a_listed_address_may_be_ipv6() -> None:
    assert webhook.fault("http://[::1]:8080/", ["[::1]:8080"]) is None
    assert webhook.fault("http://[::1]:8081/", ["[::1]:8080"]) is not None


class Named(AbstractResolver):
    """A DNS that answers what the test says."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("::1",), ("fe80::1%eth0",), ("nonsense",)]
)
async def test_a_name_that_leads_inside_is_refused_when_it_is_connected_to(addresses: tuple[str, ...]) -> None:
    with pytest.raises(Refused):
        await Guard([], Named(*addresses)).resolve("hook.example", 443)
    assert await Guard(["hook.example"], Named(*addresses)).resolve("hook.example", 443)


async def test_a_name_that_leads_outside_is_connected_to() -> None:
    assert len(await Guard([], Named("8.8.8.8", "2606:4700::1111")).resolve("hook.example", 443)) == 2


def test_the_signature_is_that_of_standard_webhooks() -> None:
    secret = base64.b64encode(b"k" * 32).decode()
    key = webhook.key(f"whsec_{secret}")
    found = webhook.headers(key, "id-1", '{"a":1}', 1700000000)
    expected = base64.b64encode(hmac.new(b"k" * 32, b'id-1.1700000000.{"a":1}', hashlib.sha256).digest()).decode()
    assert found == {
        "webhook-id": "id-1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": f"v1,{expected}",
    }


@pytest.mark.parametrize("secret", ["short", "whsec_!!", "whsec_c2hvcnQ=", "whsec_"])
def test_a_weak_or_broken_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match=r"16 bytes|base64"):
        webhook.key(secret)


@given(st.integers(1, 100), st.floats(0, 1))
def test_waits_double_up_to_the_longest_with_jitter(attempts: int, jitter: float) -> None:
    full = min(5 * 2 ** (attempts - 1), 3600)
    assert full / 2 <= webhook.delay(attempts, 5, 3600, jitter) <= full


def test_Q07_the_official_library_verifies_what_we_sign() -> None:
    secret = "whsec_" + base64.b64encode(b"x" * 32).decode()
    body = '{"id": "a-1", "type": "job.completed"}'
    now = int(time.time())
    headers = webhook.headers(webhook.key(secret), "a-1", body, now)
    assert Webhook(secret).verify(body, headers) == {"id": "a-1", "type": "job.completed"}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace("completed", "failed"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, webhook.headers(webhook.key(secret), "a-1", body, now - 3600))
    assert webhook.of_old_form("0123456789abcdef0123456789abcdef")
    assert not webhook.of_old_form(secret)
