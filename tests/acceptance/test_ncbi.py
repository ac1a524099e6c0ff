"""N01-N03: programs written for NCBI work by changing one address."""

import io
import json
import re
import subprocess
import sys
import urllib.parse
import zipfile
from base64 import b64encode
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from Bio import Blast, SearchIO
from Bio.Blast import NCBIXML

from tests.daemon import Daemon, make_token
from tests.databases import CASES, DB, LAMBDA_QUERY, NO_HITS_QUERY, PROTEIN_QUERY, make
from tests.patience import PATIENCE_SECONDS

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
    for kind, start in (
        ("JSON2_S", "{"),
        ("XML2_S", "<?xml"),
        ("Text", "<p><!--\nQBlastInfoBegin"),
        ("HTML", "<!DOCTYPE"),
    ):
        assert call(daemon, path=path, CMD="Get", RID=rid, FORMAT_TYPE=kind).lstrip().startswith(start)


OLD = "from Bio.Blast import NCBIWWW\nread = lambda *given, **more: NCBIWWW.qblast(*given, **more).read().encode()\n"
NEW = "from Bio import Blast\nread = lambda *given, **more: Blast.qblast(*given, **more).read()\n"
ASK = "import sys\nsys.stdout.buffer.write(read(sys.argv[2], sys.argv[3], sys.stdin.read(), url_base=sys.argv[1]))\n"


def test_N01_biopython_qblast_is_unchanged(daemon: Daemon, tmp_path: Path) -> None:
    # Each sleeps for 20 s before it first asks, so they run at the same time.
    searches = [
        (api, program, database, query)
        for api in (OLD, NEW)
        for program, database, query in (("blastn", "tnt", LAMBDA_QUERY), ("blastp", "taa", PROTEIN_QUERY))
    ]
    running = []
    for number, (api, program, database, query) in enumerate(searches):
        (tmp_path / f"{number}.fa").write_text(query)
        with (tmp_path / f"{number}.fa").open("rb") as stdin, (tmp_path / f"{number}.xml").open("wb") as out:
            argv = [sys.executable, "-W", "ignore", "-c", api + ASK, daemon.url + CGI, program, database]
            running.append(subprocess.Popen(argv, stdin=stdin, stdout=out, stderr=subprocess.PIPE))
    for number, process in enumerate(running):
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, said.decode()
        xml = (tmp_path / f"{number}.xml").read_bytes()
        records: list[Any] = list(NCBIXML.parse(io.StringIO(xml.decode())))
        assert records[0].alignments
        new: list[Any] = list(Blast.parse(io.BytesIO(xml)))
        results: list[Any] = list(SearchIO.parse(io.StringIO(xml.decode()), "blast-xml"))
        names = [alignment.hit_id for alignment in records[0].alignments]
        assert [hit.target.id for hit in new[0]] == names
        assert [hit.id for hit in results[0]] == names


def test_N01_a_token_is_the_password_of_basic_authentication(fresh: Daemon) -> None:
    secret = make_token(fresh.state, "ada")
    fresh.start()
    body = urllib.parse.urlencode(
        {"CMD": "Put", "PROGRAM": "blastn", "DATABASE": "tnt", "QUERY": LAMBDA_QUERY}
    ).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    asked = fresh.ask("POST", CGI, body, form)
    assert asked.status == 401
    assert 'Basic realm="' in asked.headers["WWW-Authenticate"]  # on which urllib, and so Biopython, sends it
    for password, status in ((secret, 200), ("wrong", 401)):
        basic = b64encode(f"anyone:{password}".encode()).decode()
        assert fresh.ask("POST", CGI, body, form | {"Authorization": f"Basic {basic}"}).status == status


