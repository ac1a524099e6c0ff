"""A seeded storm on a real daemon: crowds of searches on every surface, and weather; between gusts all must be true.

    python -m tests.storm --seconds 60 --seed 7 [--disk]

Gusts follow each other until the time is over; what each of them does is drawn from the seed and its number alone. At the
first faults it prints them with the seed and the last gusts, keeps the state and the log, and ends with 1.
"""

import argparse
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from blastd.clock import SystemClock
from blastd.config.base import STORE_NAME
from blastd.core.ids import Owner
from blastd.store import tokens
from blastd.store.sqlite import open_sync
from tests.daemon import Daemon
from tests.databases import build_all
from tests.mounts import possible, small
from tests.storm.crowd import Notes, Person
from tests.storm.gusts import OWNERS, WEATHER, Gust, drawn
from tests.storm.rests import Rest
from tests.storm.weather import Weather

ROOM = 384 << 20
LAST = 5


def free_port() -> int:
    """Return a port that nobody has: the storm's daemon comes back to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_tokens(state: Path) -> list[str]:
    """Make a store with a token for each owner, the last one an admin's."""
    now, texts = SystemClock().now(), []
    with closing(open_sync(state / STORE_NAME)) as db:
        for number in range(OWNERS + 1):
            owner, role = (f"owner{number}", "user") if number < OWNERS else ("admin", "admin")
            texts.append(tokens.create(db, f"storm{number:03}", f"{number}" * 43, Owner(owner), role, now, None))
    return texts


SETTINGS = {"BLASTD_RETENTION__DISK_FLOOR_BYTES": "0", "BLASTD_LOCAL__RESIDENT_SECONDS": "2"}
"""So that at a rest what stays for a next search is gone before processes are counted."""


class Storm:
    """One daemon, its people and its weather."""

    def __init__(self, folder: Path, seed: int, *, disk: bool) -> None:
        self.seed, self.folder, self.notes = seed, folder, Notes()
        databases = folder / "db"
        databases.mkdir(parents=True)
        build_all(databases)
        self.daemon = Daemon(folder / "state" / "blastd", [databases], SETTINGS)
        self.daemon.state.mkdir(parents=True, mode=0o700)
        config = folder / "blastd.toml"
        config.write_text("")
        self.flags = ("--listen", f"127.0.0.1:{free_port()}", "--config", str(config))
        *self.owners, admin = make_tokens(self.daemon.state)
        self.weather = Weather(self.daemon, admin, self.notes, self.start, config)
        self.weather.flags = self.flags
        self.rest = Rest(self.daemon, admin, self.notes, databases, folder)
        self.allowed = frozenset(WEATHER) - (frozenset() if disk else {"fill"})

    def start(self) -> None:
        self.daemon.start(*self.flags)

    def play(self, gust: Gust) -> None:
        """Let a crowd come, with its weather, then check everything."""
        begun = len(self.notes.accepted)
        self.weather.disturbed = False
        people = [
            Person(self.daemon, self.owners[search.owner], search, self.notes, self.folder) for search in gust.searches
        ]
        threads = [threading.Thread(target=person.run) for person in people]
        threads.append(threading.Thread(target=self.weather.run, args=(gust,)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        dice = random.Random(self.seed * 7_919 + gust.number)
        self.rest.check(self.notes.accepted[begun:], dice, disturbed=self.weather.disturbed)

    def run(self, seconds: float) -> list[Gust]:
        """Play gusts until *seconds* are over or something is wrong; returns those that were played."""
        self.start()
        self.weather.order(0)
        played: list[Gust] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.notes.faults:
            gust = drawn(self.seed, len(played) + 1, self.allowed)
            played.append(gust)
            begin = time.monotonic()
            self.play(gust)
            print(f"{gust}: {time.monotonic() - begin:.1f} s", flush=True)
        if self.daemon.process is not None and self.daemon.process.poll() is not None:
            self.notes.fault(f"the daemon ended with {self.daemon.process.returncode}")
        return played


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=None, help="drawn and printed when it is not given")
    parser.add_argument("--disk", action="store_true", help="have a small disk and fill it, where this user may mount")
    given = parser.parse_args(words)
    seed = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    print(f"storm with seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="blastd-storm-"))
    with ExitStack() as stack:
        disk = given.disk and possible()
        if disk:
            stack.enter_context(small(folder, ROOM))
        storm = Storm(folder, seed, disk=disk)
        try:
            played = storm.run(given.seconds)
        finally:
            if storm.daemon.process is not None and storm.daemon.process.poll() is None:
                storm.daemon.kill()
        notes = storm.notes
        print(f"{len(played)} gusts, {len(notes.accepted)} searches accepted, refused {notes.refused or 'none'}")
        if not notes.faults:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            return 0
        for fault in notes.faults:
            print(f"FAULT {fault}")
        print(f"seed {seed}; the last gusts:", *map(str, played[-LAST:]), sep="\n    ")
        shutil.copytree(
            storm.daemon.state.parent, kept := Path(tempfile.mkdtemp(prefix="blastd-storm-kept-")), dirs_exist_ok=True
        )
        print(f"state and log are kept in {kept}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
