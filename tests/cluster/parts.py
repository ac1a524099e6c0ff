"""What the cluster tier needs: a blob emulator as a process, the cluster as its administrator sees it, and levers.

Settings come from the environment:

BLASTD_TEST_KUBECONFIG  kubeconfig of a cluster where the tests may make namespaces
BLASTD_TEST_AZURITE     the azurite-blob program
BLASTD_TEST_POD_HOST    this machine's address as pods reach it
BLASTD_TEST_IMAGE       an image with BLAST+ and python3 that the nodes have or can pull
BLASTD_TEST_LEVERS      a folder with the programs pause-apiserver, resume-apiserver, expire-watch ... that break the cluster
"""

import base64
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.patience import PATIENCE_SECONDS

ACCOUNT = "devstoreaccount1"
# The emulator's well-known key: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
RBAC = Path(__file__).parents[2] / "config" / "kubernetes" / "rbac.yaml"
START_SECONDS = 30.0
SET_BY_HAND = "3"  # NET_ADDR_SET of linux/netdevice.h
RECOVERIES: list[tuple[str, float]] = []
"""What was recovered from, and the seconds that it took: printed at the end of a run."""


def wanted(name: str) -> str:
    """Return a setting of the tier; without it the tier can't run."""
    value = os.environ.get(name, "")
    assert value, f"{name} is not set: see tests/cluster/parts.py"
    return value


