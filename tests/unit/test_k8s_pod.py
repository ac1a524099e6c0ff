"""The pod's program says the same of masks and proposals as the rules that it was made from; what pods are told."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from blastd.config import KubernetesSettings
from blastd.core import alias, proposals
from blastd.core.alias import AliasVolume, Layout, Mask, Named
from blastd.core.engine import DatabaseAt, Work
from blastd.core.ids import JobId, Owner
from blastd.core.model import DatabaseRef, Job, Phase, QueryInfo, Status, Unit, UnitKind, UnitState
from blastd.engines.kubernetes import manifests, podrunner
from blastd.engines.kubernetes.podplan import Manifest, StoredFile, job_plan, missing, pod_plan

NOW = datetime(2026, 11, 25, tzinfo=UTC)
JOB = JobId("01234567-89ab-4def-8000-000000000000")
LAYOUT = Layout(
    molecule="prot",
    argument="aa",
    databases=(Named(name="aa", title="AA", sequences=100, letters=900, volumes=(0, 1)),),
    volumes=(AliasVolume(path="/d/aa.00", sequences=60), AliasVolume(path="/d/aa.01", sequences=40)),
    has_ids=True,
)
spans = st.lists(
    st.tuples(st.integers(0, 99), st.integers(1, 30)).map(lambda one: (one[0], one[0] + one[1])), max_size=8
)


@given(spans, st.integers(0, 40), st.integers(1, 90))
def test_masks_are_those_of_the_rules(found: list[tuple[int, int]], start: int, count: int) -> None:
    kept = podrunner.union(found)
    inside = tuple((max(a - start, 0), min(b - start, count)) for a, b in kept if a < start + count and b > start)
    assert podrunner.mask_bytes(kept, start, count) == alias.mask_bytes(Mask(name="x", count=count, ranges=inside))


@given(spans)
def test_unions_and_ranges_are_those_of_the_rules(found: list[tuple[int, int]]) -> None:
    assert tuple(podrunner.union(found)) == proposals.union([tuple(found)])
    positions = [at for first, end in found for at in range(first, end)]
    assert tuple(podrunner.ranges(positions)) == alias.ranges(positions)


TABLE = "# BLASTP 2.12.0+\n# Query: a\n# Database: x\n# 2 hits found\ns1\ns2\n# BLASTP\n# Query: b # odd\n# 0 hits found\n# BLAST processed 2 queries\n"
XML = "<a><Iteration>\n<Hit_id>gnl|BL_ORD_ID|7</Hit_id><Hit_id>gnl|BL_ORD_ID|12</Hit_id></Iteration><Iteration>\n</Iteration>"


@pytest.mark.parametrize(
    ("text", "has_ids", "wanted"), [(TABLE, True, [{"s1", "s2"}, set()]), (XML, False, [{"7", "12"}, set()])]
)
def test_answers_are_read_alike(tmp_path: Any, text: str, has_ids: bool, wanted: list[set[str]]) -> None:
    path = tmp_path / "found"
    path.write_text(text)
    layout = Layout(molecule="prot", argument="aa", databases=LAYOUT.databases, volumes=LAYOUT.volumes, has_ids=has_ids)
    assert podrunner.answers(str(path), has_ids) == proposals.answers(text, layout) == wanted


def test_queries_at_the_limit_are_asked_again_unless_the_shard_is_smaller() -> None:
    found = [{"a", "b"}, {"c"}, {"d", "e", "f"}]
    assert proposals.cut(found, 2, 50) == [0, 2]
    assert proposals.cut(found, 2, 2) == []


def test_the_last_word_keeps_the_end_of_stderr_and_fits() -> None:
    text = podrunner.fit({"unit": 1, "stderr": 'x"' * 5000 + "the cause"}, 4000)
    assert len(text) <= 4000
    assert json.loads(text)["stderr"].endswith("the cause")


# ---------------------------------------------------------------------- what pods are told
def unit(
    index: int, kind: UnitKind, batch: int, shard: int | None = None, after: tuple[int, ...] = (), **more: Any
) -> Unit:
    return Unit(
        job_id=JOB, index=index, kind=kind, batch=batch, shard=shard, first_query=0, queries=1, letters=9, offset=0, size=9,
        after=after, **more,
    )  # fmt: skip


SPLIT = (
    unit(0, UnitKind.PROPOSE, 0, 0),
    unit(1, UnitKind.PROPOSE, 0, 1),
    unit(2, UnitKind.FINISH, 0, after=(0, 1)),
    unit(3, UnitKind.PROPOSE, 1, 0),
    unit(4, UnitKind.PROPOSE, 1, 1),
    unit(5, UnitKind.FINISH, 1, after=(3, 4)),
)


def work(units: tuple[Unit, ...]) -> Work:
    job = Job(
        job_id=JOB, version=1, title="t", program="blastp", task="blastp",
        databases=(DatabaseRef(name="aa", fingerprint="f" * 64),),
        options={"evalue": "1e-3", "max_target_seqs": "10"}, query_loc=None, engine="kubernetes", priority=0,
        owner=Owner("o"), source="api", status=Status.QUEUED, phase=Phase.SUBMITTING, created_at=NOW, updated_at=NOW,
        query=QueryInfo(count=2, letters=18, molecule="protein", first_id="a", sha256=""),
    )  # fmt: skip
    at = DatabaseAt(
        name="aa", fingerprint="f" * 64, folder="/d", molecule="prot", sequences=100, letters=900, size_bytes=5000
    )
    return Work(
        job=job, units=units, folder="/j", query_path="/j/query.fa", databases=(at,), run_folder="/d",
        database_argument="aa", arguments=("-evalue", "1e-3"), rich_format="7 std", time_limit_seconds=60, layout=LAYOUT,
        cuts=(0, 50, 100),
    )  # fmt: skip


MANIFEST = Manifest(
    fingerprint="f" * 64, name="aa", molecule="prot", files=(StoredFile(name="aa.00.psq", size=5, sha256="s"),)
)


def test_proposals_are_completions_and_finishes_ride_on_theirs() -> None:
    given_work = work(SPLIT)
    plan = job_plan(given_work, KubernetesSettings(enabled=True), staging=False)
    assert plan.completions == ((0,), (1,), (3,), (4,))
    told = pod_plan(given_work, plan, [MANIFEST], 60)
    assert told["riders"] == {"2": [0, 1], "5": [2, 3]}
    assert told["units"]["1"]["shard"] == ((50, 100),)
    assert told["units"]["5"]["after"] == [3, 4]
    assert told["alias"]["volumes"] == ["aa.00", "aa.01"]
    assert told["alias"]["masks"] == [["blastd-volume-0.msk", 60], ["blastd-volume-1.msk", 40]]
    assert "{limit}" in told["alias"]["again_words"]
    assert "/" not in json.dumps(told["alias"]["texts"]), "no path of this machine"


def test_K01_a_unit_asks_for_the_memory_of_its_shard_and_stages_the_files() -> None:
    settings = KubernetesSettings(enabled=True, cache="none")
    for units, share in ((SPLIT, 0.55), ((unit(0, UnitKind.SEARCH, 0),), 1.0)):
        plan = job_plan(work(units), settings, staging=False)
        assert plan.unit_bytes == round(5000 * share)
        box = manifests.job(plan, settings, "print()")["spec"]["template"]["spec"]["containers"][0]
        assert int(box["resources"]["requests"]["memory"]) == plan.unit_bytes + (256 << 20)
        assert int(box["resources"]["requests"]["ephemeral-storage"]) == 5000 + (1 << 30)


def test_C11_a_retry_runs_what_is_missing_and_asks_the_shards_of_an_unfinished_batch_again() -> None:
    done: dict[str, Any] = {"state": UnitState.DONE}
    units = (
        unit(0, UnitKind.PROPOSE, 0, 0, **done),
        unit(1, UnitKind.PROPOSE, 0, 1, **done),
        unit(2, UnitKind.FINISH, 0, after=(0, 1), **done),
        unit(3, UnitKind.PROPOSE, 1, 0, **done),
        unit(4, UnitKind.PROPOSE, 1, 1),
        unit(5, UnitKind.FINISH, 1, after=(3, 4)),
    )
    assert [one.index for one in missing(units)] == [3, 4, 5]


@pytest.mark.parametrize(("asked", "seconds"), [(None, 900), (60, 60), (5000, 900)])
def test_Y10_a_search_on_the_cluster_has_the_time_that_it_asked_for_within_the_operators(
    asked: int | None, seconds: int
) -> None:
    given = work(SPLIT)
    given = replace(given, job=replace(given.job, time_limit_seconds=asked))
    settings = KubernetesSettings(enabled=True, time_limit_seconds=900)
    plan = job_plan(given, settings, staging=False)
    assert pod_plan(given, plan, [MANIFEST], settings.time_limit_seconds)["time_limit_seconds"] == seconds
