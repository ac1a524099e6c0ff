"""The log: one list of processors for our lines and those of the libraries, as JSON or for a terminal.

Event names are constant, snake_case and in the past; facts are keywords. What looks like a secret is masked here as a
last resort; nobody should log one.
"""

import asyncio
import json
import logging
import os
import re
import stat
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TextIO

import msgspec
import structlog

from blastd.config import LoggingSettings

SECRET_NAMES = re.compile(r"(?i)token$|secret|password|authorization|connection_string|account_key|^sas$|cookie")
SECRET_TEXTS = re.compile(
    r"(?i)(blastd_[0-9a-z]{8}_)[\w-]{8,}|((?:\?|&|\b)sig=)[^&\s'\"]+|(AccountKey=)[^;\s'\"]+|(Bearer )\S+"
)
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
TRACES = ("exception", "stack")
QUIET = {
    "azure": logging.WARNING,  # logs each request with its headers at INFO
    "aiohttp.access": logging.ERROR,  # web/middleware.py writes the one line a request
    "kubernetes_asyncio": logging.WARNING,
    "asyncio": logging.WARNING,
}


class Gathered:
    """A stream that writes the lines of one turn of the event loop in one piece.

    Each write lets another thread have Python's lock, and the loop waits to get it back. Other threads, and what runs
    outside a loop, write at once.
    """

    def __init__(self, out: TextIO) -> None:
        """Write to *out*."""
        self._out, self._texts, self._lock = out, list[str](), Lock()

    def write(self, text: str) -> int:
        """Take a text."""
        with self._lock:
            self._texts.append(text)
            waits = len(self._texts) > 1
        if not waits:
            try:
                asyncio.get_running_loop().call_soon(self.send)
            except RuntimeError:
                self.send()
        return len(text)

    def flush(self) -> None:
        """Leave it to `send`, which comes soon."""

    def send(self) -> None:
        """Write what was taken."""
        with self._lock:
            text, self._texts = "".join(self._texts), []
            with suppress(OSError):  # a full disk, say: the loop would log that it can't log, for ever
                self._out.write(text)
                self._out.flush()

    def isatty(self) -> bool:
        """Tell whether a person reads it."""
        return self._out.isatty()


class LogFile:
    """The file that a stream goes to, if it is one: after it was renamed (logrotate), its name is opened anew."""

    def __init__(self, out: TextIO) -> None:
        """Take the stream, and remember the file's name as it is now."""
        self._handle: int | None = None
        self._name = ""
        with suppress(OSError, ValueError):  # a stream of a test has no file
            self._handle = out.fileno()
            if stat.S_ISREG(os.fstat(self._handle).st_mode):
                self._name = str(Path(f"/proc/self/fd/{self._handle}").readlink())

    def reopen(self) -> None:
        """Write to the file of that name from now on, made if need be. Raises OSError."""
        if self._handle is None or not self._name:
            return
        again = os.open(self._name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.dup2(again, self._handle)
        finally:
            os.close(again)


def mask(text: str) -> str:
    """Return *text* with tokens, signatures and keys replaced by three stars."""
    return SECRET_TEXTS.sub(lambda match: next(group for group in match.groups() if group is not None) + "***", text)


def configure(settings: LoggingSettings, stream: TextIO | Gathered | None = None) -> None:
    """Send our lines and those of the libraries to *stream* (standard error), in the form that *settings* say."""
    out = stream if stream is not None else sys.stderr
    as_json = settings.format == "json" or (settings.format == "auto" and not out.isatty())
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _masked,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(_json)
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=28
        )
    )
    if not as_json:  # JSON escapes them itself
        processors.append(_one_line)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),  # type: ignore[arg-type]  # which needs write and flush only
        cache_logger_on_first_use=False,  # tests and the command line configure more than once
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *processors],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.INFO), force=True)
    logging.captureWarnings(capture=True)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(level, least))


def _json(event: MutableMapping[str, Any], **_: Any) -> str:
    try:
        return msgspec.json.encode(event, enc_hook=str).decode()
    except (TypeError, ValueError, OverflowError):  # half a surrogate pair, say: no line is lost for its letters
        return json.dumps(event, default=str)


@cache
def _secret(name: str) -> bool:
    """Tell whether a fact of this name is one not to be told; names stand in our code and that of the libraries."""
    return SECRET_NAMES.search(name) is not None


def _masked(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask facts with a secret's name, and secrets within texts."""
    for name, value in event.items():
        if _secret(name):
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = mask(value)
    return event


def _one_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape what would begin a line of its own, or steer a terminal, in texts that a client sent (a path, say)."""
    for name, value in event.items():
        if isinstance(value, str):
            lines = value.split("\n") if name in TRACES else [value]
            event[name] = "\n    ".join(CONTROLS.sub(lambda found: ascii(found[0])[1:-1], line) for line in lines)
    return event
