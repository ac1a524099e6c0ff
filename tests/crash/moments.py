"""The named moments of the crash campaign: one table, so that nothing is killed at a place that nobody can read up."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Moment:
    """A moment: `target`, `when` and `nth` as in `tests.crash.doomed`, what has happened then, and what leads there.

    `settings`: of the daemon in that round. `needs`: what the load does besides submitting (`tests.crash.load`). `command`: which command dies: the daemon, or one
    beside it. `at_start`: the calls of the start count, too.
    """

    name: str
    target: str
    when: str
    means: str
    nth: int = 1
    needs: str = ""
    command: str = "serve"
    at_start: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def at(self) -> str:
        """Return it as `tests.crash.doomed --at` takes it."""
        return f"{self.target}:{self.when}:{self.nth}"


SUBMIT = (
    Moment("upload", "blastd.web.bodies:duty", "after", "two blocks of a request body are written", 2, needs="upload"),
    Moment("taken-in", "blastd.service.search.submit:read_query", "after", "the query is read and normalised", 2),
    Moment("checked", "blastd.service.search.checks:Checks.pin", "before", "the search is planned", 2),
    Moment(
        "linked",
        "blastd.blastplus.generation:_Place.fill",
        "after",
        "database files are linked, without their record",
        needs="make",
    ),
    Moment("pinned", "blastd.service.search.checks:Checks.pin", "after", "the databases are pinned", 2),
    Moment(
        "query-read",
        "blastd.store.files:Files.make_job",
        "before",
        "a large query is read, without folder and row",
        needs="upload",
    ),
    Moment(
        "query-moved",
        "blastd.store.files:Files.make_job",
        "after",
        "a large query is in its place, without row",
        needs="upload",
    ),
    Moment("inserted", "blastd.store.jobs:insert", "after", "the row is written, its transaction is open", 3),
    Moment("placing", "blastd.store.files:Files.write_query", "before", "row and query are written, without a file", 2),
    Moment(
        "placed", "blastd.store.files:Files.write_query", "after", "the query has its file, the transaction is open", 2
    ),
    Moment(
        "texts-flushed",
        "blastd.store.files:Files.flush_queries",
        "after",
        "query files are durable, the store has them, too",
        at_start=True,
    ),
    Moment(
        "texts-dropped",
        "blastd.store.query_texts:drop",
        "after",
        "the store has dropped them, the transaction is open",
        at_start=True,
    ),
    Moment("committing", "sql:COMMIT", "before", "a transaction is about to be committed", 4),
    Moment("stored", "blastd.service.search.submit:Submit._commit", "after", "the row is stored, nobody was told", 2),
    Moment(
        "reused",
        "blastd.service.search.reuse:share",
        "after",
        "files of an equal search are shared, there is no row",
        needs="again",
    ),
)
ALONE = {"BLASTD_LOCAL__SHARDS": "1", "BLASTD_LOCAL__SLOTS": "1"}
"""With these, searches of one part wait for one slot, and share a process."""
RUN = (
    Moment(
        "shared",
        "blastd.engines.local.shared:_publish",
        "before",
        "a process that stays has written tables of searches, without their outputs",
        needs="burst",
        settings=ALONE,
    ),
    Moment(
        "taken-apart",
        "blastd.engines.local.shared:_publish",
        "after",
        "all of them have their outputs, no row knows",
        needs="burst",
        settings=ALONE,
    ),
    Moment("queued", "blastd.engines.local.engine:LocalEngine.submit", "after", "the engine has taken the job", 2),
    Moment("masked", "blastd.engines.local.units:write_alias", "after", "the mask of a shard is written", 2),
    Moment("started", "blastd.blastplus.process:SystemProcesses.start", "after", "a process of BLAST+ was started", 3),
    Moment(
        "ran", "blastd.engines.local.units:publish_unit", "before", "BLAST+ has ended, its output has no name yet", 2
    ),
    Moment(
        "named", "blastd.engines.local.units:publish_unit", "after", "the output has its name, the row knows nothing", 2
    ),
    Moment("unit", "blastd.engines.local.engine:LocalEngine._unit", "after", "a unit has ended, others have not", 2),
    Moment("recording", "blastd.store.units:update", "after", "units are written, their transaction is open", 2),
    Moment("moved", "blastd.tracking.look:Looks._move", "after", "the row has moved on", 3),
)
FINISH = (
    Moment("last-unit", "blastd.tracking.finish:Finisher.finish", "before", "the last unit has ended"),
    Moment("assembled", "blastd.tracking.finish:assemble", "after", "every output was read, the row says running"),
    Moment("artifact", "blastd.store.artifacts:put", "after", "an artifact is written, its transaction is open"),
    Moment("completed", "blastd.tracking.finish:Finisher._complete", "after", "the end is stored, nobody was told"),
    Moment("letting-go", "blastd.tracking.look:Looks._let_go", "before", "the end is stored, the engine holds the job"),
)
RESULTS = (
    Moment("formatting", "blastd.results.reformat:_blast", "after", "one run of a format is made", needs="results"),
    Moment(
        "format-made",
        "blastd.service.results.maker:rename_unflushed",
        "before",
        "a format is made, without its name",
        needs="results",
    ),
    Moment(
        "format-named",
        "blastd.service.results.maker:rename_unflushed",
        "after",
        "a format has its file and no row",
        needs="results",
    ),
    Moment(
        "indexing",
        "blastd.results.hit_index:_fill",
        "after",
        "the index of hits is filled, without its name",
        needs="hits",
    ),
)
CONTROL = (
    Moment(
        "cancelling", "blastd.service.jobs:Jobs.cancel", "after", "the order is stored, nobody was told", needs="cancel"
    ),
    Moment("ending", "blastd.blastplus.process:_end", "before", "a process is about to be ended", needs="cancel"),
    Moment(
        "ended",
        "blastd.engines.local.engine:LocalEngine.cancel",
        "after",
        "nothing runs, the row says cancelling",
        needs="cancel",
    ),
    Moment(
        "retried",
        "blastd.service.jobs:Jobs._reopen",
        "after",
        "a new attempt is stored, nobody was told",
        needs="retry",
    ),
    Moment(
        "removing", "blastd.store.removal:remove", "after", "the row is gone, the transaction is open", needs="delete"
    ),
    Moment(
        "removed",
        "blastd.store.files:Files.remove_job",
        "before",
        "the row is gone, the files are there",
        needs="delete",
    ),
    Moment(
        "unlinked",
        "blastd.store.files:Files.remove_job",
        "after",
        "the files are gone, nobody was told",
        needs="delete",
    ),
)
DATABASES = (
    Moment(
        "ordered",
        "blastd.service.databases.makings:Makings.order",
        "after",
        "the order is stored, nobody was told",
        needs="make",
    ),
    Moment("making", "blastd.store.dbtasks:progress", "after", "makeblastdb runs", needs="make"),
    Moment("built", "blastd.blastplus.makedb:_build", "after", "the files are made, not in their place", needs="make"),
    Moment(
        "replacing",
        "blastd.blastplus.makedb:_set_aside",
        "after",
        "the old database is out of the way",
        needs="replace",
    ),
    Moment(
        "in-place",
        "blastd.blastplus.makedb:place",
        "after",
        "the database is in its place, the order is open",
        needs="make",
    ),
    Moment(
        "task-end",
        "blastd.service.databases.makings:drop_upload",
        "before",
        "the order is done, its upload is still there",
        needs="make",
    ),
)
START = (
    Moment(
        "orphans",
        "blastd.blastplus.process:kill_orphans",
        "after",
        "what an earlier daemon left is dead",
        at_start=True,
    ),
    Moment(
        "following", "blastd.tracking.tracker:Tracker.follow", "after", "some rows are followed again", 2, at_start=True
    ),
)
COMMANDS = (
    Moment(
        "migrating",
        "sql:CREATE TABLE usage",
        "before",
        "a step of a migration has begun",
        command="migrate",
        at_start=True,
    ),
    Moment(
        "migrated-one",
        "sql:CREATE TABLE webhook",
        "before",
        "one step is in, the next has begun",
        command="migrate",
        at_start=True,
    ),
    Moment(
        "migrated-all",
        "sql:PRAGMA user_version = 3",
        "before",
        "the last step is made and open",
        command="migrate",
        at_start=True,
    ),
    Moment("copying", "sql:VACUUM INTO", "after", "a copy is half written", 40, command="backup", at_start=True),
    Moment("copied", "blastd.store.sqlite:copy", "after", "the copy is written", command="backup", at_start=True),
    Moment(
        "packed",
        "blastd.upkeep.export:write",
        "after",
        "an archive is written, without its name",
        command="export",
        at_start=True,
    ),
    Moment(
        "unpacked",
        "blastd.upkeep.import_:_read_whole",
        "before",
        "an archive is unpacked",
        command="import",
        at_start=True,
    ),
    Moment(
        "put-in",
        "blastd.upkeep.import_:_rows",
        "before",
        "files are in their place, there are no rows",
        command="import",
        at_start=True,
    ),
    Moment(
        "rows-in",
        "blastd.upkeep.import_:_rows",
        "after",
        "rows are written, the transaction is open",
        command="import",
        at_start=True,
    ),
    Moment(
        "taken-over",
        "blastd.upkeep.import_:_commit",
        "after",
        "the job is in, nobody was told",
        command="import",
        at_start=True,
    ),
)
LOCAL: tuple[Moment, ...] = (*SUBMIT, *RUN, *FINISH, *RESULTS, *CONTROL, *DATABASES, *START, *COMMANDS)

KUBE = "blastd.engines.kubernetes"
CLUSTER: tuple[Moment, ...] = (
    Moment("k8s-pushing", f"{KUBE}.push:digest", "after", "a database is half uploaded", 2, needs="make"),
    Moment("k8s-pushed", f"{KUBE}.databases:push_database", "after", "a database is uploaded, nobody was told", needs="make"),
    Moment("k8s-intent", "blastd.tracking.launch:Launcher._move", "after", "the row says submitting, nothing was made"),
    Moment("k8s-query", f"{KUBE}.bootstrap:Bootstrap._upload_query", "after", "the query is in the storage account"),
    Moment("k8s-access", f"{KUBE}.bootstrap:Bootstrap.put_secret", "after", "the Secret is made, there is no Job"),
    Moment("k8s-job", f"{KUBE}.client:ClusterClient.create_job", "after", "the Kubernetes Job is made, the row knows nothing"),
    Moment("k8s-owned", f"{KUBE}.bootstrap:Bootstrap.run", "after", "the Secret belongs to the Job"),
    Moment("k8s-submitted", f"{KUBE}.engine:KubernetesEngine.submit", "after", "all is made, the row says submitting"),
    Moment("k8s-arriving", f"{KUBE}.harvest:digest", "before", "a result arrived, unchecked", 2),
    Moment("k8s-fetched", f"{KUBE}.harvest:publish_unit", "after", "a unit's result is in its place, the row knows nothing"),
    Moment("k8s-harvested", f"{KUBE}.result_fetches:ResultFetches.fetch", "after", "units are fetched, nothing is recorded"),
    Moment("k8s-last-unit", "blastd.tracking.finish:Finisher.finish", "before", "the last unit is here, the row says running"),
    Moment("k8s-completed", "blastd.tracking.finish:Finisher._complete", "after", "the end is stored, the cluster holds the job"),
    Moment("k8s-cleaning", f"{KUBE}.client:ClusterClient.delete_job", "after", "the Job is deleted, its Secret and blobs are not"),
    Moment("k8s-blobs", "blastd.storage.blob:Blobs.remove", "after", "the query is removed, the results are not"),
    Moment("k8s-forgotten", f"{KUBE}.engine:KubernetesEngine.forget", "after", "all is removed, the store does not know"),
    Moment("k8s-cancelling", "blastd.service.jobs:Jobs.cancel", "after", "the order to cancel is stored", needs="cancel"),
    Moment("k8s-cancelled", f"{KUBE}.engine:KubernetesEngine.cancel", "after", "the Jobs are deleted, the row says cancelling", needs="cancel"),
    Moment("k8s-deleted", "blastd.store.files:Files.remove_job", "before", "the row is gone, the files are there", needs="delete"),
)  # fmt: skip