def test_N01_bioperl_remoteblast_is_unchanged(daemon: Daemon, tmp_path: Path) -> None:
    there = subprocess.run(["perl", "-MBio::Tools::Run::RemoteBlast", "-e", "1"], capture_output=True, check=False)
    assert there.returncode == 0, "BioPerl's RemoteBlast is not installed; 'make test' installs it"
    (tmp_path / "query.fa").write_text(LAMBDA_QUERY)
    script = Path(__file__).with_name("remoteblast.pl")
    ran = subprocess.run(
        ["perl", str(script), daemon.url + CGI, "blastn", "tnt", str(tmp_path / "query.fa")],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert [line.split("\t")[:2] for line in ran.stdout.splitlines()] == [["q1", "lam0"], ["q2", "lam1"]]


def test_N01_a_script_like_ncbis_own_sample_with_curl(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "query.fa").write_text(LAMBDA_QUERY)
    script = Path(__file__).with_name("web_blast.sh")
    for program in ("blastn", "megablast"):
        ran = subprocess.run(
            ["sh", str(script), daemon.url + CGI, program, "tnt", str(tmp_path / "query.fa")],
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert "Query= q1" in ran.stdout
        assert "lam0" in ran.stdout
    (tmp_path / "query.fa").write_text(NO_HITS_QUERY)
    for given, code in ((("megablast", "tnt"), 2), (("blastn", "nosuch"), 5), (("rpsblast", "tnt"), 5)):
        argv = ["sh", str(script), daemon.url + CGI, *given, str(tmp_path / "query.fa")]
        assert subprocess.run(argv, capture_output=True, timeout=PATIENCE_SECONDS, check=False).returncode == code, (
            given
        )


def test_N01_the_row_is_the_same_job(daemon: Daemon) -> None:
    rid = rid_of(call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=NO_HITS_QUERY, MEGABLAST="on"))
    assert "ThereAreHits=no" in call(daemon, CMD="Get", RID=rid, FORMAT_OBJECT="SearchInfo")
    newest = daemon.get("/api/blast/jobs?limit=1").json["jobs"][0]
    assert (newest["source"], newest["task"]) == ("ncbi", "megablast")


def test_N02_errors_and_unknown_are_in_the_exact_form(daemon: Daemon) -> None:
    page = call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="nosuch", QUERY=LAMBDA_QUERY)
    assert re.search(r"Message ID#\d+ Error: ", page)
    assert "RID =" not in page, "BioPerl would take it for an answer"
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


@pytest.mark.parametrize(("kind", "suffix"), [("JSON2", "json"), ("XML2", "xml")])
def test_N02_zip_archives_hold_a_file_for_each_query_and_their_index(
    daemon: Daemon, tmp_path: Path, kind: str, suffix: str
) -> None:
    rid = rid_of(call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=LAMBDA_QUERY))
    file = tmp_path / "r.zip"
    file.write_bytes(daemon.get(f"{CGI}?CMD=Get&RID={rid}&FORMAT_TYPE={kind}").body)
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == [f"{rid}_1.{suffix}", f"{rid}_2.{suffix}", f"{rid}.{suffix}"]
        archive.extractall(tmp_path)
    index = (tmp_path / f"{rid}.{suffix}").read_text()
    if kind == "JSON2":
        names = [entry["File"] for entry in json.loads(index)["BlastJSON"]]
        reports = [json.loads((tmp_path / name).read_text())["BlastOutput2"]["report"] for name in names]
        titles = [report["results"]["search"]["query_title"] for report in reports]
    else:
        names = [one.attrib["href"] for one in ET.fromstring(index)]
        trees = [ET.parse(tmp_path / name) for name in names]
        titles = [tree.findtext(".//{*}query-title") or "" for tree in trees]
    assert [title.split()[0] for title in titles] == ["q1", "q2"]


def test_N01_a_get_may_ask_for_a_shorter_report(daemon: Daemon) -> None:
    wide = {"EXPECT": "1000", "WORD_SIZE": "7"}
    rid = rid_of(call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=LAMBDA_QUERY, **wide))

    def shown(**more: str) -> tuple[int, int]:
        text = call(daemon, CMD="Get", RID=rid, FORMAT_TYPE="Text", **more)
        first = text[text.index("Query= q1") : text.index("Query= q2")]
        table = first[first.index("Sequences producing") :].split("\n\n")[1]
        return len(table.splitlines()), first.count("\n>")

    whole = shown()
    assert min(whole) > 5
    assert shown(DESCRIPTIONS="3", ALIGNMENTS="2") == (3, 2)
    assert shown(DESCRIPTIONS="500", ALIGNMENTS="500") == whole
    assert shown(HITLIST_SIZE="4", ALIGNMENTS="1") == (4, 1)
    for kind, mark in (("XML", "<Hit>"), ("XML2_S", "<Hit>"), ("JSON2_S", '"hsps"')):
        full = call(daemon, CMD="Get", RID=rid, FORMAT_TYPE=kind)
        assert call(daemon, CMD="Get", RID=rid, FORMAT_TYPE=kind, DESCRIPTIONS="1", ALIGNMENTS="1") == full
        some = call(daemon, CMD="Get", RID=rid, FORMAT_TYPE=kind, HITLIST_SIZE="3")
        assert some.count(mark) == 6
    assert "Error: DESCRIPTIONS" in call(daemon, CMD="Get", RID=rid, FORMAT_TYPE="Text", DESCRIPTIONS="many")


