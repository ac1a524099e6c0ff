"""Which signals stop the daemon, which one makes it read its settings anew, and that no other ends it.

A signal whose default is death and that somebody may send by hand or by habit (SIGHUP to a daemon, SIGUSR1 to rotate a log)
is answered with a line in the log. What the kernel sends for a fault of the process itself keeps its default, and so does
SIGABRT, with which systemd's watchdog ends a daemon that hangs.
"""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType

import structlog

STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
RELOAD = signal.SIGHUP
FAULTS = frozenset({"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS"})
NOT_DEADLY = frozenset({"SIGCHLD", "SIGCONT", "SIGTSTP", "SIGURG", "SIGWINCH", "SIGINFO", "SIGPIPE", "SIGXFSZ"})
"""Harmless by default, or ignored by Python itself from the start."""
UNCAUGHT = frozenset({"SIGKILL", "SIGSTOP"})
TERMINAL = (signal.SIGTTIN, signal.SIGTTOU)
"""They would stop a daemon in the background of a terminal, for ever."""

log = structlog.get_logger()


def name_of(number: int) -> str:
    """Return the name of a signal; those of real time have numbers only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def others() -> list[int]:
    """Return the signals that would end a process, and that are no reason to end this one."""
    left = FAULTS | NOT_DEADLY | UNCAUGHT | {one.name for one in (*STOP, RELOAD, *TERMINAL)}
    return sorted(int(number) for number in signal.valid_signals() if name_of(number) not in left)


def hold() -> None:
    """Survive signals from now on, before the event loop runs; those that stop keep their default."""
    for number in (RELOAD, *others()):
        signal.signal(number, _ignored)
    for number in TERMINAL:
        signal.signal(number, signal.SIG_IGN)


def handle(loop: asyncio.AbstractEventLoop, stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """Let signals call *stop* and *reload* on the loop, and the rest write a line."""
    for number in STOP:
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(RELOAD, reload)
    for other in others():
        loop.add_signal_handler(other, _note, other)


def _note(number: int) -> None:
    log.warning("signal_ignored", signal=name_of(number))


def _ignored(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the settings are being read anyhow, and there is no log yet."""
