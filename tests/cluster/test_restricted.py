"""A namespace that enforces the restricted Pod Security Standard: no root, no folder of the node."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Make
from tests.cluster.parts import Cluster, Emulator, cluster_environ, until, volume_environ
from tests.databases import LAMBDA_QUERY

RESTRICTED = "pod-security.kubernetes.io/enforce"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster by a namespace of its own."""
    cluster = Cluster(tmp_path_factory.mktemp("restricted"))
    cluster.namespace += "-restricted"
    yield cluster
    cluster.remove()


@pytest.fixture(scope="module")
def restricted(strict: Cluster, emulator: Emulator) -> dict[str, str]:
    """Settings of a daemon for a namespace of its own, in which the profile is enforced."""
    cluster, account = strict, strict.make_account()
    path = f"/api/v1/namespaces/{cluster.namespace}"
    found = cluster.ask("GET", path)
    found["metadata"]["labels"][RESTRICTED] = "restricted"
    cluster.ask("PUT", path, found)
    return cluster_environ(cluster, account, emulator)


def test_K06_searches_run_where_root_and_the_nodes_folders_are_forbidden(
    restricted: dict[str, str], make: Make, databases: Path
) -> None:
    del databases
    daemon = make(**restricted, BLASTD_KUBERNETES__CACHE="none").start().ready()
    first = daemon.run(LAMBDA_QUERY, reuse=False)
    second = daemon.run(LAMBDA_QUERY, reuse=False)
    assert [first["status"], second["status"]] == ["completed"] * 2, (first, second)
    assert first["hits"] == second["hits"] > 0


def test_K06_a_folder_of_the_node_is_refused_there_in_words(restricted: dict[str, str], make: Make) -> None:
    daemon = make(**restricted).start().ready()
    row = daemon.submit(LAMBDA_QUERY, reuse=False)
    path = f"/api/blast/jobs/{row['job_id']}?wait=5"
    row = until(
        "the refusal", lambda: told if (told := daemon.get(path).json)["waiting_for"] == "pods_refused" else None, 90
    )
    assert "kubernetes.cache" in row["error"], row


USER = 10001


@pytest.fixture
def shared(strict: Cluster, restricted: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings of a daemon that shares a claim with pods of a user of their own, by a group."""
    folder = tmp_path / "claim"
    folder.mkdir()
    folder.chmod(0o2770)
    os.chown(folder, os.getuid(), USER)
    asked = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    strict.ask("POST", strict.path("persistentvolumeclaims"), {"metadata": {"name": "shared"}, "spec": asked})
    strict.bind_claim("shared", folder)
    yield restricted | volume_environ(folder, {"persistentVolumeClaim": {"claimName": "shared"}})
    strict.free_claim("shared")


def test_K05_K06_a_claim_serves_pods_of_another_user_and_databases_are_searched_in_it(
    shared: dict[str, str], make: Make, databases: Path
) -> None:
    del databases
    own = {"BLASTD_KUBERNETES__CACHE": "none", "BLASTD_KUBERNETES__RUN_AS_USER": str(USER)}
    daemon = make(**shared, **own).start().ready()
    row = daemon.run(LAMBDA_QUERY, reuse=False)
    assert (row["status"], row["hits"] > 0) == ("completed", True), row
    split = make(**shared, **own, BLASTD_KUBERNETES__SHARDS="2").start().ready()
    parts = split.run(LAMBDA_QUERY, reuse=False)
    assert (parts["progress"]["units_total"], parts["hits"]) == (3, row["hits"])
