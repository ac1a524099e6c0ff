"""Runs one oracle case through a running daemon: `run_job.py --job job.json --out file`; BLASTD_URL names the daemon.

The daemon serves the folder of the case's databases. Options are words as on BLAST+'s command line.
"""

import argparse
import json
import os
import re
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

FORMATS = {"6": "tabular", "7": "commented", "10": "csv", "5": "xml", "16": "xml2", "15": "json", "0": "pairwise", "11": "asn1", "17": "sam"}  # fmt: skip
LISTS = ("seqidlist", "negative_seqidlist")


def options_of(words: list[str], folder: Path) -> tuple[str | None, dict[str, Any]]:
    """Return task and options; lists of ids are read from their files."""
    task, options = None, {}
    index = 0
    while index < len(words):
        name = words[index].lstrip("-")
        has_value = index + 1 < len(words) and not re.match(r"-[a-z]", words[index + 1])
        value: Any = words[index + 1] if has_value else True
        index += 2 if has_value else 1
        if name == "task":
            task = str(value)
        elif name in LISTS:
            options[name] = (folder / str(value)).read_text().split()
        else:
            options[name] = value
    return task, options


def ask(path: str, body: dict[str, Any] | None = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["BLASTD_URL"] + path, data, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=300) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        sys.exit(f"{path}: {error.code} {error.read().decode()[:1000]}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--job", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    given = parser.parse_args()
    job = json.loads(given.job.read_text())
    task, options = options_of(job["options"], Path(job["db_dir"]))
    search = {
        "program": job["program"], "database": job["db"], "query": Path(job["query"]).read_text(), "options": options,
        "molecule_check": False,
    } | ({"task": task} if task else {})  # fmt: skip
    row = json.loads(ask("/api/blast/jobs", search))
    until = time.monotonic() + 600
    while row["status"] in ("queued", "running") and time.monotonic() < until:
        row = json.loads(ask(f"/api/blast/jobs/{row['job_id']}?wait=30"))
    if row["status"] != "completed":
        sys.exit(f"{row['status']}: {row['error']}")
    number, _, fields = job["outfmt"].partition(" ")
    more = "&fields=" + fields.replace(" ", ",") if fields else ""
    given.out.write_bytes(ask(f"/api/blast/jobs/{row['job_id']}/results?format={FORMATS[number]}{more}"))


if __name__ == "__main__":
    main()
