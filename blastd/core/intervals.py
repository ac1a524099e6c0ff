"""How often to look: poll delay and refresh throttle by phase, cool-down and backoff.

The numbers are DESIGN.md's (3.5 and 3.6): first look after 10 s, then by phase; one throttle for all readers.
"""

from blastd.core.model import Frozen, Phase

FAST = frozenset({Phase.RUNNING, Phase.RESULTS_PENDING, Phase.EXPORTING})
SLOW = frozenset({Phase.SUBMITTED})


class Intervals(Frozen, frozen=True, kw_only=True):
    """Seconds between looks. `max_rounds` looks that nothing woke retire a poller."""

    first_look: float = 10.0
    normal: float = 10.0
    fast: float = 5.0
    slow: float = 20.0
    max_rounds: int = 180
    throttle_fast: float = 5.0
    throttle_slow: float = 20.0
    cool_down: float = 5.0
    cool_down_max: float = 60.0


def poll_delay(phase: Phase, policy: Intervals) -> float:
    """Return seconds until a poller looks again by itself at a job in *phase*."""
    if phase in FAST:
        return policy.fast
    return policy.slow if phase in SLOW else policy.normal


def throttle(phase: Phase, policy: Intervals) -> float:
    """Return seconds that must lie between two outside looks at one job, whoever asks."""
    return policy.throttle_slow if phase in SLOW else policy.throttle_fast


def may_look(phase: Phase, last: float | None, now: float, policy: Intervals) -> bool:
    """Tell whether a job in *phase*, last looked at at *last* (monotonic seconds), may be looked at again."""
    return last is None or now - last >= throttle(phase, policy)


def backoff(failures: int, policy: Intervals, jitter: float) -> float:
    """Return seconds of cool-down after *failures* in a row (1 or more); *jitter* in 0..1 takes up to half away."""
    full = min(policy.cool_down * 2.0 ** min(failures - 1, 16), policy.cool_down_max)
    return full * (1.0 - 0.5 * jitter)