def test_N01_what_a_put_says_of_the_report_holds_for_gets_that_do_not(daemon: Daemon) -> None:
    wide = {"EXPECT": "1000", "WORD_SIZE": "7"}
    given = {"FORMAT_TYPE": "Text", "DESCRIPTIONS": "3", "ALIGNMENTS": "2", "NCBI_GI": "on"}
    rid = rid_of(call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=LAMBDA_QUERY, **wide, **given))
    assert "Status=READY" in call(daemon, CMD="Get", RID=rid, FORMAT_OBJECT="SearchInfo")

    def shown(**more: str) -> tuple[int, int]:
        text = call(daemon, CMD="Get", RID=rid, **more)
        first = text[text.index("Query= q1") : text.index("Query= q2")]
        table = first[first.index("Sequences producing") :].split("\n\n")[1]
        return len(table.splitlines()), first.count("\n>")

    assert shown() == (3, 2)
    assert shown(ALIGNMENTS="1") == (3, 1)
    assert shown(DESCRIPTIONS="4", ALIGNMENTS="") == (4, 2)
    assert call(daemon, CMD="Get", RID=rid, FORMAT_TYPE="XML").startswith("<?xml")
    # The same search, answered from the same result, of somebody who said nothing.
    rid = rid_of(call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=LAMBDA_QUERY, **wide))
    assert min(shown(FORMAT_TYPE="Text")) > 3
    for name, value in (
        ("DESCRIPTIONS", "many"),
        ("FORMAT_TYPE", "Pdf"),
        ("ALIGNMENT_VIEW", "Upside"),
        ("NCBI_GI", "x"),
    ):
        page = call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=LAMBDA_QUERY, **{name: value})
        assert f"Error: {name}" in page
        assert f"Error: {name}" in call(daemon, CMD="Get", RID=rid, **{name: value})


@pytest.mark.parametrize(
    ("view", "fmt"),
    [("QueryAnchored", "anchored"), ("QueryAnchoredNoIdentities", "anchored_letters"), ("FlatQueryAnchored", "flat"),
     ("FlatQueryAnchoredNoIdentities", "flat_letters"), ("Pairwise", "pairwise")],
)  # fmt: skip
def test_N01_alignment_views_are_those_of_blast(daemon: Daemon, view: str, fmt: str) -> None:
    put = {
        "CMD": "Put",
        "PROGRAM": "blastn",
        "DATABASE": "tnt",
        "QUERY": LAMBDA_QUERY,
        "EXPECT": "1000",
        "WORD_SIZE": "7",
    }
    rid = rid_of(call(daemon, "POST", **put))
    job_id = daemon.get("/api/blast/jobs?limit=1").json["jobs"][0]["job_id"]
    text = call(daemon, CMD="Get", RID=rid, FORMAT_TYPE="Text", ALIGNMENT_VIEW=view)
    whole = daemon.results(job_id, fmt).decode()
    assert text[text.index("<PRE>\n") + 6 : text.index("</PRE>")] == whole
    few = call(daemon, CMD="Get", RID=rid, FORMAT_TYPE="Text", ALIGNMENT_VIEW=view, DESCRIPTIONS="1", ALIGNMENTS="1")
    if "Anchored" in view:
        assert "Error: ALIGNMENTS" in few
        few = call(daemon, CMD="Get", RID=rid, FORMAT_TYPE="Text", ALIGNMENT_VIEW=view, DESCRIPTIONS="1")
        lines = few[few.index("<PRE>\n") + 6 : few.index("</PRE>")].splitlines()
        every = iter(whole.splitlines())
        assert all(line in every for line in lines), "only lines are left out"
        assert len(lines) < len(whole.splitlines())
    assert call(daemon, CMD="Get", RID=rid, FORMAT_TYPE="XML", ALIGNMENT_VIEW=view).startswith("<?xml")


