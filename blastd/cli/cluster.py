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
from blastd.blastplus.pins import located
from blastd.chance import SystemChance
from blastd.cli.exits import ExitCode
from blastd.cli.screen import say
from blastd.cli.settings import settings_of
from blastd.clock import SystemClock
from blastd.config import Settings
from blastd.core.intervals import Intervals
from blastd.engines.kubernetes import rights
from blastd.engines.kubernetes.client import ClusterAccess, open_client
from blastd.engines.kubernetes.failures import ClusterFailure, CoolDown
from blastd.engines.kubernetes.push import push_database
from blastd.engines.opening import kubeconfig
from blastd.errors import ConfigError, NotFound
from blastd.storage.contract import StorageFailure
from blastd.storage.opening import open_storage
from blastd.store.files import Files


def push(given: argparse.Namespace) -> int:
    """Upload a database of this machine to the storage account."""
    settings = settings_of(given)
    if settings.kubernetes.storage == "blob" and not settings.azure.connection_string:
        raise ConfigError(
            "azure.connection_string_file: name the file that holds the storage account's connection string."
        )
    return asyncio.run(_push(settings, given.name))


async def _push(settings: Settings, name: str) -> int:
    chance = SystemChance()
    found = await tools.find(settings.blast.bin, os.environ.get("PATH", os.defpath), "/")
    scan = await blastdb.scan(settings.databases.dirs, found)
    named = scan.named(name)
    if not named:
        raise NotFound(
            f"There is no database {name!r} in {', '.join(map(str, settings.databases.dirs)) or 'no folder'}."
        )
    for database in named:  # a nucleotide and a protein one may have the same name
        await _push_one(settings, database, chance)
    return ExitCode.OK


async def _push_one(settings: Settings, database: blastdb.BlastDatabase, chance: SystemChance) -> None:
    made = await offload(generation.pin, database, Files(settings.store.folder, chance).generations, chance)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    async with open_storage(settings, chance) as storage:
        await storage.ensure()
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(database.name, total=made.size_bytes)
            await push_database(
                storage, located(database, made), lambda done, total: bar.update(task, completed=done, total=total)
            )
    say(
        f"Database {database.name} ({made.size_bytes:,} bytes) is in the {storage.noun} as {database.fingerprint[:12]}."
    )


class OutsideFinding(NamedTuple):
    """What was found of one thing outside: its name, its state as `doctor` names it, what was seen, and the mend."""

    name: str
    state: str
    detail: str
    mend: str = ""


OK, WARNING, FAULT = "ok", "warning", "fault"
RIGHTS = "Apply config/kubernetes/rbac.yaml as the cluster's administrator, or add the right to the account's role."


async def outside(settings: Settings) -> AsyncIterator[OutsideFinding]:
    """Ask the cluster and the storage account, if they are used."""
    if not settings.kubernetes.enabled:
        return
    async for finding in _cluster(settings):
        yield finding
    async with AsyncExitStack() as stack:
        try:
            storage = await stack.enter_async_context(open_storage(settings, SystemChance()))
        except ConfigError as error:
            yield OutsideFinding("storage", FAULT, str(error), "Correct the section of the storage, azure or volume.")
            return
        try:
            await storage.ensure()
            yield OutsideFinding(storage.noun, OK, "reachable, with its containers")
        except StorageFailure as error:
            yield OutsideFinding(storage.noun, FAULT, str(error), f"{storage.mend.capitalize()}.")


async def _cluster(settings: Settings) -> AsyncIterator[OutsideFinding]:
    """Ask the API server whether it answers, then for each right that is used."""
    path = kubeconfig(settings, os.environ)
    access = ClusterAccess(
        kubeconfig=path,
        context=settings.kubernetes.context,
        namespace=settings.kubernetes.namespace,
        request_seconds=settings.kubernetes.request_seconds,
    )
    clock = SystemClock()
    where = f"namespace {access.namespace} by {path or 'the in-cluster account'}"
    async with AsyncExitStack() as stack:
        try:
            cool = CoolDown(clock, Intervals(), SystemChance().share)
            client = await stack.enter_async_context(open_client(access, clock, cool))
            lacking = await rights.missing(client)
        except (ClusterFailure, ConfigError) as error:
            mend = (
                "Check kubernetes.kubeconfig and namespace; config/kubernetes/rbac.yaml gives the account its rights."
            )
            yield OutsideFinding("cluster", FAULT, f"{where}: {error}", mend)
            return
        yield OutsideFinding(
            "cluster", OK, f"{where}: {len(rights.RIGHTS) - len(lacking)} of {len(rights.RIGHTS)} rights"
        )
        for right in lacking:
            detail = f"the account may not {right.text} in {access.namespace}: {right.use}"
            yield OutsideFinding(f"right {right.text}", FAULT if right.needed else WARNING, detail, RIGHTS)
