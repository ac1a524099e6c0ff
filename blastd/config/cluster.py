"""Settings of searches on a cluster: the Kubernetes engine and the storage account."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from blastd.config.base import Seconds, Secret, SettingsSection, about


class Toleration(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A toleration as in a Pod's spec."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class KubernetesSettings(SettingsSection, frozen=True, kw_only=True):
    """The engine that searches on a Kubernetes cluster."""

    enabled: Annotated[
        bool, about("Whether searches may run on the cluster. Needs a section [azure] or [volume], too.")
    ] = False
    kubeconfig: Annotated[
        Path | None, about("Kubeconfig file. Empty: the in-cluster account, else $KUBECONFIG or ~/.kube/config.")
    ] = None
    context: Annotated[str, about("Context of the kubeconfig. Empty: its current one.")] = ""
    namespace: Annotated[
        str, about("Namespace of the Jobs.", pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
    ] = "blastd"
    image: Annotated[
        str,
        about("Image of the pods: anything with python3 and the BLAST+ version of this machine, like blastd's own."),
    ] = ""
    image_pull_policy: Annotated[Literal["Always", "IfNotPresent", "Never"], about("When nodes pull the image.")] = (
        "IfNotPresent"
    )
    image_pull_secrets: Annotated[list[str], about("Names of Secrets for a private registry.")] = []
    service_account: Annotated[str, about("Service account of the pods. They need no rights in the cluster.")] = ""
    priority_class: Annotated[str, about("Priority class of the pods.")] = ""
    node_selector: Annotated[dict[str, str], about("Labels of the nodes that may search.")] = {}
    tolerations: Annotated[list[Toleration], about("Taints that the pods tolerate, as in a Pod's spec.")] = []
    labels: Annotated[dict[str, str], about("More labels of Jobs and pods, for cost reports and policies.")] = {}
    annotations: Annotated[dict[str, str], about("More annotations of the pods.")] = {}
    affinity: Annotated[dict[str, Any], about("Affinity of the pods, as in a Pod's spec.")] = {}
    topology_spread: Annotated[
        list[dict[str, Any]], about("Topology spread constraints of the pods, as in a Pod's spec.")
    ] = []
    runtime_class: Annotated[str, about("Runtime class of the pods.")] = ""
    queue_name: Annotated[
        str, about("LocalQueue of Kueue that lets Jobs begin; they are made suspended. Empty: they begin at once.")
    ] = ""
    storage: Annotated[
        Literal["blob", "volume"],
        about(
            "Through what queries, databases and results travel: blob: Azure Blob Storage (section azure); volume: a folder "
            "that this machine and the pods mount (section volume)."
        ),
    ] = "blob"
    cache: Annotated[
        Literal["hostPath", "pvc", "ephemeral", "none"],
        about(
            "Where pods keep databases: hostPath: a folder of the node, shared by searches, whose pods then run as root; "
            "pvc: a claim that all pods can write (cache_claim); ephemeral: a volume of each pod's own "
            "(cache_storage_class, cache_bytes); none: the pod's own scratch space. With all but hostPath pods keep to "
            "the restricted Pod Security Standard."
        ),
    ] = "hostPath"
    cache_dir: Annotated[str, about("Folder on each node for cache = hostPath.", pattern="^/")] = (
        "/var/lib/blastd-cache"
    )
    cache_claim: Annotated[str, about("PersistentVolumeClaim (ReadWriteMany) for cache = pvc.")] = ""
    cache_storage_class: Annotated[str, about("Storage class for cache = ephemeral. Empty: the cluster's own.")] = ""
    cache_bytes: Annotated[
        int, about("Size that the cache is kept under, and that of each ephemeral volume; 0: no limit.", ge=0)
    ] = 0
    run_as_user: Annotated[
        int, about("User and group of the pods where they need not be root (cache other than hostPath).", ge=1)
    ] = 10001
    cpu: Annotated[float, about("Cores that one pod asks for.", gt=0)] = 2.0
    memory_limit_bytes: Annotated[int, about("Memory limit of one pod; 0: from the size of the database.", ge=0)] = 0
    time_limit_seconds: Annotated[
        Seconds, about("Longest run of one part of a search; the wait for a node does not count.", gt=0)
    ] = 24 * 3600.0
    shards: Annotated[
        int, about("Parts into which a database is split; 0: by its size and the number of nodes.", ge=0)
    ] = 0
    retries: Annotated[int, about("Tries again for one unit that failed for a reason that may pass.", ge=0, le=10)] = 2
    ttl_seconds: Annotated[
        int, about("Time after which Kubernetes removes an ended Job that nobody fetched.", ge=60)
    ] = 7 * 86400
    parallel_bootstrap: Annotated[
        bool, about("Whether the independent operations before a Job run at once. false: in turn, for comparison.")
    ] = True
    request_seconds: Annotated[Seconds, about("Time limit of one call to the API server.", gt=0)] = 10.0
    adopt_external: Annotated[bool, about("Whether runs of others with our adoption labels are listed as jobs.")] = True


class VolumeSettings(SettingsSection, frozen=True, kw_only=True):
    """A folder that this machine and the pods share, through which cluster searches travel with kubernetes.storage = volume."""

    folder: Annotated[Path | None, about("Where the volume is mounted on this machine.")] = None
    source: Annotated[
        dict[str, Any],
        about("The same volume as pods mount it, as in a Pod's spec: persistentVolumeClaim, nfs, hostPath and so on."),
    ] = {}
    sub_path: Annotated[
        str,
        about(
            "Folder within the volume, where 'folder' is not the volume's own top.",
            pattern=r"^([\w.~-]+(/[\w.~-]+)*)?$",
        ),
    ] = ""


class AzureSettings(SettingsSection, frozen=True, kw_only=True):
    """Azure Blob Storage, through which queries, databases and results of cluster searches travel."""

    connection_string: Annotated[
        Secret, about("Connection string with the account key. From the environment only; in a file use the next key.")
    ] = Secret()
    connection_string_file: Annotated[Path | None, about("File that holds the connection string and nothing else.")] = (
        None
    )
    pod_account_url: Annotated[
        str, about("Address of the same account as the pods reach it, where that differs (emulators).")
    ] = ""
    queries_container: Annotated[str, about("Container of the queries.", min_length=3, max_length=63)] = "queries"
    databases_container: Annotated[str, about("Container of the databases.", min_length=3, max_length=63)] = "blast-db"
    results_container: Annotated[str, about("Container of the results.", min_length=3, max_length=63)] = "results"
    sas_hours: Annotated[
        float, about("How long the access of one job lasts; it is renewed while the job runs.", gt=0)
    ] = 24.0
    request_seconds: Annotated[Seconds, about("Time limit of one call to the storage account.", gt=0)] = 30.0