def test_N01_gis_are_shown_where_there_are_some(fresh: Daemon, tmp_path: Path) -> None:
    folder = tmp_path / "gi"
    folder.mkdir()
    record = (DB / "nt.fa").read_text().split(">")[1].splitlines()
    (folder / "gi.fa").write_text(">gi|5551234|gb|U12345.1| one\n" + "".join(record[1:20]) + "\n")
    make(folder, folder / "gi.fa", "gi", "nucl", "-parse_seqids", "-blastdb_version", "4")
    fresh.db_dirs.append(folder)
    fresh.start()
    query = ">q\n" + "".join(record[1:20]) + "\n"
    rid = rid_of(call(fresh, "POST", CMD="Put", PROGRAM="blastn", DATABASE="gi", QUERY=query))
    for value, there in (("T", True), ("F", False), ("", False)):
        text = call(fresh, CMD="Get", RID=rid, FORMAT_TYPE="Text", NCBI_GI=value)
        assert ("gi|5551234" in text) is there, value
        assert "U12345.1" in text


def test_N01_a_form_with_a_box_for_each_filter_and_a_part_of_the_query(daemon: Daemon) -> None:
    def asked(**more: str) -> Any:
        rid_of(call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=LAMBDA_QUERY, **more))
        return daemon.get(f"/api/blast/jobs/{daemon.get('/api/blast/jobs?limit=1').json['jobs'][0]['job_id']}").json

    base = {"PROGRAM": "blastn", "DATABASE": "tnt", "QUERY": LAMBDA_QUERY}
    pairs = [("CMD", "Put"), *base.items(), ("FILTER", "L"), ("FILTER", "m"), ("EQ_MENU", "Enter organism name or id")]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    rid_of(daemon.ask("POST", CGI, urllib.parse.urlencode(pairs).encode(), form).text)
    newest = daemon.get("/api/blast/jobs?limit=1").json["jobs"][0]["job_id"]
    assert daemon.job(newest)["search"]["options"] == {"dust": "yes", "soft_masking": "true"}
    assert asked(FILTER="L")["search"]["options"] == {"dust": "yes", "soft_masking": "false"}
    assert asked(FILTER="F")["search"]["options"] == {"dust": "no"}
    assert asked(MATCH_SCORES="1,-3")["search"]["options"] == {"reward": "1", "penalty": "-3"}
    loc = asked(QUERY_FROM="101", QUERY_TO="")
    assert loc["search"]["query_loc"] == "101-2147483647"
    daemon.ended(loc["job_id"])
    rows = daemon.results(loc["job_id"], "tabular").decode().splitlines()
    assert {row.split("\t")[0] for row in rows} == {"q1", "q2"}, "of each query the same part"
    assert all(int(row.split("\t")[6]) >= 101 for row in rows)
    assert "Error: QUERY_FROM" in call(daemon, "POST", CMD="Put", **base, QUERY_FROM="5 9")


def test_N03_accessions_are_found_in_the_databases_of_the_search(fresh: Daemon, tmp_path: Path) -> None:
    folder = tmp_path / "named"
    folder.mkdir()
    _, *lines = (DB / "nt.fa").read_text().split(">")[1].splitlines()
    records = (("NR_074334.1", 0, 10), ("NR_0743340.2", 10, 20), ("gi|5551234|gb|U12345.1|", 20, 30))
    text = "".join(f">{name} of {name[:2]}\n" + "".join(lines[a:b]) + "\n" for name, a, b in records)
    (folder / "named.fa").write_text(text)
    make(folder, folder / "named.fa", "named", "nucl", "-parse_seqids")
    fresh.db_dirs.append(folder)
    fresh.start().ready()
    base = {"CMD": "Put", "PROGRAM": "blastn", "DATABASE": "named"}
    for asked, name in (
        ("NR_074334", "NR_074334.1"), ("nr_0743340.2", "NR_0743340.2"), ("U12345.1", "U12345.1"),
        ("gi|5551234", "U12345.1"), ("gb|U12345.1|", "U12345.1"), ("5551234", "U12345.1"),
    ):  # fmt: skip
        rid = rid_of(call(fresh, "POST", **base, QUERY=asked))
        xml = call(fresh, CMD="Get", RID=rid, FORMAT_TYPE="XML")
        record: Any = next(NCBIXML.parse(io.StringIO(xml)))
        assert record.query.split()[0] == name
        assert record.alignments[0].accession == name.split(".")[0]
    two = call(fresh, CMD="Get", RID=rid_of(call(fresh, "POST", **base, QUERY="U12345\nNR_074334")), FORMAT_TYPE="XML")
    assert [record.query.split()[0] for record in NCBIXML.parse(io.StringIO(two))] == ["U12345.1", "NR_074334.1"]
    for lost in ("NR_074334.2", "NR_0743", "AB123456", "U12345 AB123456", "NR_0743340.1"):
        page = call(fresh, "POST", **base, QUERY=lost)
        assert "Error: QUERY" in page, lost
        assert "RID =" not in page
    assert "no proteins" in call(fresh, "POST", CMD="Put", PROGRAM="tblastn", DATABASE="named", QUERY="NR_074334")


