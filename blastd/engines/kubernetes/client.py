"""The few calls that blastd makes to the API server, each with a time limit, failures as ours.

kubernetes-asyncio gives configuration, credentials and transport; answers stay JSON and are decoded by who asked.
A cluster that fails cools down as a whole: until then calls fail at once, except the watches' (they find out when it
is back). What an answer means is left to `status` and `diagnosis`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec
import structlog
from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.config import ConfigException, load_incluster_config, load_kube_config

from blastd.clock import Clock
from blastd.engines.kubernetes.failures import (
    AccessRefused,
    ClusterAway,
    ClusterFailure,
    CoolDown,
    ObjectExists,
    ObjectMissing,
    ObjectRefused,
    VersionGone,
)
from blastd.engines.kubernetes.objects import (
    JobList,
    JobObject,
    PodList,
    PodObject,
    Review,
    StatusObject,
)
from blastd.errors import ConfigError

log = structlog.get_logger()
T = TypeVar("T")

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
RELOAD_SECONDS = 300.0  # token files are rotated hourly and stay valid long after; kubelet itself re-reads every 5 min
CONNECT_SECONDS = 3.0
PATIENCE_SECONDS = 60.0  # longest Retry-After that is waited for: a cluster that is back is to be seen soon
PAGE = 250  # objects a page: some 2 MB of JSON, decoded in under 20 ms


class ClusterAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Which cluster, as whom: a kubeconfig (None: the in-cluster account) and its context."""

    kubeconfig: Path | None
    context: str = ""
    namespace: str = "default"
    request_seconds: float = 10.0