def until(what: str, condition: Callable[[], Any], seconds: float = 30.0, pause: float = 0.1) -> Any:
    """Wait for *condition* to be true and return what it gave."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(pause)
    raise AssertionError(f"after {seconds} s still not: {what}")


class Emulator:
    """Azurite as a process, with its log of requests."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "access.log"
        folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def connection(self) -> str:
        return self.through(self.port)

    def through(self, port: int) -> str:
        """Return the connection string by way of another port."""
        url = f"http://127.0.0.1:{port}/{ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={url};"

    @property
    def pod_url(self) -> str:
        return f"http://{wanted('BLASTD_TEST_POD_HOST')}:{self.port}/{ACCOUNT}"

    def start(self) -> "Emulator":
        argv = [wanted("BLASTD_TEST_AZURITE"), "--blobHost", "0.0.0.0", "--blobPort", str(self.port)]  # noqa: S104  # pods reach it
        argv += ["--skipApiVersionCheck", "--disableTelemetry", "--location", str(self.folder)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        until("the emulator listens", self._listens, START_SECONDS)
        return self

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Let it write what it has in memory, and end."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(PATIENCE_SECONDS)

    def requests(self, pattern: str) -> list[str]:
        """Return the logged requests that match."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if re.search(pattern, line)]


def keep_bridge_address(host: str) -> None:
    """Fix the hardware address of a bridge on this machine over which pods reach *host*.

    Without one of its own, a bridge takes the lowest of its pods' ends: it changes when that pod goes, and every other
    pod talks into the void for half a minute.
    """
    for folder in Path("/sys/class/net").glob("*/bridge"):
        name, kind = folder.parent.name, folder.with_name("addr_assign_type").read_text().strip()
        held = subprocess.run(
            ["ip", "-o", "-4", "addr", "show", "dev", name], check=False, capture_output=True, text=True
        )
        if f" {host}/" in held.stdout and kind != SET_BY_HAND and os.geteuid() == 0:
            address = "02:" + ":".join(f"{byte:02x}" for byte in (1, *map(int, host.split("."))))
            subprocess.run(["ip", "link", "set", "dev", name, "address", address], check=True, capture_output=True)


class Cluster:
    """The API server as the administrator, apart from the code under test."""

    def __init__(self, folder: Path) -> None:
        self.config = yaml.safe_load(Path(wanted("BLASTD_TEST_KUBECONFIG")).read_text())
        self.folder = folder
        self.namespace = f"blastd-test-{os.getpid()}"
        cluster, user = self.config["clusters"][0]["cluster"], self.config["users"][0]["user"]
        self.url = cluster["server"]
        self.tls = ssl.create_default_context(cafile=self._file(cluster, "certificate-authority"))
        self.tls.load_cert_chain(self._file(user, "client-certificate"), self._file(user, "client-key"))
        self.tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        keep_bridge_address(wanted("BLASTD_TEST_POD_HOST"))

    def _file(self, entry: dict[str, str], name: str) -> str:
        """Return a file of the kubeconfig, be it named there or held in it."""
        if name in entry:
            return entry[name]
        path = self.folder / name
        path.write_bytes(base64.b64decode(entry[f"{name}-data"]))
        return str(path)

    def ask(self, method: str, path: str, body: Any = None, *, allowed: tuple[int, ...] = ()) -> Any:
        """Call the API server; an error status that is not *allowed* fails the test."""
        data = None if body is None else json.dumps(body).encode()
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(self.url + path, data, {"Content-Type": kind}, method=method)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.tls)
        )
        try:
            with opener.open(request, timeout=PATIENCE_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code in allowed:
                return None
            raise AssertionError((method, path, error.code, error.read()[:500])) from error

    def path(self, kind: str, name: str = "") -> str:
        group = {"jobs": "/apis/batch/v1", "daemonsets": "/apis/apps/v1"}.get(kind, "/api/v1")
        return f"{group}/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")

    def items(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        found = self.ask("GET", self.path(kind) + (f"?labelSelector={selector}" if selector else ""))
        return list(found["items"])

    def of_job(self, kind: str, job_id: str) -> list[dict[str, Any]]:
        return self.items(kind, f"blastd.io/job-id={job_id}")

    def make_account(self, name: str = "blastd", *, without: str = "") -> Path:
        """Make an account with the rights of the RBAC manifest, and return its kubeconfig.

        *without*: a verb or a resource that it may not use.
        """
        self._make_namespace()
        rules = []
        for entry in yaml.safe_load_all(RBAC.read_text()):
            for rule in entry.get("rules", ()):
                kept = {key: [one for one in rule[key] if one != without] for key in ("resources", "verbs")}
                rules += [rule | kept] if all(kept.values()) else []
        rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/"
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": self.namespace}],
        }
        made = {
            self.path("serviceaccounts"): {"metadata": {"name": name}},
            rbac.format(self.namespace) + "roles": {"metadata": {"name": name}, "rules": rules},
            rbac.format(self.namespace) + "rolebindings": binding,
        }
        for path, body in made.items():
            self.ask("POST", path, body, allowed=(409,))
        return self._kubeconfig(name)

    def _make_namespace(self) -> None:
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}}, allowed=(409,))
        until("the default account", lambda: self.ask("GET", self.path("serviceaccounts", "default"), allowed=(404,)))

    def _kubeconfig(self, name: str) -> Path:
        path, body = self.path("serviceaccounts", name) + "/token", {"spec": {"expirationSeconds": 7200}}
        token = self.ask("POST", path, body)["status"]["token"]
        made = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": self.config["clusters"][0]["cluster"]}],
            "users": [{"name": "u", "user": {"token": token}}],
        }
        file = self.folder / f"{name}.kubeconfig"
        file.write_text(yaml.safe_dump(made))
        return file

    def through(self, account: Path, url: str) -> Path:
        """Return the kubeconfig of *account* by way of another address."""
        config = yaml.safe_load(account.read_text())
        config["clusters"][0]["cluster"] = {"server": url}
        path = account.with_name("proxied.kubeconfig")
        path.write_text(yaml.safe_dump(config))
        return path

    def trusted(self) -> ssl.SSLContext:
        """Return what trusts the API server and shows no certificate of ours."""
        made = ssl.create_default_context(
            cafile=self._file(self.config["clusters"][0]["cluster"], "certificate-authority")
        )
        made.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return made

    def bind_claim(self, name: str, folder: Path) -> None:
        """Bind a claim to a folder of the node, as a provisioner would: a test cluster may have none."""
        path, volume = self.path("persistentvolumeclaims", name), f"{self.namespace}-{name}"
        claim = self.ask("GET", path)
        held = {"namespace": self.namespace, "name": name, "uid": claim["metadata"]["uid"]}
        offered = {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": claim["spec"]["resources"]["requests"],
            "hostPath": {"path": str(folder)},
            "claimRef": held,
        }
        made = f"/api/v1/persistentvolumes/{volume}"
        self.ask("POST", made.rpartition("/")[0], {"metadata": {"name": volume}, "spec": offered})
        bound = {
            "metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
            "spec": {"volumeName": volume},
        }
        self.ask("PATCH", path, bound)
        for each in (made, path):
            self.ask("PATCH", f"{each}/status", {"status": {"phase": "Bound"}})

    def free_claim(self, name: str) -> None:
        """Remove a claim and its volume, which the same controllers would let go of."""
        for path in (
            self.path("persistentvolumeclaims", name),
            f"/api/v1/persistentvolumes/{self.namespace}-{name}",
        ):
            self.ask("PATCH", path, {"metadata": {"finalizers": None}}, allowed=(404,))
            self.ask("DELETE", path, allowed=(404,))
            self.ask("PATCH", path, {"metadata": {"finalizers": None}}, allowed=(404,))

    def remove(self) -> None:
        self.ask("DELETE", f"/api/v1/namespaces/{self.namespace}", allowed=(404,))


def cluster_environ(cluster: Cluster, account: Path, emulator: Emulator) -> dict[str, str]:
    """Return the settings of a daemon that searches in the cluster only, as *account* (a kubeconfig)."""
    return {
        "BLASTD_LOCAL__ENABLED": "false",
        "BLASTD_KUBERNETES__ENABLED": "true",
        "BLASTD_KUBERNETES__KUBECONFIG": str(account),
        "BLASTD_KUBERNETES__NAMESPACE": cluster.namespace,
        "BLASTD_KUBERNETES__IMAGE": wanted("BLASTD_TEST_IMAGE"),
        "BLASTD_KUBERNETES__CPU": "0.1",
        "BLASTD_KUBERNETES__CACHE_DIR": f"/tmp/{cluster.namespace}",  # noqa: S108  # a folder of the node
        "BLASTD_KUBERNETES__REQUEST_SECONDS": "3",
        "BLASTD_AZURE__CONNECTION_STRING": emulator.connection,
        "BLASTD_AZURE__POD_ACCOUNT_URL": emulator.pod_url,
        "BLASTD_AZURE__REQUEST_SECONDS": "5",
    }


def volume_environ(folder: Path, source: dict[str, Any]) -> dict[str, str]:
    """Return the settings of a daemon that shares *folder* with its pods, which mount it as *source*."""
    return {
        "BLASTD_KUBERNETES__STORAGE": "volume",
        "BLASTD_VOLUME__FOLDER": str(folder),
        "BLASTD_VOLUME__SOURCE": json.dumps(source),
        "BLASTD_AZURE__CONNECTION_STRING": "",
    }


def levers() -> Path | None:
    """Return the folder of programs that break the cluster, None if there is none."""
    folder = os.environ.get("BLASTD_TEST_LEVERS", "")
    return Path(folder) if folder else None


def pull(lever: str, *words: str, seconds: float = 120) -> None:
    """Run a lever."""
    folder = levers()
    assert folder is not None
    subprocess.run([str(folder / lever), *words], check=True, capture_output=True, timeout=seconds)
