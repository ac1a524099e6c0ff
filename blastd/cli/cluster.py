"""`blastd db push` and what `doctor` looks at outside of this machine: the cluster and the storage account."""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from blastd.aio import offload
from blastd.blastplus import blastdb, generation, tools
from blastd.blastplus.shelf import located
from blastd.chance import SystemChance
from blastd.cli.exits import ExitCode
from blastd.cli.screen import say
from blastd.cli.settings import settings_of
from blastd.clock import SystemClock
from blastd.config import Settings
from blastd.core.intervals import Intervals
from blastd.daemon import kubeconfig
from blastd.engines.kubernetes import manifests
from blastd.engines.kubernetes.blob import BlobFailure, open_blobs
from blastd.engines.kubernetes.client import Access, open_client
from blastd.engines.kubernetes.failures import ClusterFailure, CoolDown
from blastd.engines.kubernetes.push import push_database
from blastd.errors import ConfigError, NotFound
from blastd.store.files import Files


def push(given: argparse.Namespace) -> int:
    """Upload a database of this machine to the storage account."""
    settings = settings_of(given)
    if not settings.azure.connection_string:
        raise ConfigError(
            "azure.connection_string_file: name the file that holds the storage account's connection string."
        )
    return asyncio.run(_push(settings, given.name))


async def _push(settings: Settings, name: str) -> int:
    chance = SystemChance()
    found = await tools.find(settings.blast.bin, os.environ.get("PATH", os.defpath), "/")
    scan = await blastdb.scan(settings.databases.dirs, found)
    database = scan.databases.get(name)
    if database is None:
        raise NotFound(
            f"There is no database {name!r} in {', '.join(map(str, settings.databases.dirs)) or 'no folder'}."
        )
    made = await offload(generation.pin, database, Files(settings.store.folder, chance).generations, chance)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    async with open_blobs(settings.azure) as blobs:
        await blobs.ensure_containers()
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(name, total=made.size_bytes)
            await push_database(
                blobs, located(database, made), lambda done, total: bar.update(task, completed=done, total=total)
            )
    say(f"Database {name} ({made.size_bytes:,} bytes) is in the storage account as {database.fingerprint[:12]}.")
    return ExitCode.OK


class Outside(NamedTuple):
    """What was found of one thing outside: its name, whether it is well, what was seen, and the mend."""

    name: str
    ok: bool
    detail: str
    mend: str = ""


async def outside(settings: Settings) -> AsyncIterator[Outside]:
    """Ask the cluster and the storage account once each, if they are used."""
    if not settings.kubernetes.enabled:
        return
    path = kubeconfig(settings, os.environ)
    access = Access(
        kubeconfig=path,
        context=settings.kubernetes.context,
        namespace=settings.kubernetes.namespace,
        request_seconds=settings.kubernetes.request_seconds,
    )
    clock = SystemClock()
    where = f"namespace {access.namespace} by {path or 'the in-cluster account'}"
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(
                open_client(access, clock, CoolDown(clock, Intervals(), SystemChance().share))
            )
            jobs = await client.list_jobs(manifests.SELECTOR)
            await client.list_pods(manifests.SELECTOR)
            yield Outside("cluster", True, f"{where}: {len(jobs)} jobs")
        except (ClusterFailure, ConfigError) as error:
            mend = (
                "Check kubernetes.kubeconfig and namespace; config/kubernetes-rbac.yaml gives the account its rights."
            )
            yield Outside("cluster", False, f"{where}: {error}", mend)
    async with AsyncExitStack() as stack:
        try:
            blobs = await stack.enter_async_context(open_blobs(settings.azure))
            await blobs.ensure_containers()
            yield Outside("storage account", True, "reachable, with its containers")
        except (BlobFailure, ConfigError) as error:
            mend = "Check the connection string, and that this machine reaches the account."
            yield Outside("storage account", False, str(error), mend)