def test_N03_unknown_parameters_are_ignored_and_unsupported_ones_refused(daemon: Daemon) -> None:
    base = {"CMD": "Put", "PROGRAM": "blastn", "DATABASE": "tnt", "QUERY": LAMBDA_QUERY}
    rid_of(call(daemon, "POST", **base, NONSENSE="1", TOOL="test", EMAIL="a@b.example", ENTREZ_QUERY="(none)"))
    for name, value in (
        ("ENTREZ_QUERY", "human[orgn]"), ("PHI_PATTERN", "A-x"), ("EXPECT", "abc"), ("SERVICE", "rpsblast"),
        ("SERVICE", "psi"), ("BLAST_PROGRAMS", "psiBlast"), ("BLAST_PROGRAMS", "deltaBlast"), ("PROGRAM", "psiblast"),
        ("OTHER_ADVANCED", "-r 2"), ("EQ_MENU", "human (taxid:9606)"), ("EXCLUDE_MODELS", "on"), ("FILTER", "R"),
        ("EXCLUDE_SEQ_UNCULT", "on"), ("EXPECT_HIGH", "1e-10"), ("GAPCOSTS", "5"), ("MATCH_SCORES", "1"),
        ("BLAST_SPEC", "blast2seq"), ("FORMAT_ENTREZ_QUERY", "human[orgn]"), ("RUN_PSIBLAST", "on"), ("PSSM", "x"),
    ):  # fmt: skip
        page = call(daemon, "POST", **base | {name: value})
        assert "Error: " in page, name
        assert "RID =" not in page, name
    rid = rid_of(call(daemon, "POST", **base, SERVICE="plain"))
    for name, value in (("EXPECT_LOW", "1"), ("FORMAT_OBJECT", "PSSM"), ("FORMAT_TYPE", "Pdf")):
        assert "Error: " in call(daemon, CMD="Get", RID=rid, **{name: value}), name
    for more, task in (
        ({"SERVICE": "megablast"}, "megablast"), ({"MEGABLAST": "on"}, "megablast"), ({}, "blastn"),
        ({"BLAST_PROGRAMS": "discoMegablast"}, "dc-megablast"), ({"PROGRAM": "megablast"}, "megablast"),
    ):  # fmt: skip
        rid_of(call(daemon, "POST", **base | more))
        assert daemon.get("/api/blast/jobs?limit=1").json["jobs"][0]["task"] == task, more


def test_S02_a_page_of_another_site_can_not_submit(daemon: Daemon) -> None:
    path = f"{CGI}?CMD=Put&PROGRAM=blastn&DATABASE=tnt&QUERY=ACGTACGTACGTACGTACGTACGTACGTACGT"
    assert daemon.get(path, {"Sec-Fetch-Site": "cross-site"}).status == 403
    assert daemon.get(path, {"Origin": "https://evil.example"}).status == 403
    body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}
    assert daemon.post("/api/blast/jobs", body, {"Origin": "https://evil.example"}).status == 403
    page = daemon.get("/search")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def table_of(text: str) -> list[str]:
    """Return the lines of the report in a page of text."""
    return text[text.index("<PRE>\n") + 6 : text.index("</PRE>")].splitlines()


