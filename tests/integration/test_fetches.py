"""D07, D09 to D12: databases fetched from sources that behave and that don't; updated, renamed and removed."""

import gzip
import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from blastd.core.ids import Owner
from blastd.store import tokens
from tests import mirror
from tests.fetches import (
    DATABASES,
    FIRST,
    LIST,
    TASKS,
    Kind,
    ended,
    fetch,
    fetching,
    ncbi,
    nothing_left,
    once,
    publish,
    switch,
    versions_found,
)
from tests.mirror import NAME, QUERY, Handler, Mirror, mirroring
from tests.patience import eventually
from tests.service import Service


async def test_D07_a_database_is_listed_fetched_searched_and_brought_up_to_date(
    tmp_path: Path, source: Mirror, versions: list[Path]
) -> None:
    async with fetching(tmp_path, ncbi(source)) as service:
        offered = (await service.get(f"{DATABASES}/available")).json
        assert [(one["name"], one["molecule"], one["installed_as"]) for one in offered["databases"]] == [
            ("elsewhere", "protein", None), (NAME, "nucleotide", None),
        ]  # fmt: skip
        task = await ended(service, await fetch(service))
        assert (task["kind"], task["progress"], task["bytes_done"] > 1000) == ("fetch", 1.0, True)
        shown = (await service.get(f"{DATABASES}/{NAME}")).json
        assert (shown["state"], shown["sequences"], shown["title"], shown["taxonomy_names"]) == (
            "ready", 20, "mini 1", True,
        )  # fmt: skip
        assert await versions_found(service) == ["v1", "v1"]
        answer = await service.post(f"{DATABASES}/{NAME}/update")
        assert (answer.status, answer.json["task"]) == (200, None)
        switch(source, versions[1])
        one = (await service.get(f"{DATABASES}/available?refresh=true&q={NAME}")).json["databases"][0]
        assert (one["installed_as"], one["newer"]) == (NAME, True)
        answer = await service.post(f"{DATABASES}/{NAME}/update")
        assert answer.status == 202, answer.text
        await ended(service, answer.json["task"])
        assert await versions_found(service) == ["v2", "v2"]
        kinds = [line["kind"] for line in (await service.get(f"{DATABASES}/{NAME}/history")).json["history"]]
        assert kinds == ["updated", "fetched"]
        told = (await service.get("/api/blast/events")).json["events"]
        of_databases = [(one["kind"], one["data"]["name"]) for one in told if not one["job_id"]]
        assert of_databases == [("database_fetched", NAME), ("database_updated", NAME)]
        assert (
            'blastd_database_tasks_total{kind="update",outcome="completed"} 1.0' in (await service.get("/metrics")).text
        )
        await eventually(lambda: nothing_left(service))


def came(state: Path) -> Callable[[int], bool]:
    """Return what tells whether so many bytes of the first archive have come."""
    return lambda size: any(path.stat().st_size >= size for path in state.glob(f"tmp/fetch-*/parts/{FIRST}.part"))


PASSING: dict[str, Kind] = {
    "cut off": lambda state: once(FIRST, lambda handler, path: handler.file(path, cut=700, seen=came(state))),
    "cut off thrice": lambda state: once(FIRST, lambda handler, path: handler.file(path, cut=700, seen=came(state)), 3),
    "cut off at once": lambda _: once(FIRST, lambda handler, path: handler.file(path, cut=0)),
    "silent": lambda _: once(FIRST, lambda handler, path: handler.file(path, slow=True)),
    "another content": lambda _: once(FIRST, lambda handler, path: handler.file(path, change=mirror.flip)),
    "another length": lambda _: once(FIRST, lambda handler, path: handler.file(path, change=lambda data: data + b"x")),
    "503": lambda _: once(FIRST, lambda handler, _: handler.status(503, Retry_After="0")),
    "429 for the list": lambda _: once(LIST, lambda handler, _: handler.status(429)),
    "404 for a moment": lambda _: once(FIRST, lambda handler, _: handler.status(404)),
    "no checksum for a moment": lambda _: once(f"{FIRST}.md5", lambda handler, _: handler.status(404)),
    "416": lambda _: once(FIRST, lambda handler, _: handler.status(416)),
    "redirected to itself": lambda _: once(FIRST, lambda handler, path: handler.status(302, Location=f"/./{path}")),
}


