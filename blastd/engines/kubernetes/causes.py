"""Every trouble that the Kubernetes engine can name: its stable code, its sentence, its remedy.

Which of them it is, is found out in `diagnosis`; the table of docs/kubernetes.md is made from the same words.
"""

from blastd.core.engine import Trouble

LAST = 400  # characters of a foreign message that go into a sentence


def clip(text: str) -> str:
    """Return a foreign message on one line, without its full stop, at a length that fits a sentence."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= LAST else line[: LAST - 1] + "…"


def unschedulable(message: str) -> Trouble:
    """Say that no node takes the pod."""
    return Trouble(
        code="unschedulable",
        sentence=f"No node of the cluster can take the search: {clip(message)}.",
        remedy="Add a node or wait until one is ready, lower kubernetes.cpu or memory_limit_bytes, or correct node_selector and tolerations.",
    )


def image(reason: str, message: str) -> Trouble:
    """Say that the node can't get the image."""
    return Trouble(
        code="image_pull_failed",
        sentence=f"The node can't pull the image ({reason}): {clip(message)}.",
        remedy="Check kubernetes.image and image_pull_secrets, and that the nodes reach the registry.",
    )


def container_config(reason: str, message: str) -> Trouble:
    """Say that the container can't be made."""
    return Trouble(
        code="container_config_error",
        sentence=f"The search's container can't be created ({reason}): {clip(message)}.",
        remedy="Check that the image has python3 and that the job's Secret and ConfigMap exist, then retry.",
    )


def mount(message: str) -> Trouble:
    """Say that a volume can't be mounted."""
    return Trouble(
        code="volume_mount_failed",
        sentence=f"A volume of the search can't be mounted: {clip(message)}.",
        remedy="Check that kubernetes.cache_dir can be made on the nodes and that the namespace allows hostPath.",
    )


def pods_refused(message: str) -> Trouble:
    """Say that the cluster refuses to create pods."""
    if "exceeded quota" in message:
        return Trouble(
            code="quota_exceeded",
            sentence=f"The namespace's quota refuses the search's pods: {clip(message)}.",
            remedy="Wait for other searches to end, or raise the ResourceQuota; it goes on by itself then.",
        )
    if "violates PodSecurity" in message:
        return Trouble(
            code="pods_refused",
            sentence=f"The namespace's Pod Security Standard refuses the search's pods: {clip(message)}.",
            remedy="Set kubernetes.cache to pvc, ephemeral or none, with which pods keep to 'restricted'; or relax the namespace.",
        )
    code = "webhook_refused" if "admission webhook" in message else "pods_refused"
    return Trouble(
        code=code,
        sentence=f"The cluster refuses to create the search's pods: {clip(message)}.",
        remedy="Ask who runs the cluster which policy refuses them; correct service_account, image or the policy.",
    )


def suspended() -> Trouble:
    """Say that somebody suspended the Job."""
    return Trouble(
        code="suspended",
        sentence="The Job is suspended, by a queueing system or by hand.",
        remedy="It goes on when its 'suspend' is set to false.",
    )


def out_of_memory(node: str) -> Trouble:
    """Say that the kernel killed it."""
    return Trouble(
        code="out_of_memory",
        sentence=f"The search needed more memory than its pod may have and was killed (OOMKilled) on {node or 'a node'}.",
        remedy="Raise kubernetes.memory_limit_bytes, split the database into more shards, or search fewer queries.",
    )


def evicted(message: str) -> Trouble:
    """Say that the node threw the pod out."""
    return Trouble(
        code="evicted",
        sentence=f"The node evicted the search's pod: {clip(message)}.",
        remedy="The node lacks memory or disk: free it or choose larger nodes, then retry.",
        retryable=True,
    )


def node_silent(node: str) -> Trouble:
    """Say that nothing is heard of the node: what its pods do is not known."""
    return Trouble(
        code="node_not_ready",
        sentence=f"Nothing has been heard of the node {node or 'of the search'} for a while (NotReady); the search may still run there.",
        remedy="It goes on by itself when the node is back, or elsewhere once the node is removed from the cluster.",
        retryable=True,
    )


def taken_away(node: str, message: str) -> Trouble:
    """Say that a node gave up a part of the search, which another pod does anew."""
    return Trouble(
        code="node_lost",
        sentence=f"The node {node or 'of a part'} gave up a part of the search: {clip(message)}.",
        remedy="That part begins anew in another pod by itself; it counts as no try.",
        retryable=True,
    )


def node_lost(node: str, message: str) -> Trouble:
    """Say that the node went away."""
    return Trouble(
        code="node_lost",
        sentence=f"The node {node or ''} was lost while it searched: {clip(message)}.".replace("  ", " "),
        remedy="Kubernetes tries again elsewhere by itself; if it keeps failing, check the node, then retry.",
        retryable=True,
    )


def deadline(message: str) -> Trouble:
    """Say that it took longer than allowed."""
    return Trouble(
        code="deadline_exceeded",
        sentence=f"The search took longer than its time limit (DeadlineExceeded): {clip(message)}.",
        remedy="Raise kubernetes.time_limit_seconds, split the search, or check why it waited so long.",
    )