class ClusterClient:
    """Talks to one namespace of one cluster. Made by `open_client`."""

    def __init__(self, access: ClusterAccess, api: ApiClient, clock: Clock, cool: CoolDown) -> None:
        """Take the opened transport."""
        self.namespace = access.namespace
        self.cool = cool
        self._access, self._api, self._clock = access, api, clock
        self._loaded = clock.monotonic()

    # ------------------------------------------------------------------ jobs
    async def create_job(self, manifest: Mapping[str, Any]) -> JobObject:
        """Create a Job; ObjectExists when there is one of this name."""
        return await self._typed("POST", self._batch("jobs"), JobObject, body=manifest)

    async def get_job(self, name: str) -> JobObject:
        """Return a Job; ObjectMissing when there is none."""
        return await self._typed("GET", self._batch("jobs", name), JobObject)

    async def get_job_manifest(self, name: str) -> dict[str, Any]:
        """Return a Job with all of its fields, to compare it with what we would create."""
        return await self._typed("GET", self._batch("jobs", name), dict[str, Any])

    async def delete_job(self, name: str, uid: str = "", grace_seconds: int | None = None) -> None:
        """Delete a Job with its pods, in the background; only the one of *uid* if given. Nothing there: ObjectMissing."""
        await self._delete(self._batch("jobs", name), uid, grace_seconds)

    async def list_jobs(self, selector: str) -> tuple[JobObject, ...]:
        """Return every Job that *selector* chooses, all pages."""
        found: list[JobObject] = []
        token = ""
        while True:
            page = await self.page_of("jobs", JobList, selector, token)
            found += page.items
            if not (token := page.metadata.continue_):
                return tuple(found)

    # ------------------------------------------------------------------ pods
    async def list_pods(self, selector: str) -> tuple[PodObject, ...]:
        """Return every Pod that *selector* chooses, all pages."""
        found: list[PodObject] = []
        token = ""
        while True:
            page = await self.page_of("pods", PodList, selector, token)
            found += page.items
            if not (token := page.metadata.continue_):
                return tuple(found)

    # ------------------------------------------------------------------ secrets, configmaps, daemonsets
    async def create_secret(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create a Secret."""
        return await self._typed("POST", self._core("secrets"), dict[str, Any], body=manifest)

    async def patch_secret(self, name: str, patch: Mapping[str, Any]) -> None:
        """Apply a JSON merge patch to a Secret."""
        await self._call("PATCH", self._core("secrets", name), body=patch, content=MERGE_PATCH)

    async def delete_secret(self, name: str) -> None:
        """Delete a Secret."""
        await self._delete(self._core("secrets", name), "", None)

    async def create_config_map(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create a ConfigMap."""
        return await self._typed("POST", self._core("configmaps"), dict[str, Any], body=manifest)

    async def get_config_map(self, name: str) -> dict[str, Any]:
        """Return a ConfigMap."""
        return await self._typed("GET", self._core("configmaps", name), dict[str, Any])

    async def create_daemon_set(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create a DaemonSet."""
        return await self._typed("POST", self._apps("daemonsets"), dict[str, Any], body=manifest)

    async def get_daemon_set(self, name: str) -> dict[str, Any]:
        """Return a DaemonSet."""
        return await self._typed("GET", self._apps("daemonsets", name), dict[str, Any])

    # ------------------------------------------------------------------ leases
    async def get_lease(self, name: str) -> dict[str, Any]:
        """Return a Lease; ObjectMissing when there is none."""
        return await self._typed("GET", self._leases(name), dict[str, Any])

    async def create_lease(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create a Lease; ObjectExists when there is one of this name."""
        return await self._typed("POST", self._leases(), dict[str, Any], body=manifest)

    async def replace_lease(self, name: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the version of a Lease that *manifest* names; ObjectExists when there is a newer one."""
        return await self._typed("PUT", self._leases(name), dict[str, Any], body=manifest)

    async def may(self, group: str, resource: str, verb: str) -> bool:
        """Tell whether this account may do *verb* in the namespace (SelfSubjectAccessReview, which everybody may make)."""
        asked = {"namespace": self.namespace, "group": group, "resource": resource, "verb": verb}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return (await self._typed("POST", path, Review, body=body)).status.allowed

    # ------------------------------------------------------------------ lists and watches, for the reflectors
    async def page_of(
        self, kind: str, shape: type[T], selector: str, token: str = "", *, probe: bool = False, fields: str = ""
    ) -> T:
        """Return one page of a list; *probe* asks even while the cluster cools down."""
        query = chosen(selector, fields) | {"limit": str(PAGE)} | ({"continue": token} if token else {})
        return await self._typed("GET", self._collection(kind), shape, query=query, probe=probe)

    @asynccontextmanager
    async def watching(
        self, kind: str, selector: str, version: str, *, seconds: float, grace: float, fields: str = ""
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """Give the lines of a watch from *version* on. The server ends it after *seconds*, we do *grace* later.

        Asks even while the cluster cools down. Leaving the block closes the connection.
        """
        query = chosen(selector, fields) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(round(seconds)),
        }
        limits = aiohttp.ClientTimeout(total=seconds + grace, sock_connect=CONNECT_SECONDS)
        try:
            async with asyncio.timeout(self._access.request_seconds):  # it begins to answer at once
                response = await self._send("GET", self._collection(kind), query, None, JSON, limits)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._away(error) from error
        try:
            if response.status != 200:
                raise self._failure(response.status, await response.read(), response.headers)
            self.cool.worked()
            yield response.content
        finally:
            response.close()

    # ------------------------------------------------------------------ one call
    async def _typed(
        self,
        method: str,
        path: str,
        shape: type[T],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = JSON,
        probe: bool = False,
    ) -> T:
        raw = await self._call(method, path, query=query, body=body, content=content, probe=probe)
        try:
            return msgspec.json.decode(raw, type=shape)
        except msgspec.MsgspecError as error:
            raise ClusterAway(f"The API server's answer can't be read: {error}.") from error

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = JSON,
        probe: bool = False,
    ) -> bytes:
        if not probe:
            self.cool.check()
        await self._refresh()
        seconds = self._access.request_seconds
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=min(CONNECT_SECONDS, seconds))
        for last in (False, True):
            try:
                response = await self._send(method, path, query, body, content, limits)
                raw = await response.read()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise self._away(error) from error
            if response.status == 401 and not last:  # a token that was rotated: read it again, once
                await self._reload()
                continue
            break
        if response.status >= 300:
            raise self._failure(response.status, raw, response.headers)
        self.cool.worked()
        return raw

    async def _send(  # private, one caller each
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        content: str,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse = await self._api.call_api(
            path,
            method,
            query_params=list((query or {}).items()),
            header_params={"Accept": JSON, "Content-Type": content},
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=limits,
        )
        return response

    def _away(self, error: Exception) -> ClusterAway:
        kind = "did not answer in time" if isinstance(error, TimeoutError) else "can't be reached"
        detail = str(error) or type(error).__name__
        reason = f"The cluster's API server {kind}: {detail}."
        self.cool.failed(reason)
        return ClusterAway(reason)

    def _failure(self, status: int, raw: bytes, headers: Mapping[str, str]) -> ClusterFailure:
        """Turn an answer that is not 2xx into our error; only trouble of the server itself starts a cool-down."""
        try:
            told = msgspec.json.decode(raw, type=StatusObject)
        except msgspec.MsgspecError:
            told = StatusObject(code=status, message=raw[:300].decode(errors="replace"))
        message = told.message or f"HTTP {status}"
        if status in (408, 429) or status >= 500:
            least = patience(headers.get("Retry-After", ""))
            self.cool.failed(f"The cluster's API server answers {status}: {message.strip().rstrip('.')}.", least)
            return ClusterAway(self.cool.reason, retry_after_seconds=least)
        self.cool.worked()
        kinds: dict[int, type[ClusterFailure]] = {
            401: AccessRefused,
            404: ObjectMissing,
            409: ObjectExists,
            410: VersionGone,
            400: ObjectRefused,
            422: ObjectRefused,
        }
        if status == 403:  # quota and admission webhooks use 403, too; RBAC says "cannot"
            refused = " cannot " in message and "exceeded quota" not in message
            return AccessRefused(message) if refused else ObjectRefused(message)
        return kinds.get(status, ObjectRefused)(message, status=status)

    async def _delete(self, path: str, uid: str, grace_seconds: int | None) -> None:
        body: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        await self._call("DELETE", path, body=body)

    async def _refresh(self) -> None:
        if self._clock.monotonic() - self._loaded > RELOAD_SECONDS:
            await self._reload()

    async def _reload(self) -> None:
        """Read credentials again; a file that can't be read now leaves the old ones."""
        self._loaded = self._clock.monotonic()
        try:
            fresh = await configuration(self._access)
        except ConfigError as error:
            log.warning("credentials_not_read", reason=str(error))
            return
        self._api.configuration.api_key = fresh.api_key

    def _batch(self, kind: str, name: str = "") -> str:
        return self._path("/apis/batch/v1", kind, name)

    def _core(self, kind: str, name: str = "") -> str:
        return self._path("/api/v1", kind, name)

    def _apps(self, kind: str, name: str = "") -> str:
        return self._path("/apis/apps/v1", kind, name)

    def _leases(self, name: str = "") -> str:
        return self._path("/apis/coordination.k8s.io/v1", "leases", name)

    def _collection(self, kind: str) -> str:
        return self._batch(kind) if kind == "jobs" else self._core(kind)

    def _path(self, group: str, kind: str, name: str) -> str:
        return f"{group}/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")


def chosen(selector: str, fields: str) -> dict[str, str]:
    """Return the query parameters that choose objects by labels and by fields."""
    return {name: text for name, text in (("labelSelector", selector), ("fieldSelector", fields)) if text}


def patience(header: str) -> int:
    """Return the seconds of a Retry-After; 0 where there is none, or a date."""
    return min(int(header), int(PATIENCE_SECONDS)) if header.isascii() and header.isdecimal() else 0


async def configuration(access: ClusterAccess) -> Configuration:
    """Return kubernetes-asyncio's configuration for *access*; ConfigError says what is wrong with it."""
    settings = Configuration()
    try:
        if access.kubeconfig is None:
            load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]  # untyped there
        else:
            await load_kube_config(
                config_file=str(access.kubeconfig), context=access.context or None, client_configuration=settings
            )
    except (ConfigException, OSError, ValueError, KeyError) as error:
        where = access.kubeconfig or "the in-cluster account"
        raise ConfigError(f"The cluster's credentials can't be read from {where}: {error}.") from error
    return settings


@asynccontextmanager
async def open_client(access: ClusterAccess, clock: Clock, cool: CoolDown) -> AsyncIterator[ClusterClient]:
    """Give a client; nothing is asked yet, so that a cluster that is away does not stop the daemon's start."""
    async with ApiClient(await configuration(access)) as api:
        yield ClusterClient(access, api, clock, cool)