@pytest.mark.parametrize(
    ("program", "database", "query", "columns"),
    [("blastn", "tnt", LAMBDA_QUERY, 12), ("blastp", "taa", PROTEIN_QUERY, 13), ("tblastn", "tnt", PROTEIN_QUERY, 13)],
)
def test_N02_Q03_a_table_is_the_one_that_ncbi_writes(
    daemon: Daemon, program: str, database: str, query: str, columns: int
) -> None:
    rid = rid_of(call(daemon, "POST", CMD="Put", PROGRAM=program, DATABASE=database, QUERY=query, EXPECT="1000"))
    job_id = daemon.get("/api/blast/jobs?limit=1").json["jobs"][0]["job_id"]
    lines = table_of(call(daemon, CMD="Get", RID=rid, FORMAT_TYPE="Text", ALIGNMENT_VIEW="Tabular"))
    names = "std" if columns == 12 else "std%20ppos"
    bare = daemon.get(f"/api/blast/jobs/{job_id}/results?format=tabular&fields={names}").text.splitlines()
    assert [line for line in lines if not line.startswith("#")] == bare
    assert {len(line.split("\t")) for line in bare} == {columns}
    assert lines[0] == f"# {program}"
    assert lines[1:4] == ["# Iteration: 0", lines[2], f"# RID: {rid}"]
    assert lines[2].startswith("# Query: ")
    assert not lines[-1].startswith("# BLAST processed")
    fields = next(line for line in lines if line.startswith("# Fields: "))
    assert fields.endswith(", bit score" if columns == 12 else ", bit score, % positives")
    few = table_of(call(daemon, CMD="Get", RID=rid, FORMAT_TYPE="Text", ALIGNMENT_VIEW="Tabular", HITLIST_SIZE="1"))
    subjects = {tuple(line.split("\t")[:2]) for line in few if not line.startswith("#")}
    assert len(subjects) == len({subject[0] for subject in subjects})
    comma = call(daemon, CMD="Get", RID=rid, FORMAT_TYPE="CSV", HITLIST_SIZE="1").splitlines()
    assert {tuple(line.split(",")[:2]) for line in comma} == subjects


def test_N01_Q01_html_has_the_description_table_for_each_query(daemon: Daemon) -> None:
    query = LAMBDA_QUERY + NO_HITS_QUERY.replace(">", ">none_")
    rid = rid_of(call(daemon, "POST", CMD="Put", PROGRAM="blastn", DATABASE="tnt", QUERY=query, EXPECT="1e-20"))
    text = call(daemon, CMD="Get", RID=rid, FORMAT_TYPE="HTML", DESCRIPTIONS="5", ALIGNMENTS="0")
    state = text[text.index("Status=") :]
    assert state[: state.index("\n")] == "Status=READY", "the first state of the page, alone on its line"
    tables = re.findall(r'<table id="(dscTable\d*)".*?</table>', text, re.DOTALL)
    assert tables == ["dscTable", "dscTable2"]
    first = text[text.index("<table") : text.index("</table>")]
    heads = re.findall(r"<th>(.*?)</th>", first)
    assert heads == [
        "", "Description", "Scientific Name", "Common Name", "Taxid", "Max Score", "Total Score", "Query Cover", "E value",
        "Per. Ident", "Acc. Len", "Accession",
    ]  # fmt: skip
    cells = re.findall(r"<td>(.*?)</td>", first)[:12]
    assert (cells[7], cells[9], cells[11]) == ("100%", "100.00%", "lam0")
    assert "No significant similarity found." in text
    assert "Sequences producing significant alignments" in text[text.index("<PRE>") :]


def test_Q02_a_refusal_reads_the_same_for_every_client(daemon: Daemon) -> None:
    base = {"CMD": "Put", "PROGRAM": "blastn", "DATABASE": "tnt", "QUERY": LAMBDA_QUERY}
    for more in ({"DATABASE": "nosuch"}, {"ENTREZ_QUERY": "human[orgn]"}, {"PROGRAM": "nosuch"}, {"QUERY": "@@"}):
        page = call(daemon, "POST", **base | more)
        assert not re.search(r"R(ID|TOE)\s*=", page)
        sentence = re.search(r'<p class="error">Message ID#\d+ Error: (.+)</p>\n', page)
        assert sentence is not None
        inside = re.search(r'<div class="error msInf">Message ID#\d+ Error: (.+?)</div>', page)
        assert inside is not None
        assert inside[1] in sentence[1]


