"""The crash campaign: a daemon under load is killed at every named moment and at many random ones, and nothing is lost.

    python -m tests.crash.campaign --rounds 200 --seed 7 --state /tmp/crash

After each kill: no process of the dead daemon lives. After some kills, and at the end, an ordinary daemon runs until all
has ended: every accepted search is there once, completed with what bare BLAST+ says or cancelled where that was ordered;
every search that got no answer is sent again under its key and is one; `blastd fsck` finds what the next sweep removes
and nothing else. A named moment that never came is a failure, too. Exit 1 keeps the state folder.
"""

import argparse
import random
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from tests.crash.checks import Truth
from tests.crash.cluster import ClusterLane, parts_of
from tests.crash.commands import CommandLane
from tests.crash.lane import Lane
from tests.crash.moments import CLUSTER, LOCAL, Moment
from tests.crash.nursery import Nursery
from tests.databases import DB, make, random_dna

CHECK_EVERY = 8
TRIES = 3
ENVIRON = {
    "BLASTD_LOCAL__SLOTS": "2",
    "BLASTD_LOCAL__SHARDS": "2",
    "BLASTD_LOCAL__THREADS": "1",
    "BLASTD_LIMITS__QUEUED_JOBS_PER_OWNER": "10000",
    "BLASTD_LIMITS__ACTIVE_JOBS_PER_OWNER": "10000",
    "BLASTD_TRACKING__RECONCILE_SECONDS": "2",
}


Work = Callable[[Lane], None]


@dataclass
class Plan:
    """What a campaign does: random rounds, named moments, and where."""

    folder: Path
    seed: int
    rounds: int
    moments: Sequence[Moment] = LOCAL
    cluster: bool = False
    width: int = 2
    seconds: float = 86400.0
    lanes: list[Lane] = field(default_factory=list)


def few_databases(folder: Path) -> Path:
    """Make the databases of the load: few, since every start looks through them."""
    folder.mkdir(parents=True)
    make(folder, DB / "nt.fa", "tnt", "nucl", "-parse_seqids", "-title", "tnt")
    make(folder, DB / "aa.fa", "taa", "prot", "-parse_seqids", "-title", "taa")
    slow = folder / "slow.fa"
    slow.write_text("".join(f">r{number}\n{random_dna(50_000, 1000 + number)}\n" for number in range(60)))
    make(folder, slow, "slow", "nucl", "-parse_seqids", "-title", "slow")
    slow.unlink()
    return folder


def run(plan: Plan) -> bool:
    """Run the campaign in lanes, one a core; returns whether all was well."""
    databases = few_databases(plan.folder / "db")
    truth = Truth(databases, plan.folder)
    moments = list(plan.moments)
    random.Random(plan.seed).shuffle(moments)
    first = [named(moment) for moment in moments] + [at_random] * min(plan.rounds, len(moments))
    random.Random(plan.seed + 1).shuffle(first)
    work: list[Work] = first + [at_random] * (plan.rounds + len(moments) - len(first))
    begin = time.monotonic()
    with ExitStack() as stack:
        nursery = stack.enter_context(closing(Nursery()))
        if plan.cluster:
            environ, cluster, emulator = stack.enter_context(parts_of(plan.folder / "cluster"))
            folder = plan.folder / "lane"
            plan.lanes.append(
                ClusterLane("cluster", folder, databases, truth, plan.seed, environ, nursery, cluster, emulator)
            )
        for number in range(0 if plan.cluster else plan.width):
            name = f"lane{number}"
            lane = CommandLane(name, plan.folder / name, databases, truth, plan.seed, ENVIRON, nursery)
            plan.lanes.append(lane)
        in_lanes(plan.lanes, work, begin + plan.seconds)
    return summary(plan, time.monotonic() - begin)


def named(moment: Moment) -> Work:
    """Return the round of a moment: the load is drawn by lot, so one that did not come gets another load."""

    def rounds(lane: Lane) -> None:
        for _ in range(TRIES):
            lane.named_round(moment)
            if moment.name in lane.reached:
                return

    return rounds


def at_random(lane: Lane) -> None:
    """Do a round that ends at a random moment."""
    lane.random_round()