REJECTIONS = {
    "OutOfmemory": "The node has less free memory than the scheduler counted on: retry, or choose larger nodes.",
    "OutOfcpu": "The node has fewer free CPUs than the scheduler counted on: retry, or choose larger nodes.",
    "OutOfpods": "The node runs as many pods as it may: retry, or add a node.",
    "OutOfephemeral-storage": "The node lacks disk space: free it or choose larger nodes, then retry.",
    "NodeAffinity": "The node no longer fits kubernetes.node_selector or affinity: correct its labels, then retry.",
    "NodeName": "The node is another than the pod asked for: retry.",
    "NodePorts": "A port that the pod asks for is taken on the node: retry.",
    "UnexpectedAdmissionError": "The node could not give what the pod asks for, a device for example: check it, then retry.",
    "Preempting": "Pods of higher priority took its place: retry, or raise kubernetes.priority_class.",
    "Terminated": "The node was shut down: retry when there is another.",
    "NodeShutdown": "The node was shut down: retry when there is another.",
    "NodeLost": "The node was lost: retry when there is another.",
    "DeadlineExceeded": "The pod had a time limit of its own, which a policy of the cluster may have set: ask who runs it.",
    "PodOSNotSupported": "The node has another operating system: set kubernetes.node_selector.",
    "TopologyAffinityError": "The node can't place its CPUs and memory together: retry, or ask for less.",
}
"""What to do when the kubelet rejects a pod, by the reason that it gives (kubelet's lifecycle handlers, `Failed` pods)."""


def pod_rejected(reason: str, message: str, node: str) -> Trouble:
    """Say that a node did not take a pod that was given to it."""
    what = clip(message) or "no message"
    return Trouble(
        code="pod_rejected",
        sentence=f"The node {node or 'chosen for the search'} rejected its pod ({reason}): {what}.",
        remedy=REJECTIONS.get(reason, "Look at the node with 'kubectl describe node', then retry."),
        retryable=True,
    )


def job_failed(reason: str, message: str, *, seen: int = 0) -> Trouble:
    """Say that the Job failed when no pod says why; *seen*: how many pods there are."""
    named = {
        "BackoffLimitExceeded": "backoff_limit_exceeded",
        "MaxFailedIndexesExceeded": "backoff_limit_exceeded",
        "FailedIndexes": "backoff_limit_exceeded",
        "PodFailurePolicy": "pod_failed",
    }
    return Trouble(
        code=named.get(reason, "kubernetes_job_failed"),
        sentence=f"The Kubernetes Job failed ({reason or 'no reason given'}): {clip(message) or 'no message'}.",
        remedy="None of its pods says why: retry, and look at them with 'kubectl describe pod' meanwhile."
        if seen
        else "The pods that would tell why are gone: retry, and look at the job's logs while it runs.",
    )


def run_failed(reason: str, details: str) -> Trouble:
    """Say why a run of somebody else's failed."""
    code = {"DeadlineExceeded": "deadline_exceeded", "BackoffLimitExceeded": "backoff_limit_exceeded"}
    return Trouble(
        code=code.get(reason, "external_run_failed"),
        sentence=f"The run failed: {details}.".replace("..", "."),
        remedy="It was started outside blastd: look at its Jobs and pods, and start it again there.",
    )


def lost(name: str) -> Trouble:
    """Say that somebody deleted the Job."""
    return Trouble(
        code="kubernetes_job_deleted",
        sentence=f"The Kubernetes Job {name} was deleted by somebody before all results were there.",
        remedy="Retry the search: units that finished are kept.",
    )


RUNNER = {
    "blob_denied": (
        "blob_access_denied",
        "The storage account refuses the search's pod",
        "Check the account key and the clocks, and that no firewall of the account shuts the cluster out; then retry.",
    ),
    "blob_away": (
        "blob_unreachable",
        "The search's pod can't reach the storage account",
        "Check the network between the nodes and the account (azure.pod_account_url), then retry.",
    ),
    "blob_missing": (
        "blob_missing",
        "A blob that the search needs is not in the storage account",
        "Push the database again with 'blastd db push', then retry.",
    ),
    "volume_denied": (
        "storage_access_denied",
        "The shared volume refuses the search's pod",
        "Give its folder the group of the pods (kubernetes.run_as_user) and mode 2770, then retry.",
    ),
    "volume_away": (
        "storage_unreachable",
        "The search's pod can't use the shared volume",
        "Check volume.source and the file server, then retry.",
    ),
    "volume_missing": (
        "storage_object_missing",
        "A file that the search needs is not on the shared volume",
        "Push the database again with 'blastd db push', then retry.",
    ),
    "staging_failed": (
        "staging_failed",
        "The database could not be brought to the node",
        "Check free space under kubernetes.cache_dir on the node, or push the database again; then retry.",
    ),
    "deadline": (
        "deadline_exceeded",
        "A part of the search took longer than its time limit",
        "Raise kubernetes.time_limit_seconds, or split the search.",
    ),
    "no_blast": (
        "image_without_blast",
        "The image has no such BLAST+ program",
        "Set kubernetes.image to an image with BLAST+ and python3.",
    ),
    "other_blast": (
        "blast_version_differs",
        "The image has another version of BLAST+ than blastd, so that one result could come from two",
        "Set kubernetes.image to one with blastd's version, or install the image's version here (blast.bin); then retry.",
    ),
    "bad_plan": (
        "engine_error",
        "The pod's program failed",
        "This is a fault of blastd: report it with the job's logs.",
    ),
    "no_room": (
        "node_disk_full",
        "The node has no room for the search's files",
        "Free disk space on the node or choose larger ones, then retry.",
    ),
    "out_of_memory": ("out_of_memory", "The search needed more memory than its pod may have and was killed", ""),
}
"""What the pod's program can name as the cause (podrunner.py): code, sentence, remedy."""


def of_runner(cause: str, detail: str) -> Trouble:
    """Return what the pod's program says of itself."""
    code, sentence, remedy = RUNNER.get(cause, RUNNER["bad_plan"])
    detail = clip(detail)
    return Trouble(code=code, sentence=f"{sentence}{': ' + detail if detail else ''}.", remedy=remedy)
