"""A lane on a real cluster: what is left there after every end is counted, too."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from tests.cluster.parts import Cluster, Emulator, cluster_environ
from tests.crash.checks import Truth
from tests.crash.lane import Lane
from tests.crash.ledger import Entry
from tests.crash.nursery import Nursery

GONE_SECONDS = 60.0
KINDS = ("jobs", "secrets", "pods")
CONTAINERS = ("queries", "results")
MORE = {"BLASTD_TRACKING__RECONCILE_SECONDS": "2", "BLASTD_KUBERNETES__SHARDS": "2"}


class ClusterLane(Lane):
    """Rounds of a daemon whose searches run as pods."""

    jobs_a_round = 2
    longest_wait = 6.0
    usual_settings = ({},)
    usual_needs = ("", "", "", "cancel", "delete", "make", "retry")
    before = ("one", "one", "protein", "nothing")

    def __init__(
        self, name: str, folder: Path, databases: Path, truth: Truth, seed: int, environ: Mapping[str, str],
        nursery: Nursery, cluster: Cluster, emulator: Emulator,
    ) -> None:  # fmt: skip
        super().__init__(name, folder, databases, truth, seed, environ, nursery)
        self.cluster, self.emulator = cluster, emulator

    def _dead(self, when: str) -> None:
        super()._dead(when)
        for entry in self.ledger.entries:
            if entry.job_id and not entry.verified:
                self._one_job(entry, when)

    def _one_job(self, entry: Entry, when: str) -> None:
        """Complain when two Kubernetes Jobs of one attempt are there."""
        found = self.cluster.of_job("jobs", entry.job_id)
        attempts = [job["metadata"]["name"] for job in found if "deletionTimestamp" not in job["metadata"]]
        if len(attempts) > (2 if entry.retry else 1):
            self.ledger.complain("doubled", f"after {when}: {entry.title} has the Jobs {attempts}")

    def _check_rows(self) -> None:
        super()._check_rows()
        until = time.monotonic() + GONE_SECONDS
        while (left := list(self._left())) and time.monotonic() < until:
            time.sleep(0.5)
        for what in left:
            self.ledger.complain("other", f"check after round {self.rounds}: {what} is left")

    def _left(self) -> Iterator[str]:
        """Yield what of our searches is still in cluster and storage account: all of them have ended."""
        ours = {entry.job_id for entry in self.ledger.entries}
        for kind in KINDS:
            for found in self.cluster.items(kind):
                labels = found["metadata"].get("labels", {})
                if labels.get("blastd.io/job-id") in ours:
                    yield f"{kind} {found['metadata']['name']}"
        service = BlobServiceClient.from_connection_string(self.emulator.connection)
        for container in CONTAINERS:
            for blob in service.get_container_client(container).list_blobs():
                yield f"{container} {blob.name}"


@contextmanager
def parts_of(folder: Path) -> Iterator[tuple[dict[str, str], Cluster, Emulator]]:
    """Give the settings of a daemon on a namespace and an emulator of their own; both are removed at the end."""
    folder.mkdir(parents=True)
    cluster, emulator = Cluster(folder), Emulator(folder / "blob").start()
    try:
        account = cluster.make_account()
        yield cluster_environ(cluster, account, emulator) | MORE, cluster, emulator
    finally:
        emulator.stop()
        cluster.remove()
