"""Azure Blob Storage: the few operations that blastd needs, each with a time limit, failures as ours.

Pods get addresses of single blobs with a signature (SAS) that ends; the account's key stays here. Signatures of folders need
a hierarchical namespace, which few accounts have: where there are many addresses, they lie in a blob of their own.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobBlock, BlobSasPermissions, generate_blob_sas
from azure.storage.blob.aio import BlobClient, BlobServiceClient, LinearRetry

from blastd.aio import duty, first_of, offload
from blastd.config import AzureSettings
from blastd.errors import ConfigError
from blastd.storage.contract import (
    INLINE_BYTES,
    Area,
    PodMounts,
    PodNeeds,
    StorageAway,
    StorageDenied,
    StorageMissing,
    StoredObject,
)

log = structlog.get_logger()

BLOCK = 8 << 20
SMALL = 4 << 20
AT_A_TIME = 1 << 20  # bytes that the library writes in one step of the loop
PAGE = 500
AT_ONCE = 4
SLOWEST = 128 << 10  # bytes a second of one transfer; what is slower counts as away


class BlobAway(StorageAway):
    """The storage account can't be reached."""

    code = "blob_unreachable"


class BlobDenied(StorageDenied):
    """The storage account refuses us."""

    code = "blob_access_denied"


class BlobMissing(StorageMissing):
    """There is no such blob."""

    code = "blob_missing"


