"""The engines that the settings switch on, opened for a daemon."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from blastd.blastplus.process import Processes
from blastd.blastplus.tools import Tools
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.config import Settings
from blastd.core.engine import Engine
from blastd.core.model import Frozen
from blastd.engines.local.engine import LocalEngine, LocalEngineSettings
from blastd.engines.local.residents import ResidentSettings
from blastd.errors import ConfigError
from blastd.turns import Turns


class EngineNeeds(Frozen, frozen=True, kw_only=True):
    """What engines are given: the state folder and that of jobs in it, the file that names a cluster, BLAST+, the queue, and what lies outside the daemon."""

    settings: Settings
    root: Path
    jobs_folder: Path
    kubeconfig: Path | None
    tools: Tools
    clock: Clock
    turns: Turns
    processes: Processes
    chance: Chance
    store_name: str


async def open_engines(needs: EngineNeeds, stack: AsyncExitStack) -> dict[str, Engine]:
    """Return the engines that are switched on, the default one first; *stack* closes them. Raises ConfigError."""
    settings, engines = needs.settings, dict[str, Engine]()
    if settings.kubernetes.enabled:
        # Imported here, so that a daemon without a cluster does not hold these libraries in memory.
        from blastd.engines.kubernetes.opening import open_kubernetes  # noqa: PLC0415

        engines["kubernetes"] = await stack.enter_async_context(
            open_kubernetes(
                settings,
                kubeconfig=needs.kubeconfig,
                jobs_folder=needs.jobs_folder,
                clock=needs.clock,
                chance=needs.chance,
                blast_version=needs.tools.version,
                instance=needs.store_name,
            )
        )
    if settings.local.enabled:
        engines["local"] = _local(needs)
    if not engines:
        raise ConfigError("local.enabled: no engine is switched on; set it or kubernetes.enabled to true.")
    return engines


def _local(needs: EngineNeeds) -> LocalEngine:
    local, tools = needs.settings.local, needs.tools
    settings = LocalEngineSettings(
        threads=local.threads,
        shards=local.shards,
        together=local.together,
        nice=local.nice,
        programs=tools.paths,
        environment=tools.environment,
        blast_version=tools.version,
        residents=ResidentSettings(
            most=local.residents,
            alike=needs.turns.schedule.total,
            idle_seconds=local.resident_seconds,
            queries=local.resident_queries,
            private_bytes=local.resident_bytes,
        ),
    )
    return LocalEngine(settings, needs.root, needs.clock, needs.turns, needs.processes, tools.build_of, needs.chance)


def in_use(engines: Mapping[str, Engine]) -> set[str]:
    """Return fingerprints of generations that processes may open files of though no job names them; for any thread."""
    return set().union(*(engine.residents.pins for engine in engines.values() if isinstance(engine, LocalEngine)))


def kubeconfig(settings: Settings, environ: Mapping[str, str]) -> Path | None:
    """Return the kubeconfig file to use, None for the in-cluster account."""
    if settings.kubernetes.kubeconfig is not None:
        return settings.kubernetes.kubeconfig
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    return Path(environ.get("KUBECONFIG", "").split(":")[0] or "~/.kube/config").expanduser()
