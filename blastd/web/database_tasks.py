"""Handlers of work on databases: listed, shown, cancelled, tried again."""

from aiohttp import web

from blastd.service.databases.tasks import DatabaseTask
from blastd.web import rows, wire
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.replies import reply


async def accepted(request: web.Request, task_id: str) -> web.Response:
    """Answer that a task was accepted, and let it begin."""
    services = request.app[SERVICES]
    services.database_tasks.wake()
    task = await services.database_tasks.seen(task_id)
    view = task_view(task, services.database_tasks.seconds_left(task), rows.base_of(request))
    return reply(wire.TaskAnswer(task=view), 202, {"Location": view.links["self"], "Retry-After": "1"})


async def list_tasks(request: web.Request) -> web.Response:
    """Answer the databases in the making, and the last ones that were made."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    work = request.app[SERVICES].database_tasks
    found = await work.tasks(request[IDENTITY])
    base = rows.base_of(request)
    return reply(wire.TaskList(tasks=[task_view(task, work.seconds_left(task), base) for task in found]))


async def get_task(request: web.Request) -> web.Response:
    """Answer how far the making of a database is."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    task = await request.app[SERVICES].database_tasks.task(request[IDENTITY], request.match_info["task"])
    return shown(request, task)


def shown(request: web.Request, task: DatabaseTask, status: int = 200) -> web.Response:
    """Answer a task."""
    left = request.app[SERVICES].database_tasks.seconds_left(task)
    return reply(wire.TaskAnswer(task=task_view(task, left, rows.base_of(request))), status)


async def cancel_task(request: web.Request) -> web.Response:
    """Let work on a database end."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    work = request.app[SERVICES].database_tasks
    return shown(request, await work.cancel(request[IDENTITY], request.match_info["task"]), 202)


async def retry_task(request: web.Request) -> web.Response:
    """Begin failed or cancelled work on a database again."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    work = request.app[SERVICES].database_tasks
    return shown(request, await work.retry(request[IDENTITY], request.match_info["task"]), 202)


def task_view(task: DatabaseTask, seconds_left: float | None, base: str) -> wire.TaskView:
    """Return a task."""
    link = f"{base}/api/blast/database-tasks/{task.task_id}"
    waits = task.finished_at is None and task.due_at > task.created_at
    molecule = rows.MOLECULES.get(str(task.settings.get("molecule")), "nucleotide")
    return wire.TaskView(
        id=task.task_id,
        name=task.name,
        kind=task.kind,
        molecule=molecule,
        owner=task.owner,
        status="cancelling" if task.cancelling else task.status,
        step=task.step,
        progress=round(task.progress, 3),
        bytes_done=task.bytes_done,
        bytes_total=task.bytes_total,
        eta_seconds=None if seconds_left is None else round(seconds_left, 1),
        tries=task.tries,
        next_try_at=wire.moment(task.due_at) if waits else None,
        error_code=task.error_code,
        error=task.error,
        created_at=wire.moment(task.created_at),
        updated_at=wire.moment(task.updated_at),
        started_at=wire.maybe(task.started_at),
        finished_at=wire.maybe(task.finished_at),
        fingerprint=task.fingerprint,
        warnings=[rows.warning_view(warned) for warned in task.warnings],
        links={
            "self": link,
            "cancel": f"{link}/cancel",
            "retry": f"{link}/retry",
            "database": f"{base}/api/blast/databases/{task.name}?molecule={molecule}",
        },
    )


ROUTES = (
    Route(
        method="GET",
        path="/api/blast/database-tasks",
        handler=list_tasks,
        tag="databases",
        summary="Work on databases: made, fetched, updated",
        answers={200: wire.TaskList},
    ),
    Route(
        method="GET",
        path="/api/blast/database-tasks/{task}",
        handler=get_task,
        tag="databases",
        summary="How far work on a database is",
        answers={200: wire.TaskAnswer},
        errors=(404,),
    ),
    Route(
        method="POST",
        path="/api/blast/database-tasks/{task}/cancel",
        handler=cancel_task,
        tag="databases",
        summary="Let work on a database end",
        answers={202: wire.TaskAnswer},
        errors=(404, 409),
    ),
    Route(
        method="POST",
        path="/api/blast/database-tasks/{task}/retry",
        handler=retry_task,
        tag="databases",
        summary="Begin failed or cancelled work on a database again",
        answers={202: wire.TaskAnswer},
        errors=(404, 409, 429),
    ),
)
