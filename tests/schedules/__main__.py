"""Live schedules: `python -m tests.schedules FIRST COUNT`. Prints each fault with its seed and how to repeat it."""

import argparse
import gc
import hashlib
import multiprocessing
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.schedules.kit import Kit, hear_nothing
from tests.schedules.planted import PLANTED
from tests.schedules.scenarios import KINDS
from tests.schedules.world import World

TAIL = 60
"""Lines of the trace of a schedule with a fault."""


class Lived(NamedTuple):
    """What became of a schedule."""

    seed: int
    kind: str
    orders: int
    turns: int
    faults: list[tuple[str, str]]
    history: list[str]


def live(seed: int, kit: Kit, options: argparse.Namespace) -> Lived:
    """Live the schedule of a seed."""
    world = World(seed, kit, kit.root / f"{os.getpid()}-{seed}", bold=options.bold, kind=options.kind)
    world.run()
    return Lived(seed, world.kind, world.orders, world.turns, world.faults, world.history)


def part(number: int, kit: Kit, options: argparse.Namespace) -> Iterator[Lived]:
    """Live every n-th schedule."""
    gc.disable()
    gc.collect()
    gc.freeze()  # modules and kit are not looked through again: a quarter of the time
    sys.unraisablehook = lambda _: None  # what a killed daemon left in memory may complain
    warnings.simplefilter("ignore", RuntimeWarning)  # of coroutines that it never awaited
    for done, seed in enumerate(range(options.first + number, options.first + options.count, options.jobs)):
        yield live(seed, kit, options)
        if done % 20 == 0:
            gc.collect()


def fork(number: int, kit: Kit, options: argparse.Namespace, queue: "multiprocessing.Queue[Lived | None]") -> None:
    """Live a part in a process of its own."""
    for lived in part(number, kit, options):
        queue.put(lived._replace(history=lived.history[-TAIL:] if lived.faults else []))
    queue.put(None)


def gathered(kit: Kit, options: argparse.Namespace) -> Iterator[Lived]:
    """Live all parts, each in a process of its own."""
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[Lived | None] = context.Queue()
    workers = [context.Process(target=fork, args=(number, kit, options, queue)) for number in range(options.jobs)]
    for worker in workers:
        worker.start()
    left = options.jobs
    while left:
        lived = queue.get(timeout=600)
        if lived is None:
            left -= 1
        else:
            yield lived
    for worker in workers:
        worker.join()


def tell(lived: Lived, options: argparse.Namespace) -> None:
    """Print a schedule with a fault, and how to repeat it."""
    print(f"\n== seed {lived.seed} ({lived.kind}{', bold' if options.bold else ''})")
    print("\n".join(lived.history[-TAIL:]))
    for kind, text in lived.faults[:5]:
        print(f"  {kind}: {text}")
    how = f"{' --bold' if options.bold else ''}{f' --kind {options.kind}' if options.kind else ''}"
    print(f"  repeat: python -m tests.schedules {lived.seed} 1 --trace{how}", flush=True)


def arguments() -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.schedules", description=__doc__)
    parser.add_argument("first", type=int, help="first seed")
    parser.add_argument("count", type=int, help="how many")
    parser.add_argument("--kind", choices=sorted(KINDS), help="one kind only (default: all, weighted)")
    parser.add_argument("--bold", action="store_true", help="also shuffle what is ready")
    parser.add_argument("--planted", choices=sorted(PLANTED), help="put a fault back first, which must be found")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--trace", action="store_true", help="print the whole trace")
    parser.add_argument("--digests", action="store_true", help="print a checksum of each trace")
    parser.add_argument(
        "--most-faults", type=int, default=1, help="stop after so many schedules with a fault (0: never)"
    )
    return parser.parse_args()


def main() -> int:
    """Live the schedules; 1 when one has a fault."""
    options = arguments()
    hear_nothing()
    if options.planted:
        PLANTED[options.planted]()
    kit = Kit(Path(f"/dev/shm/blastd-schedules-{os.getpid()}"))  # noqa: S108  # memory, so that a flush costs nothing
    begin, before = time.monotonic(), time.process_time()
    schedules = orders = turns = bad = 0
    kinds, faults = Counter[str](), Counter[str]()
    try:
        source = gathered(kit, options) if options.jobs > 1 else part(0, kit, options)
        for lived in source:
            schedules, orders, turns = schedules + 1, orders + lived.orders, turns + lived.turns
            kinds[lived.kind] += 1
            if options.digests:
                print(lived.seed, hashlib.sha256("\n".join(lived.history).encode()).hexdigest())
            if options.trace:
                print("\n".join(lived.history))
            if lived.faults:
                bad += 1
                faults.update({kind for kind, _ in lived.faults})
                tell(lived, options)
                if bad == options.most_faults:
                    break
    finally:
        for child in multiprocessing.active_children():
            child.terminate()
            child.join()
        kit.remove()
    seconds, cpu = time.monotonic() - begin, time.process_time() - before
    each = f", {1000 * cpu / max(schedules, 1):.0f} ms of CPU each" if options.jobs == 1 else ""
    print(
        f"{schedules} schedules, {orders} orders, {turns} turns, {bad} with a fault, {seconds:.0f} s{each}; {dict(kinds)}"
    )
    for kind, number in faults.most_common():
        print(f"{number:6} {kind}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
