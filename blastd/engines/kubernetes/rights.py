"""The rights that blastd uses in its namespace, each with what fails without it: config/kubernetes/rbac.yaml gives them.

`doctor` asks the API server for each (SelfSubjectAccessReview), since a right that is missing shows only when it is used.
"""

from blastd.core.model import Frozen
from blastd.engines.kubernetes.client import ClusterClient


class Right(Frozen, frozen=True, kw_only=True):
    """What is done with a kind of object: `verb` as RBAC names it."""

    group: str
    resource: str
    verb: str
    use: str
    needed: bool = True
    """Whether searches fail without it; else they work with less."""

    @property
    def text(self) -> str:
        """Return it as `kubectl auth can-i` takes it."""
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}"


RIGHTS = (
    Right(group="batch", resource="jobs", verb="create", use="searches can't be handed over"),
    Right(
        group="batch",
        resource="jobs",
        verb="get",
        use="a search whose hand-over was interrupted can't be taken up again",
    ),
    Right(group="batch", resource="jobs", verb="list", use="nothing is known of searches"),
    Right(
        group="batch",
        resource="jobs",
        verb="watch",
        use="ends of searches are seen seconds later, by asking again and again",
        needed=False,
    ),
    Right(group="batch", resource="jobs", verb="delete", use="searches can't be cancelled or cleaned up"),
    Right(group="", resource="pods", verb="list", use="nothing is known of the pods of searches"),
    Right(
        group="",
        resource="pods",
        verb="watch",
        use="starts and ends of pods are seen seconds later, by asking again and again",
        needed=False,
    ),
    Right(group="", resource="events", verb="list", use="rows can't say why a pod waits", needed=False),
    Right(
        group="",
        resource="events",
        verb="watch",
        use="events are asked for again and again while a search waits",
        needed=False,
    ),
    Right(group="", resource="secrets", verb="create", use="searches can't be handed over"),
    Right(group="", resource="secrets", verb="patch", use="the access of pods can't be renewed"),
    Right(group="", resource="secrets", verb="delete", use="what a search leaves can't be removed"),
    Right(group="", resource="configmaps", verb="create", use="the pods' program can't be put into the cluster"),
    Right(group="", resource="configmaps", verb="get", use="the pods' program can't be found in the cluster"),
    *(
        Right(
            group="coordination.k8s.io",
            resource="leases",
            verb=verb,
            use="a second daemon on a copy of this store is not found out",
            needed=False,
        )
        for verb in ("get", "create", "update")
    ),
    Right(group="apps", resource="daemonsets", verb="create", use="'blastd db warm' does not work", needed=False),
    Right(
        group="apps", resource="daemonsets", verb="get", use="'blastd db warm' can't say how far it is", needed=False
    ),
)


async def missing(client: ClusterClient) -> list[Right]:
    """Return the rights that this account does not have. Raises ClusterFailure."""
    return [right for right in RIGHTS if not await client.may(right.group, right.resource, right.verb)]
