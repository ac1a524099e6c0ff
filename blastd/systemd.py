"""The service manager: ready, stopping, watchdog (sd_notify(3)), and sockets that it opened. Without one nothing happens."""

import socket
from collections.abc import Mapping


def notify(state: str, environ: Mapping[str, str]) -> bool:
    """Send *state*, like "READY=1" or "WATCHDOG=1"; True if a manager listens. Never raises and never blocks."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    path = "\0" + address[1:] if address[0] == "@" else address  # @ stands for an abstract socket
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            channel.sendto(state.encode(), path)
    except OSError:
        return False  # a manager that went away must not stop the service
    return True


def watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """Return how often to send "WATCHDOG=1": half of what the manager allows (WATCHDOG_USEC); None without a watchdog."""
    allowed = environ.get("WATCHDOG_USEC", "")
    return int(allowed) / 2_000_000 if allowed.isdigit() and int(allowed) > 0 else None


FIRST_SOCKET = 3
"""Descriptor of the first socket that a manager hands over (sd_listen_fds(3))."""


def sockets(environ: Mapping[str, str], pid: int) -> list[socket.socket]:
    """Return the sockets that the manager opened for this process (LISTEN_PID, LISTEN_FDS); they are not handed on to children."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(pid) or not count.isdecimal():
        return []
    found = [socket.socket(fileno=FIRST_SOCKET + at) for at in range(int(count))]
    for channel in found:
        channel.set_inheritable(False)
    return found
