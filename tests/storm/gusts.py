"""What happens in a storm, drawn from its seed before any of it is done: crowds of searches, and weather around them."""

import random
from dataclasses import dataclass, field

OWNERS = 8
KINDS = ("one", "single", "protein", "nothing", "again", "own")
SURFACES = ("json", "multipart", "fasta", "ncbi", "cli")
SURFACE_WEIGHTS = (40, 20, 20, 15, 1)
FATES = ("left", "cancelled", "retried", "deleted", "waited")
WEATHER = ("calm", "stop", "hangup", "kill", "rebuild", "remove", "fill", "kill-twice")
WEATHER_WEIGHTS = (30, 14, 14, 16, 14, 8, 8, 6)
SPREAD_SECONDS = 0.6
"""Within which a crowd is cancelled: searches that begin, wait and end are all met."""


@dataclass(frozen=True)
class Search:
    """One submit of a crowd, and what its owner does then."""

    number: int
    owner: int
    surface: str
    kind: str
    fate: str
    after_seconds: float


@dataclass(frozen=True)
class Gust:
    """One crowd, and one piece of weather that comes some time after it begins."""

    number: int
    weather: str
    weather_seconds: float
    lasts_seconds: float
    variant: int
    searches: list[Search] = field(default_factory=list)

    def __str__(self) -> str:
        fates = ", ".join(f"{sum(one.fate == fate for one in self.searches)} {fate}" for fate in FATES)
        return f"gust {self.number}: {len(self.searches)} searches ({fates}), {self.weather}"


def drawn(seed: int, number: int, allowed: frozenset[str]) -> Gust:
    """Return the gust of this number: the same for the same seed, whatever came before."""
    dice = random.Random(seed * 1_000_003 + number)
    weather = dice.choices(WEATHER, WEATHER_WEIGHTS)[0]
    crowd = dice.choice((6, 12, 30, 60))
    all_cancelled = dice.random() < 0.3  # a whole crowd at once: what is given back is given back in crowds
    searches = []
    for index in range(crowd):
        surface, kind = dice.choices(SURFACES, SURFACE_WEIGHTS)[0], dice.choice(KINDS)
        fate = "cancelled" if all_cancelled else dice.choice(FATES)
        after = dice.random() * SPREAD_SECONDS
        searches.append(Search(number * 1000 + index, dice.randrange(OWNERS), surface, kind, fate, after))
    if crowd < 30 and dice.random() < 0.3:  # one that holds a slot, and is cancelled
        searches.append(Search(number * 1000 + 999, 0, "json", "slow", "cancelled", SPREAD_SECONDS))
    return Gust(
        number=number,
        weather=weather if weather in allowed else "calm",
        weather_seconds=dice.random() * SPREAD_SECONDS,
        lasts_seconds=0.2 + dice.random() * 1.5,
        variant=dice.randrange(2),
        searches=searches,
    )
