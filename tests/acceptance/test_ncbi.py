"""N01-N03: programs written for NCBI work by changing one address."""

import io
import json
import re
import subprocess
import sys
import urllib.parse
import zipfile
from pathlib import Path
from typing import Any

import pytest
from Bio import SearchIO
from Bio.Blast import NCBIWWW, NCBIXML

from tests.daemon import Daemon
from tests.databases import CASES, LAMBDA_QUERY, NO_HITS_QUERY, PROTEIN_QUERY

CGI = "/blast/Blast.cgi"


def call(daemon: Daemon, method: str = "GET", path: str = CGI, **given: str) -> str:
    text = urllib.parse.urlencode(given)
    if method == "GET":
        answer = daemon.get(f"{path}?{text}")
    else:
        answer = daemon.ask("POST", path, text.encode(), {"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 200, answer.text
    return answer.text


def rid_of(page: str) -> str:
    found = re.search(r"RID = (\w{11})\n", page)
    assert found is not None, page
    assert re.search(r"RTOE = \d+\n", page)
    return found[1]


@pytest.mark.parametrize("path", ["/blast/Blast.cgi", "/Blast.cgi", "/cgi-bin/blast.cgi"])
def test_N01_put_and_get_as_with_curl(daemon: Daemon, path: str) -> None:
    page = call(daemon, "POST", path, CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=LAMBDA_QUERY)
    rid = rid_of(page)
    info = call(daemon, path=path, CMD="Get", RID=rid, FORMAT_OBJECT="SearchInfo")
    assert "Status=READY" in info
    assert "ThereAreHits=yes" in info
    xml = call(daemon, path=path, cmd="get", rid=rid, format_type="xml")
    assert len(list(NCBIXML.parse(io.StringIO(xml)))) == 2
    table = call(daemon, path=path, CMD="Get", RID=rid, FORMAT_TYPE="Tabular")
    inside = table[table.index("<PRE>\n") + 6 : table.index("</PRE>")]
    found = list(SearchIO.parse(io.StringIO(inside), "blast-tab", comments=True))
    assert len(found) == 2
    for kind, start in (("JSON2_S", "{"), ("XML2_S", "<?xml"), ("Text", "<!DOCTYPE"), ("HTML", "<!DOCTYPE")):
        assert call(daemon, path=path, CMD="Get", RID=rid, FORMAT_TYPE=kind).lstrip().startswith(start)


def test_N01_biopython_qblast_is_unchanged(daemon: Daemon) -> None:
    script = (
        "import sys\nfrom Bio.Blast import NCBIWWW\nimport Bio.Blast.NCBIWWW as w\n"
        "handle = NCBIWWW.qblast(sys.argv[2], sys.argv[3], sys.stdin.read(), url_base=sys.argv[1])\n"
        "print(handle.read())\n"
    )
    for program, database, query in (("blastn", "tnt", LAMBDA_QUERY), ("blastp", "taa", PROTEIN_QUERY)):
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script, daemon.url + CGI, program, database],
            input=query, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        records: list[Any] = list(NCBIXML.parse(io.StringIO(ran.stdout)))
        assert records[0].alignments
    assert NCBIWWW.qblast.__module__ == "Bio.Blast.NCBIWWW"


def test_N01_the_row_is_the_same_job(daemon: Daemon) -> None:
    rid = rid_of(call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=NO_HITS_QUERY, MEGABLAST="on"))
    assert "ThereAreHits=no" in call(daemon, CMD="Get", RID=rid, FORMAT_OBJECT="SearchInfo")
    newest = daemon.get("/api/blast/jobs?limit=1").json["jobs"][0]
    assert (newest["source"], newest["task"]) == ("ncbi", "megablast")


def test_N02_errors_and_unknown_are_in_the_exact_form(daemon: Daemon) -> None:
    page = call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="nosuch", QUERY=LAMBDA_QUERY)
    assert re.search(r"Message ID#\d+ Error: ", page)
    assert re.search(r"RID = \n", page)
    assert "Status=UNKNOWN" in call(daemon, CMD="Get", RID="AAAAAAAAAAA")
    assert "Status=UNKNOWN" in call(daemon, CMD="Get", RID="../../etc")
    rid = rid_of(call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=LAMBDA_QUERY, NUCL_PENALTY="-7", NUCL_REWARD="1"))  # fmt: skip
    failed = call(daemon, CMD="Get", RID=rid)
    assert "Status=FAILED" in failed
    assert "Substitution scores" in failed
    call(daemon, CMD="Delete", RID=rid)
    assert "Status=UNKNOWN" in call(daemon, CMD="Get", RID=rid)


@pytest.mark.parametrize("kind", ["XML", "XML2_S", "JSON2_S", "HTML"])
def test_N02_a_title_with_status_in_it_harms_nothing(daemon: Daemon, kind: str) -> None:
    query = (CASES / "title_status_waiting.fa").read_text()
    rid = rid_of(call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=query))
    text = call(daemon, CMD="Get", RID=rid, FORMAT_TYPE=kind)
    assert "Status=WAITING" not in text
    if kind == "XML":
        assert "Status=WAITING" in next(NCBIXML.parse(io.StringIO(text))).query
    if kind == "JSON2_S":
        assert "Status=WAITING" in json.dumps(json.loads(text))


def test_N02_zip_archives_hold_the_result(daemon: Daemon, tmp_path: Path) -> None:
    rid = rid_of(call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=LAMBDA_QUERY))
    file = tmp_path / "r.zip"
    file.write_bytes(daemon.get(f"{CGI}?CMD=Get&RID={rid}&FORMAT_TYPE=JSON2").body)
    with zipfile.ZipFile(file) as archive:
        assert json.loads(archive.read(archive.namelist()[0]))["BlastOutput2"]


def test_N03_unknown_parameters_are_ignored_and_unsupported_ones_refused(daemon: Daemon) -> None:
    base = {"CMD": "Put", "PROGRAM": "blastn", "DATABASE": "tnt", "QUERY": LAMBDA_QUERY}
    rid_of(call(daemon, "POST", **base, NONSENSE="1", TOOL="test", EMAIL="a@b.example", ENTREZ_QUERY="(none)"))
    for name, value in (("ENTREZ_QUERY", "human[orgn]"), ("PHI_PATTERN", "A-x"), ("EXPECT", "abc")):
        page = call(daemon, "POST", **base, **{name: value})
        assert "Error: " in page
        assert re.search(r"RID = \n", page), name


def test_S02_a_page_of_another_site_can_not_submit(daemon: Daemon) -> None:
    path = f"{CGI}?CMD=Put&PROGRAM=blastn&DATABASE=tnt&QUERY=ACGTACGTACGTACGTACGTACGTACGTACGT"
    assert daemon.get(path, {"Sec-Fetch-Site": "cross-site"}).status == 403
    assert daemon.get(path, {"Origin": "https://evil.example"}).status == 403
    body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}
    assert daemon.post("/api/blast/jobs", body, {"Origin": "https://evil.example"}).status == 403
    page = daemon.get("/search")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
