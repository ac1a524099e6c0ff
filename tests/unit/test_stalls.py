"""What a connection must move within the limit, told from its transport alone."""

import asyncio
from typing import Any, cast

import pytest

from blastd.errors import RequestTimeout
from blastd.web.stalls import LEAST_BYTES, Stalls

LIMIT = 10.0


class Wire(asyncio.Transport):
    """A connection as a server sees it; also its handler, its request, its body and what writes its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.transport = self.protocol = self.content = self.writer = self
        self.waiting = self.output_size = self.total_bytes = 0
        self.ended, self.reading, self.cut = True, True, False
        self.raised: BaseException | None = None

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_reading(self) -> bool:
        return self.reading

    def is_closing(self) -> bool:
        return self.cut

    def abort(self) -> None:
        self.cut = True

    def is_eof(self) -> bool:
        return self.ended

    async def drain(self) -> None:
        return

    def set_exception(self, raised: BaseException) -> None:
        self.raised = raised


class Watched:
    """A connection that is looked at once a second."""

    def __init__(self) -> None:
        self.now, self.wire, self.stalls = 0.0, Wire(), Stalls(LIMIT)
        self.handler = cast("Any", self.wire)
        self.stalls.look([self.handler], self.now)

    async def request(self) -> None:
        await self.stalls.note(self.handler)
        known = self.stalls._known[self.handler]
        known.received_at = known.sent_at = self.now

    def go_on(self, seconds: int) -> bool:
        for _ in range(seconds):
            self.now += 1.0
            self.stalls.look([self.handler], self.now)
        return self.wire.cut


@pytest.fixture
def watched() -> Watched:
    return Watched()


async def test_an_answer_that_is_taken_slowly_goes_on_and_one_that_is_not_ends(watched: Watched) -> None:
    await watched.request()
    watched.wire.waiting = watched.wire.output_size = 1 << 16
    for _ in range(10):  # the buffer is as full as before: what was taken was put in again
        watched.wire.output_size += 1
        assert not watched.go_on(9)
    assert watched.go_on(11)


async def test_an_answer_that_only_grows_is_not_taken(watched: Watched) -> None:
    """Events and heartbeats are written while nobody reads."""
    await watched.request()
    for _ in range(11):
        watched.wire.output_size += 100
        watched.wire.waiting += 100
        watched.go_on(1)
    assert watched.wire.cut


async def test_requests_sent_ahead_do_not_put_off_the_end(watched: Watched) -> None:
    """Each answer fits into the buffer, none is taken."""
    for _ in range(11):
        await watched.stalls.note(watched.handler)
        watched.wire.waiting += 100
        watched.wire.output_size = 100
        watched.go_on(1)
    assert watched.wire.cut


async def test_who_has_taken_all_may_wait_for_ever(watched: Watched) -> None:
    await watched.request()
    watched.wire.output_size = 1 << 20
    assert not watched.go_on(1000)


async def test_a_body_that_stalls_is_told_to_its_handler_and_cut_when_nobody_reads_it(watched: Watched) -> None:
    watched.wire.ended = False
    await watched.request()
    for _ in range(5):
        watched.wire.total_bytes += LEAST_BYTES
        assert not watched.go_on(9)
    watched.wire.total_bytes += 1
    assert not watched.go_on(11)
    assert isinstance(watched.wire.raised, RequestTimeout)
    assert watched.go_on(11)


async def test_nobody_stalls_while_the_service_does_not_read(watched: Watched) -> None:
    watched.wire.ended = watched.wire.reading = False
    await watched.request()
    assert not watched.go_on(1000)
    assert watched.wire.raised is None


def test_a_connection_without_a_request_is_cut(watched: Watched) -> None:
    assert not watched.go_on(9)
    assert watched.go_on(1)


def test_connections_that_went_are_forgotten(watched: Watched) -> None:
    watched.stalls.look([], 1.0)
    assert not watched.stalls._known
