"""Which service a command talks to, and as whom: flags, environment, and what `blastd login` keeps.

Kept are addresses and tokens by name, in one file that only its user reads. A kept token goes to its own address alone.
"""

import argparse
import asyncio
import os
import stat
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from blastd import errors
from blastd.cli.client import MAKING_SECONDS, ServiceClient, connect
from blastd.cli.words import say
from blastd.core.near import near
from blastd.durable import put

URL = "http://127.0.0.1:8470"


class KeptService(msgspec.Struct, frozen=True, kw_only=True):
    """A service that `blastd login` keeps; the token is empty where it asks for none."""

    url: str
    token: str = ""


class KeptServices(msgspec.Struct, frozen=True, kw_only=True):
    """All of them by name, and the one in `use`."""

    use: str | None = None
    services: dict[str, KeptService] = {}


def services_file() -> Path:
    """Return where services are kept."""
    home = os.environ.get("XDG_CONFIG_HOME") or ""
    folder = Path(home) if home.startswith("/") else Path.home() / ".config"
    return folder / "blastd" / "services.json"


def read_services() -> KeptServices:
    """Return what is kept. Raises BadRequest for a file that can't be read."""
    file = services_file()
    try:
        if not file.exists():
            return KeptServices()
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            say(f"warning: other users of this machine can read {file}: chmod 600 {file}")
        return msgspec.json.decode(file.read_bytes(), type=KeptServices)
    except (OSError, msgspec.MsgspecError) as error:
        raise errors.BadRequest(f"{file} can't be read: {error}. Remove it, and log in again.") from error


def write_services(kept: KeptServices) -> Path:
    """Keep *kept*, for this user's eyes only. Returns the file. Raises BadRequest."""
    file = services_file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as part:  # made with mode 0600
            part.write(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
        put(Path(part.name), file)
    except OSError as error:
        raise errors.BadRequest(f"{file} can't be written: {error.strerror or error}.") from error
    return file


def kept_service(kept: KeptServices, name: str) -> KeptService:
    """Return the service *name*. Raises BadRequest."""
    if name not in kept.services:
        known = f"Kept are {', '.join(kept.services)}." if kept.services else "None is kept yet."
        raise errors.BadRequest(
            f"No service {name!r} is kept.{near(name, kept.services)} {known} 'blastd login {name} --url URL' keeps one."
        )
    return kept.services[name]


def where(given: argparse.Namespace) -> KeptService:
    """Return the service that is meant: flags before environment before what is kept. Raises BadRequest."""
    # An empty BLASTD_URL means "not set", as the shell idiom ${BLASTD_URL:-} has it.
    url = getattr(given, "url", None) or (None if _named(given) else os.environ.get("BLASTD_URL") or None)
    token = token_in(getattr(given, "token_file", None)) or os.environ.get("BLASTD_TOKEN", "").strip()
    name = _named(given) or os.environ.get("BLASTD_SERVICE") or None
    kept = read_services() if name or not (url and token) else KeptServices()
    if url is not None:
        same = (service.token for service in kept.services.values() if service.url.rstrip("/") == url.rstrip("/"))
        return KeptService(url=url, token=token or next(same, ""))
    chosen = kept_service(kept, name) if name else kept.services.get(kept.use or "", KeptService(url=URL))
    # A name brings its own token; the service in use gives way to a token of the environment, as its address does.
    own = bool(token) and (name is None or getattr(given, "token_file", None) is not None)
    return KeptService(url=chosen.url, token=token if own or not chosen.token else chosen.token)


def _named(given: argparse.Namespace) -> str | None:
    return getattr(given, "service", None) or None


def token_in(name: str | None) -> str:
    """Return the token in a file, nothing for no file. Raises BadRequest."""
    if name is None:
        return ""
    try:
        return Path(name).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise errors.BadRequest(f"--token-file: {name} can't be read: {error}.") from error


def talk(given: argparse.Namespace, work: Callable[[ServiceClient], Awaitable[int]]) -> int:
    """Run *work* with a client of the service that is meant."""
    service = where(given)

    async def whole() -> int:
        async with connect(service.url, service.token, _most_seconds()) as client:
            return await work(client)

    return asyncio.run(whole())


def _most_seconds() -> float:
    """Return how long to wait for the service at most, from BLASTD_ANSWER_SECONDS. Raises BadRequest."""
    text = os.environ.get("BLASTD_ANSWER_SECONDS") or str(MAKING_SECONDS)
    with suppress(ValueError):
        if 0 < (seconds := float(text)) < 1e6:
            return seconds
    raise errors.BadRequest(f"BLASTD_ANSWER_SECONDS is a number of seconds, not {text!r}.")
