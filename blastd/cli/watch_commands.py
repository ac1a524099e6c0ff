"""The commands about watches, with their flags and examples. What they do is in `watches`."""

from blastd.cli.flags import Parser, Sub, client_flags, command
from blastd.core.difference import KINDS


def _watch(commands: Sub) -> None:
    outer = command(
        commands,
        "watch",
        "watches.list_watches",
        "watch searches: they run again when their databases change, and say what is new, lost and changed",
        "blastd watch add 3f9c27a81b04 --label 'our primers'\nblastd watch list\nblastd watch changes 5b1e0c77d2a9",
    )
    inner = outer.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    add = command(
        inner,
        "add",
        "watches.add",
        "watch a search that you have",
        "blastd watch add 3f9c27a81b04 --label 'our primers'",
    )
    add.add_argument("job", metavar="ID", help="id of the search, or its first 8 or more digits")
    add.add_argument("--label", metavar="TEXT", default="", help="what the watch is called (default: the job's title)")
    add.add_argument("--webhook", metavar="URL", help="address that is told of changes")
    client_flags(add)
    client_flags(command(inner, "list", "watches.list_watches", "list watches, newest first", "blastd watch list"))
    show = command(
        inner, "show", "watches.show", "list the runs of a watch, newest first", "blastd watch show 5b1e0c77d2a9"
    )
    changes = command(
        inner,
        "changes",
        "watches.changes",
        "list what is new, lost and changed between two runs, by query",
        "blastd watch changes 5b1e0c77d2a9\nblastd watch changes 5b1e0c77d2a9 --kind new -o tsv",
    )
    changes.add_argument("--run", metavar="N", type=int, help="of this run (default: the last comparison)")
    changes.add_argument("--query", metavar="N", type=int, help="only of this query, counted from 1")
    changes.add_argument("--kind", choices=KINDS, help="only these")
    pause = command(inner, "pause", "watches.pause", "let a watch rest", "blastd watch pause 5b1e0c77d2a9")
    resume = command(inner, "resume", "watches.resume", "let a watch go on", "blastd watch resume 5b1e0c77d2a9")
    delete = command(
        inner, "delete", "watches.delete", "remove a watch; its searches stay", "blastd watch delete 5b1e0c77d2a9"
    )
    for each in (show, changes, pause, resume, delete):
        each.add_argument("watch", metavar="WATCH", help="id of a watch, as 'blastd watch list' shows it")
        client_flags(each)


EVERY = (_watch,)
