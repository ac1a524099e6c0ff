"""What the log writes."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from blastd.config import LoggingSettings
from blastd.log import Gathered, configure, mask

TOKEN = "blastd_abcd1234_" + "x" * 43


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_json_lines_hold_event_level_time_and_facts(out: io.StringIO) -> None:
    configure(LoggingSettings(), out)
    structlog.get_logger().info("job_moved", job_id="j", phase="running")
    line = json.loads(out.getvalue())
    assert (line["event"], line["level"], line["job_id"]) == ("job_moved", "info", "j")
    assert line["timestamp"].endswith("Z")


def test_lines_of_libraries_have_the_same_form(out: io.StringIO) -> None:
    configure(LoggingSettings(format="json"), out)
    logging.getLogger("some.package").warning("lost %s", "connection")
    line = json.loads(out.getvalue())
    assert (line["event"], line["level"], line["logger"]) == ("lost connection", "warning", "some.package")


def test_odd_facts_lose_no_line(out: io.StringIO) -> None:
    configure(LoggingSettings(format="json"), out)
    structlog.get_logger().info("read", path="a\udcff", at={1, 2}.__class__, letters=1 << 80)
    line = json.loads(out.getvalue())
    assert (line["path"], line["letters"]) == ("a\udcff", 1 << 80)


class Writes(io.StringIO):
    """Counts writes."""

    number = 0

    def write(self, text: str) -> int:
        self.number += 1
        return super().write(text)


async def test_lines_of_one_turn_of_the_loop_are_written_together(out: io.StringIO) -> None:
    del out
    writes = Writes()
    lines = Gathered(writes)
    configure(LoggingSettings(format="json"), lines)
    for number in range(5):
        structlog.get_logger().info("job_moved", number=number)
    assert writes.number == 0
    await asyncio.sleep(0)
    assert writes.number == 1
    structlog.get_logger().info("job_moved", number=5)
    await asyncio.to_thread(structlog.get_logger().info, "job_moved", number=6)
    await asyncio.sleep(0)
    assert [json.loads(line)["number"] for line in writes.getvalue().splitlines()] == list(range(7))


async def test_a_log_that_cannot_be_written_stops_nothing(out: io.StringIO) -> None:
    del out
    troubles: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: troubles.append(context))
    with Path("/dev/full").open("w") as full:
        lines = Gathered(full)
        configure(LoggingSettings(format="json"), lines)
        structlog.get_logger().info("job_moved")
        for _ in range(3):  # turns of the loop
            await asyncio.sleep(0)
        assert troubles == []
        with suppress(OSError):
            full.close()  # which tries once more


def test_outside_a_loop_lines_are_written_at_once(out: io.StringIO) -> None:
    lines = Gathered(out)
    configure(LoggingSettings(format="json"), lines)
    structlog.get_logger().info("stopped")
    assert json.loads(out.getvalue())["event"] == "stopped"


def test_level_hides_what_is_below(out: io.StringIO) -> None:
    configure(LoggingSettings(level="warning", format="console"), out)
    structlog.get_logger().info("job_moved")
    structlog.get_logger().warning("engine_lost", engine="kubernetes")
    assert "job_moved" not in out.getvalue()
    assert "engine=kubernetes" in out.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_S03_secrets_are_masked(out: io.StringIO, form: str) -> None:
    configure(LoggingSettings(format=form), out)  # type: ignore[arg-type]  # a parameter, checked by the test's list
    log = structlog.get_logger()
    log.warning("blob_denied", url="https://x/y?sv=1&sig=SIGNATURE%3D&se=2", token=TOKEN, note=f"got {TOKEN}")
    try:
        raise ValueError(f"Bearer {TOKEN} AccountKey=SIGNATURE==;x")
    except ValueError:
        log.exception("failed")
    assert "SIGNATURE" not in out.getvalue()
    assert "x" * 43 not in out.getvalue()
    assert "se=2" in out.getvalue()


def test_mask_leaves_other_text_alone() -> None:
    assert mask("design=1 assign blastd_abc") == "design=1 assign blastd_abc"


def test_S02_a_text_from_outside_is_one_line_on_a_terminal(out: io.StringIO) -> None:
    configure(LoggingSettings(format="console"), out)
    log = structlog.get_logger()
    log.info("request_served", path="/a\n2026-01-01 [info] FORGED\r\x1b[2J\u2028FORGED\x9b")
    try:
        raise ValueError("a\nFORGED")
    except ValueError:
        log.exception("failed", title="b\nFORGED")
    logging.getLogger("some.package").warning("c\nFORGED")
    text = out.getvalue()
    assert text.count("FORGED") == 6
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert not any(line.startswith(("FORGED", "2026-01-01")) for line in text.splitlines())
    assert "Traceback" in text


@pytest.mark.parametrize("text", [TOKEN, TOKEN[:-4], TOKEN + "x"])
def test_S03_mistyped_tokens_are_masked_too(text: str) -> None:
    assert mask(f"/no/such/{text}?") == "/no/such/blastd_abcd1234_***?"