@pytest.mark.parametrize(
    "name",
    ["MAX_HITS", "EXCLUDE_ENV", "LIMIT_TO", "TAXIDLIST", "ORGANISM2", "MIN_IDENT", "QCOV_HSP_PERC", "SEQIDLIST", "CLUSTERED_DB",
     "NEGATIVE_TAXIDS", "ENTREZ", "HITS_ONLY", "BEST_HIT_OVERHANG", "SUBSET", "RESTRICT", "SELECT_DB"],
)  # fmt: skip
def test_N03_what_limits_by_its_name_is_never_ignored(daemon: Daemon, name: str) -> None:
    base = {"CMD": "Put", "PROGRAM": "blastn", "DATABASE": "tnt", "QUERY": LAMBDA_QUERY}
    page = call(daemon, "POST", **base, **{name: "7"})
    assert f"Error: {name}" in page
    rid = rid_of(call(daemon, "POST", **base, **{name: ""}))
    assert f"Error: {name}" in call(daemon, CMD="Get", RID=rid, FORMAT_TYPE="XML", **{name: "7"})


def test_N03_quick_blastp_has_ncbis_name(daemon: Daemon) -> None:
    base = {"CMD": "Put", "PROGRAM": "blastp", "DATABASE": "taa", "QUERY": PROTEIN_QUERY}
    for name in ("kmerBlastp", "KMERBLASTP", "quickBlastp"):
        rid_of(call(daemon, "POST", **base, BLAST_PROGRAMS=name))
        assert daemon.get("/api/blast/jobs?limit=1").json["jobs"][0]["task"] == "blastp-fast"
    assert "megaBlast, discoMegablast" in call(daemon, "POST", **base, BLAST_PROGRAMS="phiBlast")


def test_Q04_a_key_in_form_address_or_path(fresh: Daemon) -> None:
    wide, other = make_token(fresh.state, "ada"), make_token(fresh.state, "bob")
    narrow = make_token(fresh.state, "ada", "user", "--only", "ncbi")
    fresh.start()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    put = {"CMD": "Put", "PROGRAM": "blastn", "DATABASE": "tnt", "QUERY": LAMBDA_QUERY}
    body = urllib.parse.urlencode(put).encode()

    def refused(answer: Any) -> None:
        assert answer.status == 401
        assert 'Basic realm="' in answer.headers["WWW-Authenticate"]
        assert '<p class="error">Message ID#401 Error: ' in answer.text

    refused(fresh.ask("POST", CGI, body, form))
    refused(fresh.get(f"{CGI}?CMD=Get&RID=AAAAAAAAAAA"))
    refused(fresh.ask("POST", "/ncbi/wrong/Blast.cgi", body, form))
    refused(fresh.ask("POST", CGI, body + b"&API_KEY=wrong", form))
    rids = [rid_of(fresh.ask("POST", CGI, body + f"&api_key={key}".encode(), form).text) for key in (wide, narrow)] + [
        rid_of(fresh.ask("POST", f"{CGI}?api_key={narrow}", body, form).text),
        rid_of(fresh.ask("POST", f"/ncbi/{narrow}/Blast.cgi", body, form).text),
        rid_of(fresh.ask("POST", f"/ncbi/{narrow}/blast/Blast.cgi", body, form).text),
    ]
    for rid in rids:
        seen = fresh.get(f"/ncbi/{narrow}/Blast.cgi?CMD=Get&RID={rid}&FORMAT_OBJECT=SearchInfo").text
        assert "Status=READY" in seen, "ada's searches of this surface"
        assert "Status=UNKNOWN" in fresh.get(f"{CGI}?CMD=Get&RID={rid}&API_KEY={other}").text
    bearer = {"Authorization": f"Bearer {wide}"}
    search = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}
    job_id = fresh.post("/api/blast/jobs", search, bearer).json["job_id"]
    fresh.get(f"/api/blast/jobs/{job_id}?wait=30", bearer)
    number = int(job_id.replace("-", "")[:14], 16)
    rid = ""
    for _ in range(11):
        number, digit = divmod(number, 36)
        rid = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + rid
    assert "Status=READY" in fresh.get(f"{CGI}?CMD=Get&RID={rid}&FORMAT_OBJECT=SearchInfo&api_key={wide}").text
    assert "Status=UNKNOWN" in fresh.get(f"/ncbi/{narrow}/Blast.cgi?CMD=Get&RID={rid}").text
    for path in (
        "/api/blast/jobs",
        f"/api/blast/jobs/{job_id}",
        "/api/me",
        "/api/blast/databases",
        "/api/blast/events",
    ):
        assert fresh.get(path, {"Authorization": f"Bearer {narrow}"}).status == 403, path
        assert fresh.get(f"{path}?api_key={wide}").status == 401, "keys in addresses are for this surface only"
    log = fresh.log.read_text()
    assert narrow not in log
    assert wide not in log
