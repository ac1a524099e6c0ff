"""A namespace that enforces the restricted Pod Security Standard: no root, no folder of the node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Make
from tests.cluster.parts import Cluster, Emulator, cluster_environ, until
from tests.databases import LAMBDA_QUERY

RESTRICTED = "pod-security.kubernetes.io/enforce"


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory, emulator: Emulator) -> Iterator[dict[str, str]]:
    """Settings of a daemon for a namespace of its own, in which the profile is enforced."""
    cluster = Cluster(tmp_path_factory.mktemp("restricted"))
    cluster.namespace += "-restricted"
    account = cluster.make_account()
    path = f"/api/v1/namespaces/{cluster.namespace}"
    found = cluster.ask("GET", path)
    found["metadata"]["labels"][RESTRICTED] = "restricted"
    cluster.ask("PUT", path, found)
    yield cluster_environ(cluster, account, emulator)
    cluster.remove()


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
