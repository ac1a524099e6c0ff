"""Every Prometheus metric, in one table. Labels are closed sets (route template, engine, phase), never ids.

Whoever measures is given the Metrics object by `daemon.py`; `render` is what /metrics answers.
"""

import sys
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPEN_METRICS
from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
CALL_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LAG_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1)
STEP_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400)


class Described(NamedTuple):
    """A metric as the table of docs/operating.md shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


class Metrics:
    """The metrics of one daemon, in a registry of their own."""

    def __init__(self) -> None:
        """Make every metric at zero."""
        self.registry = CollectorRegistry()
        self.table: list[Described] = []
        self._of_work()
        self._of_service()
        self._of_http()

    def _of_work(self) -> None:
        self.jobs = self._gauge("blastd_jobs", "Jobs in the store.", "status")
        self.step_seconds = self._histogram(
            "blastd_step_seconds", "Length of a step of a job.", STEP_BUCKETS, "engine", "step"
        )
        self.queue_length = self._gauge("blastd_queue_jobs", "Jobs that wait for a slot.", "engine")
        self.running_units = self._gauge("blastd_running_units", "BLAST+ processes that run now.", "engine")
        self.engine_calls = self._counter(
            "blastd_engine_calls_total",
            "Calls to an engine's outside (API server, storage).",
            "engine",
            "operation",
            "outcome",
        )
        self.engine_call_seconds = self._histogram(
            "blastd_engine_call_seconds", "Length of such a call.", CALL_BUCKETS, "engine", "operation"
        )
        self.engine_healthy = self._gauge("blastd_engine_healthy", "1 while the engine can be asked.", "engine")
        self.watch_healthy = self._gauge("blastd_watch_healthy", "1 while the engine's watch is fresh.", "engine")
        self.pollers = self._gauge("blastd_pollers", "Jobs that a poller follows.")
        self.poller_failures = self._counter("blastd_poller_failures_total", "Pollers that ended by a fault of ours.")
        self.reconcile_seconds = self._histogram(
            "blastd_reconcile_seconds", "Length of a comparison of store and engines.", CALL_BUCKETS
        )
        self.reconcile_repairs = self._counter("blastd_reconcile_repairs_total", "What a comparison mended.", "kind")

    def _of_service(self) -> None:
        self.events = self._counter("blastd_events_total", "Events of jobs: accepted, moved, failed and so on.", "kind")
        self.webhooks = self._counter("blastd_webhooks_total", "Tries to deliver a webhook.", "outcome")
        self.artifact_bytes = self._counter(
            "blastd_artifact_bytes_total", "Bytes that searches stored as their results."
        )
        self.disk_free_bytes = self._gauge("blastd_disk_free_bytes", "Free space where the state lies.")
        self.disk_floor_bytes = self._gauge(
            "blastd_disk_floor_bytes", "Free space under which no searches are accepted."
        )
        self.databases = self._gauge("blastd_databases", "BLAST databases in the catalogue.", "state")
        self.database_tasks = self._counter(
            "blastd_database_tasks_total", "Databases that were made, fetched or updated, or not.", "kind", "outcome"
        )
        self.loop_lag_seconds = self._histogram(
            "blastd_loop_lag_seconds", "How late the event loop runs what is due.", LAG_BUCKETS
        )
        self.memory_bytes = self._gauge("blastd_resident_memory_bytes", "Resident memory of the daemon.")
        self.build = self._gauge(
            "blastd_build_info", "Always 1; the labels tell the versions.", "version", "blast_version"
        )

    def _of_http(self) -> None:
        self.requests = self._counter("blastd_http_requests_total", "Answered requests.", "route", "method", "status")
        self.request_seconds = self._histogram(
            "blastd_http_request_seconds",
            "Time from request to the end of its answer.",
            REQUEST_BUCKETS,
            "route",
            "method",
        )
        self.streams = self._gauge("blastd_event_streams", "Open event streams.")

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the text of all metrics and its media type: OpenMetrics if *accept* asks for it."""
        if "application/openmetrics-text" in accept:
            text: bytes = generate_open_metrics(self.registry)  # type: ignore[no-untyped-call]  # untyped there
            return text, OPEN_METRICS
        return generate_latest(self.registry), CONTENT_TYPE

    def markdown(self) -> str:
        """Return the table of all metrics as docs/operating.md has it."""
        rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
        rows += [f"| `{one.name}` | {one.kind} | {', '.join(one.labels)} | {one.meaning} |" for one in self.table]
        return "\n".join(rows) + "\n"

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        self.table.append(Described(name, "gauge", labels, meaning))
        return Gauge(name, meaning, labels, registry=self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        self.table.append(Described(name, "counter", labels, meaning))
        return Counter(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        self.table.append(Described(name, "histogram", labels, meaning))
        return Histogram(name, meaning, labels, buckets=buckets, registry=self.registry)


if __name__ == "__main__":
    sys.stdout.write(Metrics().markdown())
