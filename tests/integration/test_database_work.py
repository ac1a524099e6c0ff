"""Work on databases: true progress, cancel, retry, several at once and fair, limits of an owner, the floor while bytes arrive."""

import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from blastd.blastplus.position import position
from blastd.core.ids import Owner
from blastd.core.task_order import OpenTask, next_ones
from blastd.service.databases.carrying import TaskProgress
from tests.databases import LAMBDA_QUERY, make, random_dna
from tests.mounts import possible, small
from tests.patience import eventually, until
from tests.service import Service, serving
from tests.wrappers import linked, put, real

TASKS = "/api/blast/database-tasks"
FASTA = "".join(f">s{number}\n{random_dna(1000, number)}\n" for number in range(200)).encode()
GATED = """#!{python}
import os, sys, time
if "-in" in sys.argv:
    file = os.open("input.fa", os.O_RDONLY)
    os.read(file, {half})
    while not os.path.exists({gate!r}):
        time.sleep(0.02)
    os.close(file)
os.execv({real!r}, [{real!r}, *sys.argv[1:]])
"""


@pytest.fixture
async def gated(tmp_path: Path, database_folder: Path) -> AsyncIterator[tuple[Service, Path]]:
    """A service whose makeblastdb reads half of its file and then waits for a gate to open."""
    gate, programs = tmp_path / "gate", linked(tmp_path / "bin")
    put(programs, "makeblastdb", GATED.format(
        python=sys.executable, half=len(FASTA) // 2, gate=str(gate), real=real("makeblastdb")
    ))  # fmt: skip
    flags: dict[str, Any] = {"blast__bin": programs, "limits__database_tasks_per_owner": 3}
    async with serving(tmp_path / "state", [database_folder], **flags) as service:
        yield service, gate


async def order(service: Service, name: str, status: int = 202, more: str = "") -> Any:
    answer = await service.post(f"/api/blast/databases?name={name}&molecule=nucleotide{more}", FASTA)
    assert answer.status == status, answer.text
    return answer.json["task"]["id"] if status == 202 else answer.json


async def task(service: Service, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await service.get(f"{TASKS}/{task_id}")).json["task"]
    return found


async def comes(service: Service, task_id: str, **wanted: object) -> dict[str, Any]:
    async def holds() -> bool:
        row = await task(service, task_id)
        return all(row[name] == value for name, value in wanted.items())

    await eventually(holds)
    return await task(service, task_id)


