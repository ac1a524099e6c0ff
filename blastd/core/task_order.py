"""Whose work on databases begins next: fair between owners, the oldest first, never two tasks on one database."""

from collections.abc import Sequence

from blastd.core.ids import Owner
from blastd.core.model import Frozen


class OpenTask(Frozen, frozen=True, kw_only=True):
    """Work on a database that has not ended: `target` is the database that it makes or replaces; it waits since `since` (any order)."""

    key: str
    owner: Owner
    target: tuple[str, str]
    since: int


def next_ones(waiting: Sequence[OpenTask], running: Sequence[OpenTask], at_once: int) -> list[OpenTask]:
    """Return the tasks that begin now, so that at most *at_once* run: each time of the owner who has the fewest."""
    chosen: list[OpenTask] = []
    left = sorted(waiting, key=lambda task: (task.since, task.key))
    while len(running) + len(chosen) < at_once:
        active = [*running, *chosen]
        busy = {task.target for task in active}
        free = [task for task in left if task.target not in busy]
        if not free:
            break
        task = min(free, key=lambda one: sum(other.owner == one.owner for other in active))
        chosen.append(task)
        left.remove(task)
    return chosen
