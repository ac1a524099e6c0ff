"""Kinds of schedules and what they are made of: weights matter more than numbers."""

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of schedule: which orders clients give, on which engine, and how often the daemon is killed."""

    orders: dict[str, int]
    engine: str = "local"
    kills: tuple[int, ...] = (0, 0, 0, 1)
    most: tuple[int, ...] = (2, 4, 6)
    """Orders of a schedule."""
    profiles: dict[str, tuple[str, ...]] = {}
    """Which of STALLS a channel may have, where not all."""
    express: tuple[int, ...] = (0, 0, 1, 2)
    """Places of the express lane: with many no tiny search ever waits."""
    at_ends: float = 0.1
    """How often a client orders just when a process ends, and something of its search."""


KINDS = {
    "mixed": Kind(
        {
            "submit": 14, "crowd": 4, "cancel": 12, "retry": 8, "delete": 6, "wait": 4, "list": 4, "cancel_all": 3,
            "sweep": 3, "fill": 1, "long": 1,
        }
    ),
    "storm": Kind({"submit": 5, "crowd": 14, "cancel": 10, "cancel_all": 16, "retry": 2}, most=(2, 3, 5)),
    "crowds": Kind(
        {"submit": 10, "crowd": 16, "long": 1}, kills=(0, 0, 0, 0, 1), most=(1, 2, 3),
        profiles={"sqlite": ("jitter", "slow", "slow"), "thread": ("calm", "jitter")},
    ),
    "retries": Kind(
        {"submit": 10, "cancel": 20, "retry": 24, "delete": 2, "cancel_all": 4},
        profiles={"thread": ("jitter", "slow", "slow"), "sqlite": ("calm", "calm", "jitter", "slow")}, at_ends=0.5,
    ),
    "restarts": Kind(
        {"submit": 14, "crowd": 4, "cancel": 8, "retry": 8, "delete": 4, "sweep": 2, "wait": 2}, kills=(1, 2, 3)
    ),
    "generations": Kind({"submit": 14, "delete": 10, "replace": 8, "sweep": 12, "retry": 2, "cancel": 2}),
    "harvest": Kind(
        {"submit": 10, "long": 4, "crowd": 2, "cancel": 3, "retry": 3, "wait": 2, "meddle": 2}, engine="kubernetes", most=(2, 3, 5)
    ),
    "meddle": Kind(
        {"submit": 10, "meddle": 12, "cancel": 6, "retry": 6, "delete": 2, "away": 2, "long": 2},
        engine="kubernetes", most=(2, 3, 5),
    ),
}  # fmt: skip
WEIGHTS = {
    "mixed": 18, "storm": 16, "crowds": 16, "retries": 16, "restarts": 14, "generations": 6, "harvest": 7, "meddle": 7,
}  # fmt: skip

STALLS = {  # what a turn of a thread, of SQLite, of a process's start and reaping takes, in seconds
    "calm": (0.0, 0.0, 0.001),
    "jitter": (0.0, 0.0, 0.001, 0.001, 0.002, 0.01, 0.05),
    "slow": (0.0, 0.001, 0.01, 0.1, 0.1, 0.5, 2.0),
}
PROFILES = ("calm", "jitter", "slow")
CHANNELS = ("thread", "sqlite", "process", "api", "watch", "download")
