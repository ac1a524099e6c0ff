"""What all schedules share, made once by real BLAST+ and real SQLite: applications, a catalogue, an empty store."""

import asyncio
import logging
import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import structlog
from msgspec.structs import replace

from blastd.blastplus import blastdb, facts, tools
from blastd.blastplus.blastdb import BlastDatabase, Scan
from blastd.config import Settings, load
from blastd.daemon import Applications
from blastd.engines.kubernetes.podplan import Manifest, database_blob
from blastd.engines.kubernetes.push import MANIFEST
from blastd.store.sqlite import open_sync
from tests.schedules.outside import SimTools

NUCLEOTIDES = ">s1\nACGTACGTACGTTTGACGATCGATCGATGCATCGATCGACTGACTAAACCCGGGTTT\n"
RESIDUES = ">s1\nMKVLAADTGHWERYPQNCIFMKVLAADTGHWERYPQNCIF\n>s2\nMMMKKKVVVLLLAAADDDTTTGGG\n"
WORTH_PARTS_LETTERS = 10**14
"""The protein database counts as so big that each round of queries is worth a process of its own."""


class Kit:
    """The common part of schedules, under a folder in memory."""

    def __init__(self, root: Path) -> None:
        """Make everything under *root*, which goes with `remove`."""
        self.root = root
        root.mkdir(parents=True)
        self.applications, older, newer = asyncio.run(self._ask())
        self.catalogues = (older, newer)
        """The catalogue, and the one in which the nucleotide database was made anew."""
        self.manifests = {
            database_blob(database.fingerprint, MANIFEST): msgspec.json.encode(
                Manifest(fingerprint=database.fingerprint, name=database.name, molecule=database.molecule, files=())
            )
            for scan in self.catalogues
            for database in scan.databases
        }
        """Databases are in the storage account already."""
        template = root / "template"
        template.mkdir(mode=0o700)
        db = open_sync(template / "blastd.sqlite")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        self.store = (template / "blastd.sqlite").read_bytes()
        self.settings = load(
            None,
            {},
            {
                "store.state_dir": root, "databases.dirs": [], "databases.rescan_seconds": 0,
                "retention.disk_floor_bytes": 0, "retention.days": 0, "local.time_limit_seconds": 20,
                "webhooks.secret": "0123456789abcdef0123456789", "webhooks.allowed_hosts": ["hooks.example:80"],
                "webhooks.longest_delay_seconds": 30, "kubernetes.retries": 0,
            },
        )  # fmt: skip

    async def _ask(self) -> tuple[Applications, Scan, Scan]:
        found = await tools.find(None, os.environ["PATH"], str(self.root))
        offered = facts.understood(found, await facts.ask(found))
        scans = []
        for number in range(2):
            folder = self.root / f"db{number}"
            folder.mkdir()
            _make(folder, "n", "nucl", NUCLEOTIDES + ">s2\nACGTTGCA\n" * number)
            _make(folder, "p", "prot", RESIDUES)
            scan = await blastdb.scan([folder], found)
            assert {database.state for database in scan.databases} == {"ready"}, scan
            scans.append(Scan(databases=tuple(_sized(each) for each in scan.databases)))
        silent = SimTools(paths=found.paths, version=found.version, environment=found.environment)
        return Applications(tools=silent, offered=offered), scans[0], scans[1]

    def settings_for(self, state: Path, **local: int) -> Settings:
        """Return the settings of one schedule."""
        return replace(
            self.settings,
            store=replace(self.settings.store, state_dir=state),
            local=replace(self.settings.local, **local),
        )

    def remove(self) -> None:
        """Remove all."""
        shutil.rmtree(self.root, ignore_errors=True)


def _make(folder: Path, name: str, kind: str, text: str) -> None:
    (folder / f"{name}.fa").write_text(text)
    words = ["makeblastdb", "-in", f"{name}.fa", "-dbtype", kind, "-out", name, "-parse_seqids"]
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def _sized(database: BlastDatabase) -> BlastDatabase:
    return replace(database, letters=WORTH_PARTS_LETTERS) if database.molecule == "prot" else database


def hear_nothing() -> None:
    """Drop log lines below error before they are made; errors are kept by the schedule that made them."""
    structlog.configure(
        processors=[keep_error],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )


ERRORS: list[str] = []
"""What the schedule that runs has logged as an error."""


def keep_error(_logger: object, _name: str, event: structlog.typing.EventDict) -> str:
    """Keep a logged error; the last processor."""
    error = event.get("exc_info")
    ERRORS.append(
        f"{event.get('event')} {error!r} "
        + " ".join(f"{k}={v}" for k, v in event.items() if k not in ("event", "exc_info"))
    )
    raise structlog.DropEvent
