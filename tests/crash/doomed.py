"""Runs a command of blastd that is killed with SIGKILL at a named moment of its own code; nothing in blastd knows of it.

    python -m tests.crash.doomed --at blastd.store.jobs:insert:after:3 --mark FILE [--arm FILE] -- serve ...

The moment is a function (`module:name`, or `module:Class.method`), `before` its call or `after` it, at its n-th call; or a
statement that SQLite is about to run (`sql:text:before:1`, the text with which it begins), or is running (`after`). Calls count once the file
`--arm` exists, so that a daemon can be started first. `--mark` is written when the moment is reached, right before the
process dies: a campaign that finds no mark knows that its moment never came.
"""

import argparse
import functools
import importlib
import inspect
import os
import re
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from blastd.cli.main import main

SQL = "sql"
COMMENTS = re.compile(r"\A(\s|--[^\n]*\n)*")
STEPS = 10  # of SQLite's machine, between looks at a running statement


class Doom:
    """Counts the calls, and kills this process at the right one."""

    def __init__(self, nth: int, mark: Path, arm: Path | None) -> None:
        self._left, self._mark, self._arm = nth, mark, arm
        self._lock = threading.Lock()

    def reached(self) -> None:
        """Count a call; at the last one this does not return."""
        if self._arm is not None and not self._arm.exists():
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._mark.write_text("reached\n")
                os.kill(os.getpid(), signal.SIGKILL)


def place_of(target: str) -> tuple[Any, str]:
    """Return the module or class of a target, and the name in it. Raises ImportError, AttributeError, TypeError."""
    module, _, path = target.partition(":")
    holder: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for one in outer:
        holder = getattr(holder, one)
    if not callable(getattr(holder, name)):
        raise TypeError(f"{target} is not a function")
    return holder, name


def wrapped(function: Callable[..., Any], when: str, doom: Doom) -> Callable[..., Any]:
    """Return *function* with its doom before or after each call."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            doom.reached()
        result = function(*args, **kwargs)
        if when == "after":
            doom.reached()
        return result

    async def wait(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            doom.reached()
        result = await function(*args, **kwargs)
        if when == "after":
            doom.reached()
        return result

    return functools.wraps(function)(wait if inspect.iscoroutinefunction(function) else call)


def set_doom(target: str, when: str, doom: Doom) -> None:
    """Put the doom at its place."""
    kind, _, text = target.partition(":")
    if kind == SQL:
        _watch_statements(text, when, doom)
        return
    holder, name = place_of(target)
    kept = inspect.getattr_static(holder, name)
    made = wrapped(getattr(holder, name), when, doom)
    setattr(holder, name, staticmethod(made) if isinstance(kept, staticmethod) else made)


def _watch_statements(text: str, when: str, doom: Doom) -> None:
    connect = sqlite3.connect
    runs = False

    def begins(statement: str) -> None:
        nonlocal runs
        runs = COMMENTS.sub("", statement).startswith(text)
        if runs and when == "before":
            doom.reached()

    def works() -> int:
        if runs and when == "after":
            doom.reached()
        return 0

    def watched(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*args, **kwargs)
        db.set_trace_callback(begins)
        db.set_progress_handler(works, STEPS)
        return db

    sqlite3.connect = watched  # type: ignore[assignment]  # the overloads of the real one


def parsed(words: Sequence[str]) -> tuple[str, str, Doom, list[str]]:
    """Return target, `before` or `after`, its doom, and the words of the command."""
    cut = words.index("--")
    parser = argparse.ArgumentParser(prog="doomed")
    parser.add_argument("--at", required=True)
    parser.add_argument("--mark", type=Path, required=True)
    parser.add_argument("--arm", type=Path)
    given = parser.parse_args(words[:cut])
    target, when, nth = given.at.rsplit(":", 2)
    if when not in ("before", "after"):
        parser.error(f"--at {given.at}: before or after?")
    return target, when, Doom(int(nth), given.mark, given.arm), list(words[cut + 1 :])


def run(words: Sequence[str]) -> int:
    """Run a command; without `--at` before it, an ordinary one."""
    if words[0] == "--":
        return main(words[1:])
    target, when, doom, command = parsed(words)
    set_doom(target, when, doom)
    return main(command)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
