"""Azure Blob Storage: the few operations that blastd needs, each with a time limit, failures as ours.

Pods get addresses of single blobs with a signature (SAS) that ends; the account's key stays here.
"""

import asyncio
import base64
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
from azure.storage.blob.aio import BlobServiceClient, ContainerClient, LinearRetry

from blastd.aio import duty, first_of
from blastd.config import AzureSettings
from blastd.core.model import Frozen
from blastd.errors import ConfigError, Unavailable

log = structlog.get_logger()

BLOCK = 8 << 20
SMALL = 4 << 20
PAGE = 500
AT_ONCE = 4
SLOWEST = 128 << 10  # bytes a second of one transfer; what is slower counts as away


class BlobFailure(Unavailable):
    """An operation on the storage account failed."""

    code = "blob_failure"


class BlobAway(BlobFailure):
    """The storage account can't be reached."""

    code = "blob_unreachable"


class BlobDenied(BlobFailure):
    """The storage account refuses us."""

    code = "blob_access_denied"


class BlobMissing(BlobFailure):
    """There is no such blob."""

    code = "blob_missing"


class BlobFound(Frozen, frozen=True, kw_only=True):
    """A blob: its name in the container, its size in bytes, its metadata, when it was last written."""

    name: str
    size: int
    metadata: dict[str, str] = {}
    modified: datetime | None = None


class Blobs:
    """Talks to one storage account. Made by `open_blobs`."""

    def __init__(self, service: BlobServiceClient, settings: AzureSettings) -> None:
        """Take the opened client."""
        self.settings = settings
        self.failing = False
        """The last call failed because the account was away or refused it."""
        self._service = service
        self._seconds = settings.request_seconds
        self._gate = asyncio.Semaphore(AT_ONCE)  # one for all uploads: more blocks at once share the same line

    async def ensure_containers(self) -> None:
        """Make the three containers where they are missing."""
        names = {self.settings.queries_container, self.settings.databases_container, self.settings.results_container}
        for name in sorted(names):
            try:
                async with self._limited(f"container {name}"):
                    await self._service.create_container(name)
            except ResourceExistsError:
                continue

    def address(self, container: str, name: str, until: datetime, *, write: bool = False) -> str:
        """Return the address of one blob as the pods reach it, with a SAS that ends at *until*: read, or write too."""
        account = str(self._service.account_name)
        signature = generate_blob_sas(
            account,
            container,
            name,
            account_key=self._service.credential.account_key,
            permission=BlobSasPermissions(read=True, create=write, write=write),
            expiry=until,
        )
        base = (self.settings.pod_account_url or self._service.url).rstrip("/")
        return f"{base}/{container}/{quote(name)}?{signature}"

    def until(self, now: datetime) -> datetime:
        """Return when addresses made *now* end."""
        return now.astimezone(UTC) + timedelta(hours=self.settings.sas_hours)

    async def upload(
        self,
        container: str,
        name: str,
        path: Path,
        progress: Callable[[int], None] | None = None,
        *,
        resume: bool = False,
    ) -> None:
        """Store a file under *name*, in blocks; *progress* gets bytes. *resume* keeps blocks of an earlier try."""
        blob = self._service.get_blob_client(container, name)
        size = (await duty(path.stat)).st_size
        known = await self._uncommitted(container, name) if resume else {}
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

    async def put(self, container: str, name: str, data: bytes) -> None:
        """Store a small blob, over what is there."""
        async with self._limited(f"upload of {name}"):
            await self._service.get_blob_client(container, name).upload_blob(data, overwrite=True)

    async def get(self, container: str, name: str) -> bytes:
        """Return a small blob. Raises BlobMissing."""
        async with self._limited(f"download of {name}"):
            stream = await self._service.get_blob_client(container, name).download_blob()
            return bytes(await stream.readall())

    async def size_of(self, container: str, name: str) -> int | None:
        """Return the size of a blob, None if there is none."""
        try:
            async with self._limited(f"look at {name}"):
                return int((await self._service.get_blob_client(container, name).get_blob_properties()).size)
        except BlobMissing:
            return None

    async def download(self, container: str, name: str, target: Path) -> Mapping[str, str]:
        """Write a blob to *target* and return its metadata, names in lower case. Raises BlobMissing.

        The caller checks size and checksum.
        """
        async with self._limited(f"download of {name}", SMALL):
            stream = await self._service.get_blob_client(container, name).download_blob(max_concurrency=2)
        with await duty(target.open, "wb") as file:
            chunks = stream.chunks()
            while True:
                async with self._limited(f"download of {name}", SMALL):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                await duty(file.write, chunk)
        return {str(key).lower(): str(value) for key, value in (stream.properties.metadata or {}).items()}

    async def listed(self, container: str, prefix: str) -> list[BlobFound]:
        """Return every blob whose name starts with *prefix*, all pages."""
        found: list[BlobFound] = []
        pages = self._container(container).list_blobs(
            name_starts_with=prefix, include=["metadata"], results_per_page=PAGE
        )
        async for page in self._pages(pages.by_page(), prefix):
            found += page
        return found

    async def remove(self, container: str, prefix: str) -> int:
        """Remove every blob whose name starts with *prefix*; returns how many."""
        names = [each.name for each in await self.listed(container, prefix)]
        for name in names:
            try:
                async with self._limited(f"removal of {name}"):
                    await self._service.get_blob_client(container, name).delete_blob()
            except BlobMissing:
                continue
        return len(names)

    async def check(self) -> None:
        """Ask the account once. Raises BlobFailure."""
        async with self._limited("look at the account"):
            await self._service.get_service_properties()

    # ------------------------------------------------------------------ parts
    def _container(self, name: str) -> ContainerClient:
        return self._service.get_container_client(name)

    async def _pages(self, pages: AsyncIterator[AsyncIterator[object]], what: str) -> AsyncIterator[list[BlobFound]]:
        while True:
            async with self._limited(f"listing of {what}"):
                page = await anext(pages, None)
                if page is None:
                    return
                items = [item async for item in page]
            yield [_found(item) for item in items]

    async def _uncommitted(self, container: str, name: str) -> dict[str, int]:
        """Return the blocks of an upload that broke off, with their sizes."""
        try:
            async with self._limited(f"look at {name}"):
                _, loose = await self._service.get_blob_client(container, name).get_block_list("uncommitted")
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


def _found(item: Any) -> BlobFound:
    return BlobFound(name=item.name, size=item.size, metadata=dict(item.metadata or {}), modified=item.last_modified)


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