def in_lanes(lanes: Sequence[Lane], work: Sequence[Work], until: float) -> None:
    """Share the rounds out and wait for all."""
    shares = [(lane, work[number :: len(lanes)], until) for number, lane in enumerate(lanes)]
    threads = [threading.Thread(target=_lane, args=share) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _lane(lane: Lane, share: Sequence[Work], until: float) -> None:
    try:
        lane.set_up()
        for number, work in enumerate(share, 1):
            work(lane)
            over = time.monotonic() > until
            if number % CHECK_EVERY == 0 or number == len(share) or over:
                lane.check()
                told(lane)
            if over:
                return
    except Exception as error:  # whatever stops a lane is told, and the other one goes on
        lane.ledger.complain("other", f"{lane.name} stopped in round {lane.rounds}: {type(error).__name__}: {error}")
        told(lane)
        raise
    finally:
        process = lane.daemon.process
        if process is not None and process.poll() is None:
            lane.daemon.kill()


def told(lane: Lane) -> None:
    """Print how far a lane is."""
    ledger = lane.ledger
    print(
        f"{lane.name}: {lane.rounds} kills, {len(lane.reached)} moments, {len(ledger.entries)} searches, "
        f"{len(ledger.violations)} violations",
        flush=True,
    )


def summary(plan: Plan, seconds: float) -> bool:
    """Print what came out, and return whether it was well."""
    lanes = plan.lanes
    entries = [entry for lane in lanes for entry in lane.ledger.entries]
    missed = [moment.name for moment in plan.moments if not any(moment.name in lane.reached for lane in lanes)]
    violations = [text for lane in lanes for text in lane.ledger.violations]
    if missed:
        print(f"MOMENTS THAT NEVER CAME: {', '.join(missed)}")
    total = {
        name: sum(getattr(lane.ledger, name) for lane in lanes) for name in ("lost", "doubled", "false_ends", "other")
    }
    print(
        f"crash campaign: seed {plan.seed}, {sum(lane.rounds for lane in lanes)} kills in {seconds:.0f} s, "
        f"{len(plan.moments) - len(missed)} of {len(plan.moments)} named moments reached, the others at random"
    )
    cancelled = sum(entry.kind == "slow" for entry in entries)
    deleted = sum(entry.delete == "done" for entry in entries)
    print(
        f"searches: {len(entries)} sent, {sum(entry.accepted for entry in entries)} accepted; ended true: "
        f"{sum(entry.verified for entry in entries) - cancelled - deleted} completed, {cancelled} cancelled, {deleted} deleted"
    )
    databases = [task for lane in lanes for task in lane.ledger.tasks]
    events = sum(len(lane.listener.seen) for lane in lanes)
    print(
        f"databases made: {sum(task.verified and bool(task.task_id) for task in databases)}; events heard once, in order: {events}"
    )
    print(
        f"lost {total['lost']}, doubled {total['doubled']}, false ends {total['false_ends']}, other violations {total['other']}"
    )
    swept = sum(lane.swept for lane in lanes)
    print(f"left for the sweeps (tmp/, folders without a row): {swept} entries, all removed by 'blastd fsck --mend'")
    return not violations and not missed


def main() -> int:
    parser = argparse.ArgumentParser(prog="crash", description="Kill blastd at named and at random moments.")
    parser.add_argument("--rounds", type=int, help="kills at random moments (200; on a cluster 30)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--state", type=Path, help="folder for everything; kept")
    parser.add_argument("--only", action="append", help="this named moment only, and others given so")
    parser.add_argument("--moments", type=int, help="so many named moments, drawn with the seed (all)")
    parser.add_argument("--lanes", type=int, default=2, help="daemons at once, each with a state folder of its own")
    parser.add_argument("--seconds", type=float, default=86400.0, help="begin no round after so long")
    parser.add_argument("--cluster", action="store_true", help="on the cluster that tests/cluster/parts.py names")
    given = parser.parse_args()
    folder = given.state or Path(mkdtemp(prefix="blastd-crash-"))
    moments = CLUSTER if given.cluster else LOCAL
    if given.only:
        moments = tuple(moment for moment in moments if moment.name in given.only)
    if given.moments is not None:
        moments = tuple(random.Random(given.seed).sample(moments, min(given.moments, len(moments))))
    rounds = given.rounds if given.rounds is not None else 30 if given.cluster else 200
    plan = Plan(
        folder=folder,
        seed=given.seed,
        rounds=rounds,
        moments=moments,
        cluster=given.cluster,
        width=given.lanes,
        seconds=given.seconds,
    )
    print(
        f"crash campaign: seed {plan.seed}, {rounds} random kills and {len(moments)} named moments in {folder}",
        flush=True,
    )
    if not run(plan):
        print(f"the state folders are kept in {folder}")
        return 1
    if given.state is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
