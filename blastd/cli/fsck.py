"""`blastd fsck`: the store compared with its files and blobs, beside a running service or with it stopped."""

import argparse
import asyncio
import json

import msgspec

from blastd.cli import screen
from blastd.cli.exits import ExitCode
from blastd.cli.fsck_blobs import add_blobs
from blastd.cli.settings import existing_store
from blastd.clock import SystemClock, to_ms
from blastd.errors import Conflict, StoreBroken
from blastd.store.lock import try_hold
from blastd.upkeep.fsck import Report, check


def fsck(given: argparse.Namespace) -> int:
    """Check, mend if asked, and print; exit 1 when there were findings, mended ones too, other than harmless leftovers."""
    settings = existing_store(given)
    file = settings.store.file
    now_seconds = to_ms(SystemClock().now()) / 1000
    try:
        with try_hold(file.parent) as held:
            if given.mend and not held:
                raise Conflict(f"{file.parent}: the service runs, so nothing is mended; stop it first.")
            report = check(file, now_seconds, running=not held, mend=given.mend)
            if settings.kubernetes.enabled and not given.no_blobs and _readable(report):
                report = asyncio.run(add_blobs(report, file, settings, mend=given.mend))
    except PermissionError as error:
        raise StoreBroken(f"{file.parent} can't be read and held: {error}. Run this as the service's user.") from error
    _show(report, as_json=given.json)
    return ExitCode.FAILED if any(one.kind != "temporary" for one in report.findings) else ExitCode.OK


def _readable(report: Report) -> bool:
    return not any(finding.kind in ("store_damaged", "reference_broken") for finding in report.findings)


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(msgspec.to_builtins(report), indent=2))
        return
    for one in report.findings:
        print(screen.clean(f"{one.kind:16} {one.path}: {one.detail}"))
        if one.mended or one.mend:
            print(f"{'':16} -> {'mended' if one.mended else one.mend}")
    if report.running:
        screen.say("the service runs: looked only, and left out what is younger than its own sweeps would touch")
    mended = sum(one.mended for one in report.findings)
    screen.say(
        f"{report.jobs:,} jobs, {report.files:,} files, {report.size_bytes:,} bytes compared"
        f"{f', {report.blobs:,} blobs' if report.blobs else ''}: {len(report.findings)} findings"
        + (f", {mended} mended" if mended else "")
    )