class Blobs:
    """Talks to one storage account. Made by `open_blobs`."""

    noun = "storage account"
    mend = "check the network and the account key"

    def __init__(self, service: BlobServiceClient, settings: AzureSettings) -> None:
        """Take the opened client."""
        self._settings = settings
        self._names = {
            Area.QUERIES: settings.queries_container,
            Area.DATABASES: settings.databases_container,
            Area.RESULTS: settings.results_container,
        }
        self.failing = False
        """The last call failed because the account was away or refused it."""
        self._service = service
        self._seconds = settings.request_seconds
        self._gate = asyncio.Semaphore(AT_ONCE)  # one for all uploads: more blocks at once share the same line

    @property
    def grant_seconds(self) -> float:
        """Return how long a signature serves."""
        return self._settings.sas_hours * 3600.0

    async def ensure(self) -> None:
        """Make the three containers where they are missing."""
        for name in sorted(set(self._names.values())):
            try:
                async with self._limited(f"container {name}"):
                    await self._service.create_container(name)
            except ResourceExistsError:
                continue

    async def pod_access(self, needs: PodNeeds, now: datetime) -> dict[str, Any]:
        """Return the addresses of *needs*, or that of the blob in which they lie where a Secret is too small for them."""
        until = now.astimezone(UTC) + timedelta(hours=self._settings.sas_hours)
        tables = await offload(self._tables, needs, until)  # each signature takes some 50 µs
        told: dict[str, Any] = {"kind": "blob"}
        if needs.plan:
            told["plan"] = self.address(Area.QUERIES, needs.plan, until)
        encoded = json.dumps(tables, separators=(",", ":")).encode()
        if len(encoded) <= INLINE_BYTES:
            return told | {"tables": tables}
        await self.put(Area.QUERIES, needs.tables, encoded)
        return told | {"tables_at": self.address(Area.QUERIES, needs.tables, until)}

    def pod_mounts(self, query: str, results: str) -> PodMounts:
        """Return that pods mount nothing: they reach the account over the network."""
        del query, results
        return PodMounts()

    def _tables(self, needs: PodNeeds, until: datetime) -> dict[str, Any]:
        found: dict[str, Any] = {
            "units": {
                str(unit): self.address(Area.RESULTS, name, until, write=True) for unit, name in needs.units.items()
            },
            "databases": {
                generation: {name: self.address(Area.DATABASES, f"{generation}/{name}", until) for name in names}
                for generation, names in needs.databases.items()
            },
        }
        return found | ({"query": self.address(Area.QUERIES, needs.query, until)} if needs.query else {})

    def address(self, area: Area, name: str, until: datetime, *, write: bool = False) -> str:
        """Return the address of one blob as the pods reach it, with a SAS that ends at *until*: read, or write too."""
        container = self._names[area]
        account = str(self._service.account_name)
        signature = generate_blob_sas(
            account,
            container,
            name,
            account_key=self._service.credential.account_key,
            permission=BlobSasPermissions(read=True, create=write, write=write),
            expiry=until,
        )
        base = (self._settings.pod_account_url or self._service.url).rstrip("/")
        return f"{base}/{container}/{quote(name)}?{signature}"

    async def upload(
        self,
        area: Area,
        name: str,
        path: Path,
        progress: Callable[[int], None] | None = None,
        *,
        resume: bool = False,
    ) -> None:
        """Store a file under *name*, in blocks; *progress* gets bytes. *resume* keeps blocks of an earlier try."""
        blob = self._blob(area, name)
        size = (await duty(path.stat)).st_size
        known = await self._uncommitted(area, name) if resume else {}
        ids: list[str] = []

        async def put(number: int, block_id: str) -> None:
            async with self._gate:
                length = min(BLOCK, size - number * BLOCK)
                if known.get(block_id) != length:
                    data = await duty(_read, path, number * BLOCK, length)
                    async with self._limited(f"upload of {name}", length):
                        await blob.stage_block(block_id, BytesIO(data), length=length)
                if progress is not None:
                    progress(length)

        try:
            async with asyncio.TaskGroup() as group:
                for number in range(max(-(-size // BLOCK), 0)):
                    ids.append(_block_id(number))
                    group.create_task(put(number, ids[-1]), name=f"block {number} of {name}")
        except ExceptionGroup as errors:
            raise first_of(errors) from errors
        async with self._limited(f"upload of {name}"):
            await blob.commit_block_list([BlobBlock(one) for one in ids])

    async def put(self, area: Area, name: str, data: bytes) -> None:
        """Store a small blob, over what is there; what one request holds without stopping the loop goes in one."""
        blob = self._blob(area, name)
        async with self._limited(f"upload of {name}", len(data)):
            if len(data) <= AT_A_TIME:
                await blob.upload_blob(data, overwrite=True)
                return
            block = _block_id(0)
            await blob.stage_block(block, BytesIO(data), length=len(data))
            await blob.commit_block_list([BlobBlock(block)])

    async def get(self, area: Area, name: str) -> bytes:
        """Return a small blob. Raises BlobMissing."""
        async with self._limited(f"download of {name}"):
            stream = await self._blob(area, name).download_blob()
            return bytes(await stream.readall())

    async def size_of(self, area: Area, name: str) -> int | None:
        """Return the size of a blob, None if there is none."""
        try:
            async with self._limited(f"look at {name}"):
                return int((await self._blob(area, name).get_blob_properties()).size)
        except BlobMissing:
            return None

    async def download(self, area: Area, name: str, target: Path) -> Mapping[str, str]:
        """Write a blob to *target* and return its metadata, names in lower case. Raises BlobMissing.

        The caller checks size and checksum.
        """
        async with self._limited(f"download of {name}", SMALL):
            stream = await self._blob(area, name).download_blob(max_concurrency=2)
        with await duty(target.open, "wb") as file:
            chunks = stream.chunks()
            while True:
                async with self._limited(f"download of {name}", SMALL):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                await duty(file.write, chunk)
        return {str(key).lower(): str(value) for key, value in (stream.properties.metadata or {}).items()}

    async def listed(self, area: Area, prefix: str) -> list[StoredObject]:
        """Return every blob whose name starts with *prefix*, all pages; a container that is made later has none."""
        found: list[StoredObject] = []
        pages = self._service.get_container_client(self._names[area]).list_blobs(
            name_starts_with=prefix, include=["metadata"], results_per_page=PAGE
        )
        try:
            async for page in self._pages(pages.by_page(), prefix):
                found += page
        except BlobMissing:
            return []
        return found

    async def remove(self, area: Area, prefix: str) -> int:
        """Remove every blob whose name starts with *prefix*; returns how many."""
        names = [each.name for each in await self.listed(area, prefix)]
        for name in names:
            try:
                async with self._limited(f"removal of {name}"):
                    await self._blob(area, name).delete_blob()
            except BlobMissing:
                continue
        return len(names)

    async def check(self) -> None:
        """Ask the account once. Raises BlobFailure."""
        async with self._limited("look at the account"):
            await self._service.get_service_properties()

    # ------------------------------------------------------------------ parts
    def _blob(self, area: Area, name: str) -> BlobClient:
        return self._service.get_blob_client(self._names[area], name)

    async def _pages(self, pages: AsyncIterator[AsyncIterator[object]], what: str) -> AsyncIterator[list[StoredObject]]:
        while True:
            async with self._limited(f"listing of {what}"):
                page = await anext(pages, None)
                if page is None:
                    return
                items = [item async for item in page]
            yield [_found(item) for item in items]

    async def _uncommitted(self, area: Area, name: str) -> dict[str, int]:
        """Return the blocks of an upload that broke off, with their sizes."""
        try:
            async with self._limited(f"look at {name}"):
                _, loose = await self._blob(area, name).get_block_list("uncommitted")
        except BlobMissing:
            return {}
        return {str(each.id): int(each.size) for each in loose}

    @asynccontextmanager
    async def _limited(self, what: str, size: int = 0) -> AsyncIterator[None]:
        """Put a time limit on an operation, longer for *size* bytes on a slow line, and make its failure ours."""
        try:
            async with self._translated(what, self._seconds + size / SLOWEST):
                yield
        except (BlobAway, BlobDenied):
            self.failing = True
            raise
        self.failing = False

    @asynccontextmanager
    async def _translated(self, what: str, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise BlobAway(f"The storage account did not answer within {seconds:.0f} s ({what}).") from error
        except ResourceExistsError:
            raise
        except ResourceNotFoundError as error:
            raise BlobMissing(f"The storage account has no such blob ({what}).") from error
        except ClientAuthenticationError as error:
            raise BlobDenied(f"The storage account refuses the {what}: {_said(error)}.") from error
        except HttpResponseError as error:
            if error.status_code is None:  # the library's word for an answer that ended early
                raise BlobAway(f"The connection to the storage account broke ({what}).") from error
            kind = BlobDenied if error.status_code in (401, 403) else BlobAway
            raise kind(f"The storage account answers {error.status_code} to the {what}: {_said(error)}.") from error
        except AzureError as error:
            raise BlobAway(f"The storage account can't be reached ({what}): {_said(error)}.") from error


def _found(item: Any) -> StoredObject:
    return StoredObject(name=item.name, size=item.size, metadata=dict(item.metadata or {}), modified=item.last_modified)


def _said(error: Exception) -> str:
    """Return the first line of an error of the library: the rest repeats headers."""
    return str(error).strip().split("\n", 1)[0][:300].rstrip(".")


def _block_id(number: int) -> str:
    return base64.b64encode(f"{number:08d}".encode()).decode()


def _read(path: Path, at: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(length)


@asynccontextmanager
async def open_blobs(settings: AzureSettings) -> AsyncIterator[Blobs]:
    """Give a client of the storage account; nothing is asked yet. Raises ConfigError."""
    try:
        service = BlobServiceClient.from_connection_string(
            settings.connection_string.reveal(),
            retry_policy=LinearRetry(
                backoff=1, retry_total=2, random_jitter_range=1
            ),  # its own pauses are 15 s and more
            max_single_get_size=SMALL,  # what one request brings has one time limit
            max_chunk_get_size=SMALL,
            connection_timeout=5,
            read_timeout=settings.request_seconds + BLOCK / SLOWEST,  # `_limited` ends what takes longer than it may
            logging_enable=False,
        )
    except ValueError as error:
        raise ConfigError("azure.connection_string: it is not one of a storage account with its key.") from error
    if not getattr(service.credential, "account_key", ""):
        raise ConfigError("azure.connection_string: it holds no AccountKey, which signs the access of pods.")
    async with service:
        yield Blobs(service, settings)
