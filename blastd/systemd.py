"""The service manager's notify protocol (sd_notify(3)): ready, stopping, watchdog. Without a manager nothing happens."""

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
