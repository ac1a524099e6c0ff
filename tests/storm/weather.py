"""What happens around a crowd: the daemon is stopped, killed, told to reload; its database is rebuilt; its disk is full."""

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.daemon import Daemon
from tests.databases import DB
from tests.mounts import filled
from tests.patience import PATIENCE_SECONDS
from tests.storm.crowd import AWAY_SECONDS, BROKEN, OWN, Notes
from tests.storm.gusts import Gust

VARIANTS = (DB / "nt.fa", DB / "other_same_ids.fa")
"""What the storm's own database may hold."""


class Weather:
    """Does to a daemon what a gust says."""

    def __init__(self, daemon: Daemon, admin: str, notes: Notes, restart: Callable[[], None], config: Path) -> None:
        self.daemon, self.notes, self.restart, self.config = daemon, notes, restart, config
        self._headers = {"Authorization": f"Bearer {admin}"}
        self.disturbed = False
        """Whether searches may have failed for want of room."""

    def run(self, gust: Gust) -> None:
        time.sleep(gust.weather_seconds)  # of the gust, which waits for nothing
        try:
            getattr(self, f"_{gust.weather.replace('-', '_')}")(gust)
        except Exception as error:  # noqa: BLE001  # whatever it meets is a finding
            self.notes.fault(f"{gust.weather}: {type(error).__name__}: {error}")

    def _calm(self, gust: Gust) -> None:
        del gust

    def _stop(self, gust: Gust) -> None:
        assert self.daemon.process is not None
        self.daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(gust.lasts_seconds)
        self.daemon.process.send_signal(signal.SIGCONT)

    def _hangup(self, gust: Gust) -> None:
        """Change settings and have them read again."""
        level = ("info", "debug")[gust.variant]  # a start tells its address as info
        self.config.write_text(f'[logging]\nlevel = "{level}"\n[limits]\nqueued_jobs_per_owner = {500 + gust.number}\n')
        assert self.daemon.process is not None
        self.daemon.process.send_signal(signal.SIGHUP)

    def _kill(self, gust: Gust) -> None:
        del gust
        self.daemon.kill()
        self.restart()

    def _kill_twice(self, gust: Gust) -> None:
        self.daemon.kill()
        self.daemon.begin(*self.flags)
        time.sleep(gust.lasts_seconds)
        self._kill(gust)

    flags: tuple[str, ...] = ()

    def _fill(self, gust: Gust) -> None:
        self.disturbed = True
        with ExitStack() as stack:
            stack.enter_context(filled(self.daemon.state))
            time.sleep(gust.lasts_seconds)

    def _rebuild(self, gust: Gust) -> None:
        self.order(gust.variant)

    def order(self, variant: int) -> None:
        """Order the storm's database, from one of two files, and wait for the end of the task."""
        path = f"/api/blast/databases?name={OWN}&molecule=nucleotide&replace=true"
        body, headers = VARIANTS[variant].read_bytes(), self._headers | {"Content-Type": "text/x-fasta"}
        answer = self.daemon.ask("POST", path, body, headers, seconds=AWAY_SECONDS)
        if answer.status in (409, 503, 507):
            return
        assert answer.status == 202, answer.text
        task, end = answer.json["task"], time.monotonic() + PATIENCE_SECONDS
        while task["status"] not in ("completed", "failed"):
            assert time.monotonic() < end, task
            time.sleep(0.1)
            try:
                again = self.daemon.ask("GET", f"/api/blast/database-tasks/{task['id']}", headers=self._headers)
            except BROKEN:
                continue
            task = again.json["task"] if again.status == 200 else task

    def _remove(self, gust: Gust) -> None:
        """Remove the database and make it again; where the service has no way to remove one, only the latter."""
        answer = self.daemon.ask("DELETE", f"/api/blast/databases/{OWN}", headers=self._headers)
        assert answer.status in (200, 202, 204, 404, 405, 409), answer.text
        self.order(gust.variant)
