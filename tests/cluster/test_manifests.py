"""config/kubernetes as an operator applies it: blastd in the cluster, upgraded and rolled back while a search is there.

The image is made of this checkout and what pip installs for it, on the image of the searches.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.parts import Cluster, levers, pull, until, wanted
from tests.cluster.rows import SOME_SECONDS
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, SLOW

ROOT = Path(__file__).parents[2]
USER = 8470
IMAGE = "testcluster/blastd"
DOCKERFILE = """FROM {base}
COPY site /opt/site
RUN useradd --uid {user} --user-group blastd && printf '#!/bin/sh\\nexec python3 -m blastd.cli.main "$@"\\n' > /usr/local/bin/blastd \\
    && chmod 755 /usr/local/bin/blastd
ENV PYTHONPATH=/opt/site PYTHONDONTWRITEBYTECODE=1 RELEASE={tag}
USER {user}:{user}
ENTRYPOINT ["blastd"]
"""
DEPLOYMENT = "deployments/blastd"
SECONDS = 420.0
SMALL = "cpu = 0.1"
"""For the few cores of a test cluster."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two releases of one daemon on the node."""
    folder = tmp_path_factory.mktemp("image")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]
    subprocess.run([*pip, str(folder / "site"), f"{ROOT}[server]"], check=True, capture_output=True, timeout=SECONDS)
    for tag in ("1", "2"):
        base = wanted("BLASTD_TEST_IMAGE")
        (folder / "Dockerfile").write_text(DOCKERFILE.format(base=base, user=USER, tag=tag))
        pull("build-image", f"{IMAGE}:{tag}", str(folder), seconds=SECONDS)


class Operator:
    """Somebody with kubectl and a copy of config/kubernetes."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder / "kubernetes"
        shutil.copytree(ROOT / "config" / "kubernetes", self.folder)

    def apply(self, tag: str) -> None:
        """Name namespace, image and cores, as docs/kubernetes.md says, and apply."""
        file = self.folder / "kustomization.yaml"
        said = yaml.safe_load(file.read_text())
        said["namespace"] = self.cluster.namespace
        said["images"] = [{"name": "blastd", "newName": IMAGE, "newTag": tag}]
        file.write_text(yaml.safe_dump(said))
        settings = self.folder / "blastd.toml"
        if SMALL not in (text := settings.read_text()):
            settings.write_text(text.replace("[kubernetes]\n", f"[kubernetes]\n{SMALL}\n"))
        self.kubectl("apply", "-k", str(self.folder))

    def kubectl(self, *words: str) -> str:
        folder = levers()
        assert folder is not None
        environ = os.environ | {"KUBECONFIG": wanted("BLASTD_TEST_KUBECONFIG")}
        argv = [str(folder / "kubectl"), "-n", self.cluster.namespace, *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, env=environ, check=False)
        assert done.returncode == 0, (argv, done.stderr)
        return done.stdout

    def daemon(self, tag: str, state: Path) -> Daemon:
        """Return the daemon that is ready on this image, by the address of its pod."""

        def ready() -> dict[str, Any] | None:
            pods = self.cluster.items("pods", "app.kubernetes.io/name=blastd")
            return next(
                (pod for pod in pods if is_ready(pod) and pod["spec"]["containers"][0]["image"].endswith(f":{tag}")),
                None,
            )

        pod: dict[str, Any] = until(f"release {tag} is ready", ready, SECONDS)
        found = Daemon(state, [])
        found.url = f"http://{pod['status']['podIP']}:8470"
        found.token = (state / "first-token").read_text().strip()
        return found


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return not pod["metadata"].get("deletionTimestamp") and any(
        one["type"] == "Ready" and one["status"] == "True" for one in conditions
    )


@pytest.fixture
def operator(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    cluster = Cluster(tmp_path_factory.mktemp("manifests"))
    cluster.namespace += "-inside"
    yield Operator(cluster, tmp_path)
    cluster.remove()


def open_folder(folder: Path) -> Path:
    """Make what a disk of the cluster would be: its group is that of the pods (fsGroup)."""
    folder.mkdir()
    os.chown(folder, 0, USER)
    folder.chmod(0o2770)
    return folder


@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("images")
def test_K15_deployed_upgraded_and_rolled_back_with_a_search_in_the_cluster(
    operator: Operator, tmp_path: Path, databases: Path
) -> None:
    cluster = operator.cluster
    state, shared = open_folder(tmp_path / "state"), open_folder(tmp_path / "shared")
    operator.apply("1")
    try:
        for name, folder in {"blastd-state": state, "blastd-shared": shared}.items():
            cluster.bind_claim(name, folder)
        first = operator.daemon("1", state)
        shutil.copytree(databases, shared / "db", dirs_exist_ok=True)
        assert first.post("/api/blast/databases/rescan").status == 200
        done = first.run(LAMBDA_QUERY, reuse=False)
        assert (done["status"], done["hits"] > 0) == ("completed", True), done
        upgraded = handed_over(first)
        operator.apply("2")
        second = operator.daemon("2", state)
        kept(second, upgraded)
        rolled_back = handed_over(second)
        operator.kubectl("rollout", "undo", DEPLOYMENT)
        again = operator.daemon("1", state)
        kept(again, rolled_back)
        assert again.get("/api/blast/jobs").json["counts"]["completed"] == 3
    finally:
        for name in ("blastd-state", "blastd-shared"):
            cluster.free_claim(name)


def handed_over(daemon: Daemon) -> str:
    """Submit a search of some seconds, and return when the cluster has it."""
    job_id: str = daemon.submit(SOME_SECONDS, **SLOW)["job_id"]
    until("it is with the cluster", lambda: daemon.job(job_id)["engine_ref"].get("units"), 60)
    return job_id


def kept(daemon: Daemon, job_id: str) -> None:
    """Wait for the end of a search that another release began."""
    row = daemon.ended(job_id, SECONDS)
    assert (row["status"], row["attempt"]) == ("completed", 1), row
