"""What use cases stand on: made by the daemon before them, and handed to each as a whole."""

from blastd.aio import News
from blastd.blastplus.pins import Pins
from blastd.blastplus.tools import Tools
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.config import Settings
from blastd.core.ids import JobId
from blastd.core.model import Frozen
from blastd.core.programs import Catalogue
from blastd.metrics import Metrics
from blastd.service.databases.catalogue import Databases
from blastd.service.posting import Posting
from blastd.service.taxonomy.taxa import Taxa
from blastd.store.files import Files
from blastd.store.sqlite import Store
from blastd.tracking.tracker import Tracker
from blastd.turns import Turns


class Ground(Frozen, frozen=True, kw_only=True):
    """What every part of a daemon may need: its settings, its state, this machine, and BLAST+ as it is installed."""

    settings: Settings
    clock: Clock
    chance: Chance
    metrics: Metrics
    store: Store
    files: Files
    turns: Turns
    tools: Tools
    offered: Catalogue
    posting: Posting
    version: str


class Stock(Frozen, frozen=True, kw_only=True):
    """What searches draw on: databases, names of organisms, generations that are pinned, and what moves jobs along.

    `completed` is told of every job that completes.
    """

    databases: Databases
    taxa: Taxa
    pins: Pins
    tracker: Tracker
    completed: News[JobId]
