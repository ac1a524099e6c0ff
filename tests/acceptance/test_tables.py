"""Q05: readers of tables count every row: a header line is there when the media type says so, and only then."""

import csv
import io

import pytest

from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY

pytestmark = pytest.mark.blast

STD = [
    "qaccver",
    "saccver",
    "pident",
    "length",
    "mismatch",
    "gapopen",
    "qstart",
    "qend",
    "sstart",
    "send",
    "evalue",
    "bitscore",
]


@pytest.mark.parametrize(
    ("form", "separator", "kind"), [("tabular", "\t", "text/tab-separated-values"), ("csv", ",", "text/csv")]
)
def test_Q05_a_header_line_is_told_by_the_media_type(daemon: Daemon, form: str, separator: str, kind: str) -> None:
    job_id = daemon.run(LAMBDA_QUERY, options={"evalue": 1000, "word_size": 7})["job_id"]
    path = f"/api/blast/jobs/{job_id}/results"
    bare = daemon.get(f"{path}?format={form}")
    assert bare.headers["Content-Type"] == "text/plain; charset=utf-8"
    headed = daemon.get(f"{path}?format={form}&header=true")
    assert headed.headers["Content-Type"] == f"{kind}; charset=utf-8; header=present"
    first, rest = headed.text.split("\n", 1)
    assert first.split(separator) == STD
    assert rest == bare.text
    rows = list(csv.DictReader(io.StringIO(headed.text), delimiter=separator))
    assert len(rows) == len(bare.text.splitlines())
    assert all(float(row["evalue"]) >= 0 for row in rows)
    some = daemon.get(f"{path}?format={form}&header=true&fields=qaccver,stitle,slen&query=2").text.splitlines()
    assert some[0].split(separator) == ["qaccver", "stitle", "slen"]
    assert daemon.get(f"{path}?format={form}&header=true", {"Range": "bytes=0-6"}).text == "qaccver"
    for accept in (kind, f"{kind};q=0.9, */*", f"application/octet-stream, {kind}"):
        chosen = daemon.get(path, {"Accept": accept})
        assert chosen.headers["Content-Type"].startswith(kind)
        assert chosen.text == headed.text


def test_Q05_accept_chooses_where_no_format_is_named(daemon: Daemon) -> None:
    path = f"/api/blast/jobs/{daemon.run(LAMBDA_QUERY)['job_id']}/results"
    for accept, start in (
        ("application/xml", "<?xml"),
        ("application/json", "{"),
        ("text/x-fasta", ">"),
        ("*/*", "q1\t"),
        ("", "q1\t"),
    ):
        assert daemon.get(path, {"Accept": accept}).text.startswith(start), accept
    assert daemon.get(f"{path}?format=tabular", {"Accept": "application/json"}).text.startswith("q1\t")
    assert daemon.get(f"{path}?format=xml&header=true").status == 422
