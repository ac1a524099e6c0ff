"""Opens the Kubernetes engine with its clients, and closes them."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from blastd.aio import duty
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.config import Settings
from blastd.core.intervals import Intervals
from blastd.engines.kubernetes.client import ClusterAccess, open_client
from blastd.engines.kubernetes.engine import KubernetesEngine
from blastd.engines.kubernetes.failures import CoolDown
from blastd.engines.kubernetes.tenure import Tenure
from blastd.storage.opening import open_storage


@asynccontextmanager
async def open_kubernetes(
    settings: Settings,
    *,
    kubeconfig: Path | None,
    jobs_folder: Path,
    clock: Clock,
    chance: Chance,
    blast_version: str = "",
    instance: str = "",
) -> AsyncIterator[KubernetesEngine]:
    """Give the engine; nothing is asked of the cluster yet. *kubeconfig* None: the in-cluster account. Raises ConfigError.

    *instance* names the store.
    """
    kubernetes = settings.kubernetes
    access = ClusterAccess(
        kubeconfig=kubeconfig,
        context=kubernetes.context,
        namespace=kubernetes.namespace,
        request_seconds=kubernetes.request_seconds,
    )
    cool = CoolDown(clock, Intervals(), chance.share)
    async with open_client(access, clock, cool) as client, open_storage(settings, chance) as storage:
        folder = await duty(jobs_folder.resolve)
        tenure = Tenure(client, clock, instance, await duty(holder_of, folder))
        yield KubernetesEngine(client, storage, kubernetes, folder, clock, chance, blast_version, instance, tenure)


def holder_of(folder: Path) -> str:
    """Return what tells the daemon on *folder* from one on a copy of it: only one at a time runs on the folder itself; blocking."""
    state = folder.stat()
    return f"{socket.gethostname()}:{state.st_dev:x}-{state.st_ino:x}"