async def test_D07_what_passes_is_waited_for_and_the_old_one_serves_meanwhile(
    tmp_path: Path, source: Mirror, versions: list[Path]
) -> None:
    async with fetching(tmp_path, ncbi(source)) as service:
        await ended(service, await fetch(service))
        old = "v1"
        for turn, kind in enumerate(PASSING, 1):
            new = publish(source, versions, turn)
            source.ranges.clear()
            answer = await service.post(f"{DATABASES}/{NAME}/update")
            assert answer.status == 202, answer.text
            source.fault = PASSING[kind](tmp_path / "state")  # the list was asked: what follows is the task's
            assert set(await versions_found(service)) in ({old}, {new}), kind
            task = await ended(service, answer.json["task"])
            assert await versions_found(service) == [new, new], kind
            if kind in ("cut off", "cut off thrice"):
                assert (FIRST, 700) in source.ranges  # it goes on where it was
            assert task["error"] is None, kind
            old = new


LASTING: dict[str, tuple[str, Callable[[], mirror.Fault]]] = {
    "another content": ("checksum_mismatch", lambda: once(FIRST, lambda h, p: h.file(p, change=mirror.flip), 999)),
    "404": ("source_missing", lambda: once(FIRST, lambda handler, _: handler.status(404), 999)),
    "403": ("fetch_failed", lambda: once(FIRST, lambda handler, _: handler.status(403), 999)),
    "no list": ("fetch_failed", lambda: once(LIST, lambda h, p: h.file(p, change=lambda _: b"{"), 999)),
    "cut off each time": ("source_unreachable", lambda: once(FIRST, lambda h, p: h.file(p, cut=0), 999)),
    "no checksum": ("fetch_failed", lambda: once(f"{FIRST}.md5", lambda h, p: h.file(p, change=lambda _: b"?"), 999)),
}


async def test_D11_an_update_that_fails_leaves_the_old_one_and_says_why(
    tmp_path: Path, source: Mirror, versions: list[Path]
) -> None:
    async with fetching(tmp_path, ncbi(source), databases__fetch_tries=3) as service:
        await ended(service, await fetch(service))
        before = (await service.get(f"{DATABASES}/{NAME}")).json["fingerprint"]
        for turn, kind in enumerate(LASTING, 1):
            publish(source, versions, turn)
            code, fault = LASTING[kind]
            answer = await service.post(f"{DATABASES}/{NAME}/update")
            assert answer.status == 202, answer.text
            source.fault = fault()
            task = await ended(service, answer.json["task"], "failed")
            source.fault = lambda _handler, _path: False
            assert (task["error_code"], len(task["error"]) > 20) == (code, True), task["error"]
            shown = (await service.get(f"{DATABASES}/{NAME}")).json
            assert (shown["fingerprint"], shown["state"]) == (before, "ready")
            line = (await service.get(f"{DATABASES}/{NAME}/history")).json["history"][0]
            assert (line["kind"], line["detail"]) == ("update_failed", task["error"])
        assert await versions_found(service) == ["v1", "v1"]
        assert (await service.post(f"{TASKS}/{task['id']}/retry")).status == 202
        await ended(service, task)
        assert await versions_found(service) == ["v1", "v1"]
        assert (await service.get(f"{DATABASES}/{NAME}")).json["title"] == "mini 1"
        assert (await service.get(f"{DATABASES}/{NAME}/history")).json["history"][0]["kind"] == "updated"


async def test_D10_only_hosts_of_the_configuration_are_asked(
    tmp_path: Path, source: Mirror, versions: list[Path]
) -> None:
    with mirroring(versions[0]) as other:
        elsewhere = once(FIRST, lambda handler, path: handler.status(302, Location=f"{other.url}{path}"), 999)
        async with fetching(tmp_path, ncbi(source)) as service:
            source.fault = elsewhere
            task = await ended(service, await fetch(service), "failed")
            assert f"127.0.0.1:{other.port}" in task["error"]
            assert not other.asked
        async with fetching(tmp_path, ncbi(source, hosts=[f"127.0.0.1:{other.port}"])) as service:
            await ended(service, await fetch(service))
            assert other.asked[FIRST] == 1
            assert await versions_found(service) == ["v1", "v1"]


