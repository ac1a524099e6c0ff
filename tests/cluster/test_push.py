"""A database to the storage account: what was sent is not sent again, and only a whole one counts."""

import asyncio
import base64
import random
from pathlib import Path
from urllib.parse import quote

import pytest
from azure.storage.blob import BlobServiceClient

from blastd.config import AzureSettings, Secret
from blastd.core.engine import DatabaseAt
from blastd.engines.kubernetes.push import find_manifest, push_database
from blastd.storage.blob import BLOCK, open_blobs
from tests.cluster.parts import Emulator
from tests.patience import PATIENCE_SECONDS

BLOCKS = 4


@pytest.fixture
def database(tmp_path: Path) -> DatabaseAt:
    """Files as large as some blocks; what is in them does not matter here."""
    data = random.Random(1).randbytes(1 << 20) * (BLOCKS * BLOCK >> 20)
    for name in ("big.nsq", "big.nin"):
        (tmp_path / name).write_bytes(data if name == "big.nsq" else b"index")
    return DatabaseAt(
        name="big", fingerprint=tmp_path.name.replace("_", ""), folder=str(tmp_path), molecule="nucl", sequences=1, letters=1,
        size_bytes=len(data) + 5,
    )  # fmt: skip


async def test_an_upload_that_broke_off_goes_on_where_it_was(emulator: Emulator, database: DatabaseAt) -> None:
    settings = AzureSettings(connection_string=Secret(emulator.connection))
    async with open_blobs(settings) as blobs:
        await blobs.ensure()
        begun = asyncio.Event()

        def progress(done: int, total: int) -> None:
            assert 0 < done <= total == database.size_bytes
            if done >= BLOCK:
                begun.set()

        first = asyncio.create_task(push_database(blobs, database, progress))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await begun.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert await find_manifest(blobs, database.fingerprint) is None, "half a database does not count"
        name = f"{database.fingerprint}/big.nsq"
        service = BlobServiceClient.from_connection_string(emulator.connection)
        _, loose = service.get_blob_client("blast-db", name).get_block_list("uncommitted")
        stored = [quote(base64.b64encode(one.id.encode()).decode()) for one in loose]
        assert stored
        seen: list[int] = []
        manifest = await push_database(blobs, database, lambda done, _: seen.append(done))
        for block in stored:
            assert len(emulator.requests(rf'"PUT /\w+/blast-db/{name}\?.*blockid={block}[ &]')) == 1, (
                "it is not sent again"
            )
        assert seen[-1] == database.size_bytes
        assert {one.name: one.size for one in manifest.files} == {"big.nsq": BLOCKS * BLOCK, "big.nin": 5}
        again: list[tuple[int, int]] = []
        assert await push_database(blobs, database, lambda done, total: again.append((done, total))) == manifest
        assert again == [(database.size_bytes, database.size_bytes)], "nothing is sent for what is there"
