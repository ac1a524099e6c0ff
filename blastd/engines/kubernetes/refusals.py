"""Why a job could not be handed to the cluster now, and whether a later try may mend it. Pure."""

from blastd.core.engine import Trouble
from blastd.engines.kubernetes.failures import AGAIN, RIGHTS, AccessRefused, ClusterAway, ObjectRefused
from blastd.storage.contract import StorageFailure


def refused(error: BaseException, text: str) -> Trouble:
    """Return why a job could not be handed over now; what a later try may mend is retryable."""
    if isinstance(error, ClusterAway | StorageFailure | AccessRefused):
        remedies = {
            "cluster_access": RIGHTS,
            "blob_access_denied": "Check the account key and the clock of this machine; it is tried again.",
            "storage_access_denied": "Let this daemon's user write the shared volume; it is tried again.",
        }
        remedy = remedies.get(error.code, AGAIN)
        return Trouble(code=error.code, sentence=text, remedy=remedy, retryable=True)
    if isinstance(error, ObjectRefused):
        quota = "exceeded quota" in text
        return Trouble(
            code="quota_exceeded" if quota else "webhook_refused" if "admission webhook" in text else "job_refused",
            sentence=f"The cluster refuses the search's objects: {text}",
            remedy="Wait for other searches to end, or raise the quota."
            if quota
            else "Correct the settings, then retry.",
            retryable=quota,
        )
    return Trouble(
        code=getattr(error, "code", "engine_error"),
        sentence=f"The search could not be handed to the cluster: {text}",
        remedy="It is tried again.",
        retryable=True,
    )