async def test_D08_a_source_that_changes_between_files_gives_one_state_or_nothing(
    tmp_path: Path, source: Mirror, versions: list[Path]
) -> None:
    async with fetching(tmp_path, ncbi(source), databases__fetch_tries=1000) as service:
        await ended(service, await fetch(service))
        switch(source, versions[1])
        changed = False

        def change(handler: Handler, path: str) -> bool:
            nonlocal changed
            if path.endswith(".tar.gz") and handler.command == "GET" and not changed:
                changed = True
                handler.file(path)
                shutil.copy(
                    versions[2] / FIRST, source.folder / FIRST
                )  # a mirror that is being filled: the second file
                shutil.copy(versions[2] / f"{FIRST}.md5", source.folder / f"{FIRST}.md5")  # comes much later
                return True
            return False

        source.fault = change
        task = (await service.post(f"{DATABASES}/{NAME}/update")).json["task"]

        async def waits() -> bool:
            row = (await service.get(f"{TASKS}/{task['id']}")).json["task"]
            return row["error_code"] in ("source_changed", "not_whole")

        await eventually(waits)
        assert await versions_found(service) == ["v1", "v1"]
        switch(source, versions[2])
        await ended(service, task)
        assert await versions_found(service) == ["v3", "v3"]


def hostile(kind: str, files: list[tuple[str, bytes]]) -> bytes:
    """Return an archive with the right files and one member too many."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        if kind == "bomb":
            mirror.member(tar, f"{NAME}.00.nxx", bytes(520 << 20))
        elif kind == "huge header":
            info = tarfile.TarInfo(f"{NAME}.00.nin")
            info.pax_headers = {"comment": "x" * (8 << 20)}
            tar.addfile(info)
        elif kind == "link out":
            mirror.member(tar, f"{NAME}.00.link", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        elif kind == "hard link":
            mirror.member(tar, f"{NAME}.00.link", b"", type=tarfile.LNKTYPE, linkname="../../blastd.sqlite")
        elif kind == "device":
            mirror.member(tar, f"{NAME}.00.dev", b"", type=tarfile.CHRTYPE)
        elif kind == "fifo":
            mirror.member(tar, f"{NAME}.00.fifo", b"", type=tarfile.FIFOTYPE)
        elif kind == "folder":
            mirror.member(tar, f"{NAME}.00.folder", b"", type=tarfile.DIRTYPE)
        else:
            mirror.member(tar, kind)
        for name, content in files:
            mirror.member(tar, name, content)
        if kind == files[0][0]:
            mirror.member(tar, kind)
    return buffer.getvalue()


OUTSIDE = "/tmp/escaped"  # noqa: S108  # where an archive wants to write
HOSTILE = (
    "bomb", "huge header", "link out", "hard link", "device", "fifo", "folder", "../escaped", OUTSIDE,
    f"sub/{NAME}.00.nin", ".made-by", "other.nin", f"{NAME}.00.n\nn", f"{NAME}.00.nin",
)  # fmt: skip


async def test_D09_hostile_archives_are_refused_and_leave_nothing(tmp_path: Path, source: Mirror) -> None:
    with tarfile.open(source.folder / FIRST) as tar:
        files = [(info.name, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]  # plain files
    files.sort(key=lambda one: one[0] != f"{NAME}.00.nin")
    records = [one for one in json.loads((source.folder / LIST).read_text()) if one["dbname"] == NAME]
    async with fetching(tmp_path, ncbi(source)) as service:

        async def clean() -> bool:
            try:
                left = [path for path in (tmp_path / "state").rglob("*") if "escaped" in path.name or NAME in path.name]
            except FileNotFoundError:  # it is being cleaned
                return False
            return not left and not (tmp_path / "escaped").exists() and not Path(OUTSIDE).exists()

        for kind in HOSTILE:
            (source.folder / FIRST).write_bytes(hostile(kind, files))
            mirror.describe(source.folder, *records)
            task = await ended(service, await fetch(service), "failed")
            assert (task["error_code"], FIRST in task["error"]) == ("fetch_failed", True), (kind, task["error"])
            assert (await service.get(f"{DATABASES}/{NAME}")).status == 404
            await eventually(clean)


async def test_Y04_a_fetch_is_cancelled_and_limits_hold(tmp_path: Path, source: Mirror) -> None:
    source.fault = once(FIRST, lambda handler, path: handler.file(path, slow=True), 999)
    async with fetching(
        tmp_path, ncbi(source), limits__database_tasks_per_owner=1, databases__stall_seconds=60.0
    ) as service:
        task = await fetch(service)

        async def half() -> bool:
            row = (await service.get(f"{TASKS}/{task['id']}")).json["task"]
            return bool(0 < row["bytes_done"] < row["bytes_total"])

        await eventually(half)
        refused = await service.post(f"{DATABASES}/fetch", {"name": NAME, "called": "again"})
        assert (refused.status, refused.json["code"]) == (429, "too_many_jobs")
        assert (await service.post(f"{TASKS}/{task['id']}/cancel")).status == 202
        await ended(service, task, "cancelled")
        await eventually(lambda: nothing_left(service))
        source.fault = lambda _handler, _path: False
        assert (await service.post(f"{TASKS}/{task['id']}/retry")).status == 202
        await ended(service, task)
        assert await versions_found(service) == ["v1", "v1"]


async def test_D07_other_layouts_cloud_folder_and_fasta(tmp_path: Path, versions: list[Path]) -> None:
    served, fasta = tmp_path / "cloud", tmp_path / "fasta"
    for version in (1, 2):
        mirror.cloud(served, versions[version - 1], versions[version - 1].parent / f"plain{version}", version)
    fasta.mkdir()
    packed = gzip.compress("".join(f">v9s{n}\n{QUERY}\n" for n in range(2)).encode())
    (fasta / "ours.fna.gz").write_bytes(packed)
    (fasta / "ours.fna.gz.sha256").write_text(hashlib.sha256(packed).hexdigest())
    (fasta / "map").write_text("v9s0 562\nv9s1 9606\n")
    with mirroring(served) as cloud, mirroring(fasta) as plain:
        sources: list[dict[str, Any]] = [
            {"name": "cloud", "layout": "cloud", "url": cloud.url},
            {"name": "folder", "layout": "ncbi", "url": str(versions[0])},
            {
                "name": "file",
                "layout": "fasta",
                "url": f"{plain.url}ours.fna.gz",
                "database": "one",
                "molecule": "nucleotide",
            },
            {"name": "files", "layout": "fasta", "url": str(fasta), "taxid_map": "map"},
        ]
        async with fetching(tmp_path, *sources) as service:
            tasks = [
                await fetch(service, NAME, source="cloud", called="from.cloud"),
                await fetch(service, NAME, source="folder"),
                await fetch(service, "one"),
                await fetch(service, "ours"),
            ]
            for task in tasks:
                await ended(service, task)
            assert await versions_found(service, "from.cloud") == ["v2", "v2"]
            assert await versions_found(service) == ["v1", "v1"]
            assert await versions_found(service, "one") == ["v9", "v9"]
            assert await versions_found(service, "ours") == ["v9", "v9"]
            shown = {one["name"]: one for one in (await service.get(DATABASES)).json["databases"]}
            assert set(shown) == {"from.cloud", NAME, "one", "ours"}
            assert (shown["ours"]["taxonomy"], shown["one"]["taxonomy"], shown["from.cloud"]["title"]) == (
                True,
                False,
                "mini 2",
            )
            for name in ("one", "ours", "from.cloud"):
                assert (await service.post(f"{DATABASES}/{name}/update")).json["task"] is None


async def test_D12_what_is_fetched_is_renamed_and_removed_and_running_searches_keep_theirs(
    tmp_path: Path, source: Mirror
) -> None:
    async with fetching(tmp_path, ncbi(source)) as service:
        await ended(service, await fetch(service))
        row = await service.run(f">q\n{QUERY}\n", database=NAME, reuse=False)
        uses = (await service.get(f"{DATABASES}/{NAME}/uses")).json
        assert (uses["jobs_active"], uses["jobs_stored"], uses["may_change"]) == (0, 1, True)
        for old, new in ((NAME, "better"), ("better", "best"), ("best", NAME)):
            answer = await service.post(f"{DATABASES}/{old}/rename", {"name": new})
            assert (answer.status, answer.json["name"]) == (200, new), answer.text
            assert (await service.get(f"{DATABASES}/{old}")).status == 404
            assert await versions_found(service, new) == ["v1", "v1"]
        answer = await service.post(f"{DATABASES}/{NAME}/rename", {"name": "../x"})
        assert answer.status == 422
        history = (await service.get(f"{DATABASES}/{NAME}/history")).json["history"]
        assert [line["detail"] for line in history if line["kind"] == "renamed"] == [
            "was best",
            "was better",
            f"was {NAME}",
        ]
        assert (await service.ask("DELETE", f"{DATABASES}/{NAME}")).status == 200
        assert (await service.get(f"{DATABASES}/{NAME}")).status == 404
        assert (await service.get(f"/api/blast/jobs/{row['job_id']}/results?format=xml")).status == 200
        assert (await service.get(f"{DATABASES}/{NAME}/history")).json["history"][0]["kind"] == "removed"


async def test_D11_updates_come_by_the_clock(tmp_path: Path, source: Mirror, versions: list[Path]) -> None:
    async with fetching(tmp_path, ncbi(source)) as service:
        await ended(service, await fetch(service))
    switch(source, versions[1])
    hours = 0.5 / 3600
    async with fetching(tmp_path, ncbi(source), databases__update_hours=hours) as service:

        async def updated() -> bool:
            return "v2" in await versions_found(service)

        await eventually(updated)
        lines = (await service.get(f"{DATABASES}/{NAME}/history")).json["history"]
        assert [line["kind"] for line in lines] == ["updated", "fetched"]


async def test_D07_the_taxonomy_is_fetched_and_serves(tmp_path: Path) -> None:
    served, dump = tmp_path / "taxonomy", tmp_path / "dump"
    for folder in (served, dump):
        folder.mkdir()
    (dump / "nodes.dmp").write_text("1\t|\t1\t|\tno rank\t|\n562\t|\t1\t|\tspecies\t|\n")
    (dump / "names.dmp").write_text("562\t|\tEscherichia coli\t|\t\t|\tscientific name\t|\n")
    mirror.archive(served / "taxdump.tar.gz", list(dump.iterdir()))
    mirror.describe(served)
    with mirroring(served) as source:
        async with fetching(tmp_path, {"name": "taxonomy", "layout": "taxonomy", "url": source.url}) as service:
            await ended(service, await fetch(service, "taxdump"))
            assert (service.files.databases / "taxdump" / "nodes.dmp").is_file()
            (one,) = (await service.get(f"{DATABASES}/available")).json["databases"]
            assert (one["installed_as"], one["newer"]) == ("taxdump", False)
            assert (await service.post(f"{DATABASES}/taxdump/update")).json["task"] is None
            assert (await service.get(DATABASES)).json["databases"] == []
            await service.post(f"{DATABASES}/rescan")
            await eventually(lambda: _knows_taxa(service))


async def test_D12_who_may_fetch_update_rename_and_remove(tmp_path: Path, source: Mirror) -> None:
    async with fetching(tmp_path, ncbi(source), databases__users_may_fetch=True) as service:
        now, made = service.services.clock.now(), {}
        for name, role in (("ada", "user"), ("bob", "user"), ("ops", "admin")):
            secret, owner = name[0] * 43, Owner(name)
            made[name] = await service.store.write(partial(_token, f"{name}00000"[:8], secret, owner, role, now))

        async def ask(name: str, method: str, path: str, **how: Any) -> int:
            headers = {"Authorization": f"Bearer {made[name]}"}
            return (await service.ask(method, f"{DATABASES}{path}", headers=headers, **how)).status

        assert await ask("ada", "POST", "/fetch", json={"name": NAME}) == 202
        await eventually(lambda: _is_here(service))
        for method, path, how in (
            ("POST", f"/{NAME}/update", {}), ("POST", f"/{NAME}/rename", {"json": {"name": "x"}}), ("DELETE", f"/{NAME}", {}),
            ("POST", "/fetch", {"json": {"name": NAME, "replace": True}}),
        ):  # fmt: skip
            assert await ask("bob", method, path, **how) == 403, path
        assert await ask("ada", "POST", f"/{NAME}/update") == 200
        assert await ask("ada", "POST", f"/{NAME}/rename", json={"name": "x"}) == 200
        assert await ask("bob", "DELETE", "/x") == 403
        assert await ask("ops", "DELETE", "/x") == 200
    async with fetching(tmp_path, ncbi(source)) as service:
        assert await ask("ada", "POST", "/fetch", json={"name": NAME}) == 403
        assert await ask("ops", "POST", "/fetch", json={"name": NAME}) == 202


def _token(token_id: str, secret: str, owner: Owner, role: str, now: Any, db: sqlite3.Connection) -> str:
    return tokens.create(db, token_id, secret, owner, role, now, None)


async def _is_here(service: Service) -> bool:
    return service.services.databases.current(NAME) is not None and await nothing_left(service)


async def _knows_taxa(service: Service) -> bool:
    return bool((await service.get("/api/blast/taxonomy")).json["source"] == "taxdump")


async def test_Y06_a_fetch_that_does_not_fit_is_refused_before_its_first_byte(tmp_path: Path, source: Mirror) -> None:
    records = [one for one in json.loads((source.folder / LIST).read_text()) if one["dbname"] == NAME]
    mirror.describe(source.folder, records[0] | {"bytes-total": 10**15})
    async with fetching(tmp_path, ncbi(source), retention__disk_floor_bytes=1 << 20) as service:
        task = await ended(service, await fetch(service), "failed")
        assert (task["error_code"], f"{10**15:,}"[:9] in task["error"]) == ("disk_full", True), task["error"]
        assert not source.asked[FIRST]
        await eventually(lambda: nothing_left(service))