async def test_Y04_a_making_tells_true_progress_is_cancelled_and_tried_again(gated: tuple[Service, Path]) -> None:
    service, gate = gated
    making = [await order(service, f"made{number}") for number in range(3)]
    for task_id in making[:2]:  # two at once
        row = await comes(service, task_id, status="running", bytes_done=len(FASTA) // 2)
        assert (row["bytes_total"], row["step"], round(row["progress"], 2)) == (len(FASTA), "making", 0.5)
    assert (await task(service, making[2]))["status"] == "queued"
    for task_id in (making[0], making[2]):
        answer = await service.post(f"{TASKS}/{task_id}/cancel")
        assert answer.status == 202, answer.text
        await comes(service, task_id, status="cancelled")
        assert (await service.post(f"{TASKS}/{task_id}/cancel")).status == 202  # harmless
    left = [path for path in service.files.databases.iterdir() if "made0" in path.name or "made2" in path.name]
    assert not left
    for task_id in (making[0], making[2]):
        assert (await service.post(f"{TASKS}/{task_id}/retry")).status == 202
    gate.touch()
    for task_id in making:
        await comes(service, task_id, status="completed")
        assert (await service.post(f"{TASKS}/{task_id}/retry")).status == 409
        assert (await service.post(f"{TASKS}/{task_id}/cancel")).status == 409
    names = {one["name"] for one in (await service.get("/api/blast/databases")).json["databases"]}
    assert {"made0", "made1", "made2"} <= names
    assert (await service.run(LAMBDA_QUERY, database="made0"))["status"] == "completed"


async def test_Y05_an_owner_has_so_many_databases_in_work_and_no_more(gated: tuple[Service, Path]) -> None:
    service, gate = gated
    making = [await order(service, f"many{number}") for number in range(3)]
    refused = await order(service, "many3", 429)
    assert "database_tasks_per_owner" in refused["detail"]
    assert (await service.post(f"{TASKS}/{making[2]}/cancel")).status == 202
    await comes(service, making[2], status="cancelled")
    making[2] = await order(service, "many3")
    gate.touch()
    for task_id in making:
        await comes(service, task_id, status="completed")


async def test_Y05_the_bytes_of_an_owner_are_bounded(tmp_path: Path, database_folder: Path) -> None:
    most = len(FASTA) + len(FASTA) // 2
    flags: dict[str, Any] = {"limits__database_bytes_per_owner": most}
    async with serving(tmp_path / "state", [database_folder], without=("build-databases",), **flags) as service:
        await order(service, "one")
        refused = await order(service, "two", 429)
        assert f"{2 * len(FASTA):,}" in refused["detail"]
        assert f"{most:,}" in refused["detail"]


if possible():  # it needs the right to mount

    async def test_Y06_the_floor_is_watched_while_bytes_arrive(tmp_path: Path, database_folder: Path) -> None:
        with small(tmp_path / "state", 64 << 20) as state:
            async with serving(state, [database_folder], retention__disk_floor_bytes=20 << 20) as service:
                path = "/api/blast/databases?name=big&molecule=nucleotide"
                sent = 0

                async def blocks() -> AsyncIterator[bytes]:
                    nonlocal sent
                    for number in range(60):
                        sent += 1 << 20
                        yield f">s{number}\n".encode() + b"ACGTACGTTGCAACGTTGCATGCATGCATTGA" * (1 << 15)

                answer = await service.ask("POST", path, data=blocks())  # no length is told
                assert (answer.status, answer.json["code"]) == (507, "disk_full")
                assert sent < 60 << 20
                assert service.files.free_bytes() > 60 << 20  # what had come is gone, and searches go on
                answer = await service.ask("POST", path, data=io.BytesIO(b">a\n" + b"ACGT" * (12 << 20)))
                assert answer.status == 507  # told before: the length alone does not fit
                assert (await service.run(LAMBDA_QUERY))["status"] == "completed"


def test_Y04_the_kernel_tells_how_far_a_process_has_read(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x" * 5000)
    script = "import os,sys; f=os.open(sys.argv[1], os.O_RDONLY); os.read(f, 1234); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        assert position(child.pid, file) == 1234
        assert position(child.pid, tmp_path / "other") is None
        child.stdin.close()
    until(lambda: position(child.pid, file) is None)
    assert position(os.getpid(), file) is None


def pieces(*words: str) -> list[OpenTask]:
    return [
        OpenTask(key=f"{number:02}", owner=Owner(word[0]), target=(word[1:], "nucl"), since=number)
        for number, word in enumerate(words)
    ]


@pytest.mark.parametrize(
    ("waiting", "running", "at_once", "begin"),
    [
        (("ax", "ay", "az", "bx2"), (), 2, ["00", "03"]),  # the second owner before the first one's second
        (("ax", "ay", "bz"), ("aq",), 2, ["02"]),
        (("ax", "bx", "by"), (), 3, ["00", "02"]),  # never two on one database
        (("ax",), ("bx",), 2, []),
        (("ax", "by"), ("aq", "br"), 2, []),
    ],
)
def test_Y03_work_begins_in_turns_of_owners(
    waiting: tuple[str, ...], running: tuple[str, ...], at_once: int, begin: list[str]
) -> None:
    assert [piece.key for piece in next_ones(pieces(*waiting), pieces(*running), at_once)] == begin


def test_Y07_time_left_follows_the_rate_of_late() -> None:
    progress = TaskProgress()
    progress.bytes_total = 1000
    progress.begin("receiving")
    assert progress.seconds_left() is None
    for second in range(60):
        progress.bytes_done = second if second < 30 else 30 + (second - 30) * 10
        progress.mark(float(second))
    assert progress.seconds_left() == pytest.approx((1000 - 320) / 10, rel=0.05)
    progress.begin("checking")
    progress.mark(60.0)
    assert progress.seconds_left() is None


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    """A folder with a database that is masked by dust, and one without a mask."""
    folder = tmp_path / "db"
    folder.mkdir()
    fasta = folder / "x.fa"
    fasta.write_text(f">a\n{random_dna(400, 1)}{'A' * 200}{random_dna(400, 2)}\n")
    words = ("-in", "plain", "-infmt", "blastdb", "-parse_seqids", "-outfmt", "maskinfo_asn1_bin", "-out", "mask")
    make(folder, fasta, "plain", "nucl", "-parse_seqids")
    subprocess.run(["dustmasker", *words], cwd=folder, check=True, capture_output=True)
    make(folder, fasta, "masked", "nucl", "-parse_seqids", "-mask_data", "mask")
    (folder / "masked.njs").write_text('{"dbname": "masked", "last-updated": "2026-01-01T00:00:00"}')
    return folder


async def test_R03_maskings_are_listed_and_unknown_ones_are_refused(tmp_path: Path, masked: Path) -> None:
    async with serving(tmp_path / "state", [masked]) as service:
        shown = (await service.get("/api/blast/databases/masked")).json
        assert [(one["id"], one["algorithm"]) for one in shown["maskings"]] == [(11, "dust")]
        assert shown["metadata"]["last-updated"] == "2026-01-01T00:00:00"
        search = {"program": "blastn", "query": f">q\n{random_dna(400, 1)}\n"}
        for name, mask, held in (
            ("masked", "40", "11 (dust)"),
            ("masked", "dust", "11 (dust)"),
            ("plain", "11", "none"),
        ):
            body = search | {"database": name, "options": {"db_soft_mask": mask}}
            refused = await service.post("/api/blast/jobs", body)
            assert (refused.status, held in refused.text) == (422, True), refused.text
        row = await service.run(search["query"], database="masked", options={"db_soft_mask": "11"})
        assert (row["status"], row["hits"]) == ("completed", 1)
