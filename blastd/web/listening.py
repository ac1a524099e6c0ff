"""Where requests come in: a TCP address, a socket file, or sockets that the service manager opened (systemd.socket(5)).

A socket file is reached by whom its mode lets in, so it counts as this machine, as a loopback address does.
"""

import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

import structlog
from aiohttp import web

from blastd.config import ServerSettings
from blastd.errors import ConfigError

log = structlog.get_logger()
ANSWER_SECONDS = 1.0  # in which a process that listens takes a connection


async def listen(runner: web.AppRunner, server: ServerSettings, inherited: Sequence[socket.socket] = ()) -> str:
    """Accept requests, on the *inherited* sockets if there are any, and return the address. Raises ConfigError."""
    if inherited:
        for channel in inherited:
            channel.setblocking(False)
            await web.SockSite(runner, channel).start()
        url = " ".join(map(shown, inherited))
        log.info("listening", url=url, inherited=len(inherited))
        return url
    if server.socket_file is not None:
        return await _listen_on_file(runner, server.socket_file, server.mode)
    host, port = server.address
    try:
        await web.TCPSite(runner, host, port, reuse_address=True).start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)  # asyncio's own text repeats the address
        raise ConfigError(f"server.listen: can't listen on {host}:{port}: {reason}.") from error
    bound = runner.addresses[0][1]
    url = f"http://{_bracketed(host)}:{bound}"
    log.info("listening", url=url, host=host, port=bound)
    return url


async def _listen_on_file(runner: web.AppRunner, path: Path, mode: int) -> str:
    """Make a socket file and accept requests on it; one that a crash left is replaced, any other file is not."""
    try:
        if path.exists() or path.is_symlink():
            _remove_left(path)
        await web.UnixSite(runner, path).start()  # private until its mode is set: the process's umask sees to that
        path.chmod(mode)
    except OSError as error:
        raise ConfigError(f"server.listen: can't listen on {path}: {error.strerror or error}.") from error
    log.info("listening", url=f"unix:{path}", mode=f"{mode:o}")
    return f"unix:{path}"


def _remove_left(path: Path) -> None:
    """Remove a socket file on which nobody listens any more. Raises ConfigError for what is none, OSError."""
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise ConfigError(f"server.listen: {path} is there, and is no socket: name another file.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(ANSWER_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ConfigError(f"server.listen: another process listens on {path}: stop it, or name another file.")


def close(server: ServerSettings, inherited: Sequence[socket.socket] = ()) -> None:
    """Remove the socket file that *listen* made."""
    if server.socket_file is not None and not inherited:
        server.socket_file.unlink(missing_ok=True)


def reach(inherited: Sequence[socket.socket]) -> str | None:
    """Return as HOST:PORT or unix:PATH where the *inherited* sockets are reached from farthest; None without any.

    Raises ConfigError for a socket that no HTTP comes through.
    """
    for channel in inherited:
        if channel.type != socket.SOCK_STREAM or not channel.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ConfigError("The service manager handed over a socket that is no listening stream (ListenStream=).")
    addresses = [shown(channel).removeprefix("http://") for channel in inherited]
    far = [address for address in addresses if not ServerSettings(listen=address).loopback]
    return next(iter([*far, *addresses]), None)


def shown(channel: socket.socket) -> str:
    """Return the address of a listening socket."""
    if channel.family == socket.AF_UNIX:
        name = channel.getsockname()
        return f"unix:{os.fsdecode(name)}"
    host, port = channel.getsockname()[:2]
    return f"http://{_bracketed(host)}:{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
