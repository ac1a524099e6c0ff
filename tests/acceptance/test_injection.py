"""S02, I04, I05, R05: what is sent never becomes a path, an option, a header, a line of the log, a formula or markup."""

import json
import re
import socket
import urllib.parse
from pathlib import Path

import pytest

from tests.daemon import PROBLEM, Daemon, is_problem
from tests.databases import LAMBDA_QUERY
from tests.patience import PATIENCE_SECONDS

JOBS = "/api/blast/jobs"
CGI = "/blast/Blast.cgi"
HTML = '"><script>alert(1)</script>'


def test_S02_pages_and_errors_show_what_was_sent_as_text(daemon: Daemon) -> None:
    mark = urllib.parse.quote(HTML, safe="")
    form = urllib.parse.urlencode({"token": HTML, "next": HTML}).encode()
    answers = [
        daemon.get(path)
        for path in (
            f"/jobs/{mark}", f"/{mark}", f"/login?next={mark}", f"/search?{mark}={mark}", f"{JOBS}/{mark}",
            f"{JOBS}?status={mark}", f"{JOBS}?{mark}=1", f"/api/blast/databases/{mark}", f"/static/{mark}/{mark}",
            f"{CGI}?CMD={mark}", f"{CGI}?CMD=Get&RID={mark}", f"{CGI}?CMD=Delete&RID={mark}",
            f"{CGI}?CMD=Put&PROGRAM={mark}&DATABASE={mark}&QUERY={mark}&EXPECT={mark}",
        )
    ]  # fmt: skip
    answers.append(daemon.ask("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded"}))
    answers += [daemon.get("/search", {"X-Forwarded-Prefix": text}) for text in (f"/{HTML}", "//evil.example")]
    for answer in answers:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if answer.headers["Content-Type"].startswith("text/html"):
            assert "<script>alert" not in answer.text
            assert "//evil.example" not in answer.text
        else:
            assert answer.headers["Content-Type"].startswith(PROBLEM)
    query = f">q {HTML}\n" + LAMBDA_QUERY.partition("\n")[2]
    row = daemon.run(query, title=HTML)
    assert daemon.job(row["job_id"])["title"] == HTML
    rid = call_put(daemon, query)
    page = daemon.get(f"{CGI}?CMD=Get&RID={rid}&FORMAT_TYPE=HTML").text
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in page


KINDS = [
    "application/x-www-form-urlencoded; charset=nonsense", "multipart/form-data", "multipart/form-data; boundary=b",
    "multipart/form-data; boundary=\xe9", f"multipart/form-data; boundary={'x' * 100}", "multipart/mixed; boundary=b", "nonsense",
]  # fmt: skip
BODIES = [
    b"\xff\xfe=\x00", b"--b\r\n\r\nx", b"--b\r\n[]\r\n\r\nx\r\n--b--\r\n", b"--b\r\nContent-Type: multipart/mixed\r\n\r\nx\r\n--b--\r\n",
    b'--b\r\nContent-Disposition: form-data; name="token"\r\nContent-Transfer-Encoding: no\r\n\r\nx\r\n--b--\r\n',
    b"--b\r\nA: " + b"x" * 20_000 + b"\r\n\r\nx\r\n--b--\r\n", b"--b\r\n" + b"A: x\r\n" * 1000 + b"\r\nx\r\n--b--\r\n",
]  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "/login", "/logout", CGI, f"{JOBS}?program=blastn&database=tnt",
        "/api/blast/databases?name=odd&molecule=nucleotide",
    ],
)  # fmt: skip
def test_I02_forms_that_can_not_be_read_are_no_server_error(daemon: Daemon, path: str) -> None:
    for kind in KINDS:
        for body in BODIES:
            answer = daemon.ask("POST", path, body, {"Content-Type": kind})
            assert answer.status < 500, (kind, body, answer.text)


def call_put(daemon: Daemon, query: str) -> str:
    text = urllib.parse.urlencode({"CMD": "Put", "PROGRAM": "blastn", "DATABASE": "tnt", "QUERY": query})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    found = re.search(r"RID = (\w+)\n", daemon.ask("POST", CGI, text.encode(), headers).text)
    assert found is not None
    rid = found[1]
    for _ in range(20):
        if "Status=READY" in daemon.get(f"{CGI}?CMD=Get&RID={rid}&FORMAT_OBJECT=SearchInfo").text:
            break
    return rid


def test_N02_words_that_clients_look_for_are_never_those_of_a_user(daemon: Daemon) -> None:
    forged = urllib.parse.quote("x\n    RID = FORGED12345\nStatus=READY\nThereAreHits=yes\n")
    for query in (
        f"CMD=Put&PROGRAM={forged}&DATABASE=tnt&QUERY=ACGT",
        f"CMD=Get&RID={forged}",
        f"CMD=Delete&RID={forged}",
    ):
        page = daemon.get(f"{CGI}?{query}").text
        assert "RID = FORGED" not in page
        assert "Status=READY" not in page
        assert "ThereAreHits=yes" not in page


def raw(daemon: Daemon, head: bytes) -> bytes:
    """Send bytes as they are, for what no client library would send."""
    host, port = daemon.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head)
        received = b""
        while block := connection.recv(65536):
            received += block
    return received


@pytest.mark.parametrize(
    "target",
    [
        b"/api/blast/jobs/%0d%0aSet-Cookie:%20forged=1",
        b"/%0d%0aSet-Cookie:%20forged=1",
        b"/jobs/%0d%0aSet-Cookie:%20forged=1",
        b"/login?next=/%0d%0aSet-Cookie:%20forged=1",
        b"/blast/Blast.cgi?CMD=Get&RID=%0d%0aSet-Cookie:%20forged=1",
        b"/api/blast/databases/%0d%0aSet-Cookie:%20forged=1",
    ],
)
def test_S02_line_ends_in_an_address_make_no_header(daemon: Daemon, target: bytes) -> None:
    answer = raw(daemon, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, _ = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 ")
    assert b"\nset-cookie:" not in head.lower()


@pytest.mark.parametrize("name", [b"X-Request-Id", b"Idempotency-Key", b"X-Forwarded-Prefix", b"Last-Event-ID"])
@pytest.mark.parametrize("value", [b"a\rSet-Cookie: forged=1", b"a\nSet-Cookie: forged=1", b"a\x00b", b"\xff" * 70])
def test_S02_odd_header_values_are_never_sent_back(daemon: Daemon, name: bytes, value: bytes) -> None:
    request = b"GET /api/blast/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + name + b": " + value
    head, _, _ = raw(daemon, request + b"\r\n\r\n").partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1.[01] (200|400|422) ", head), head
    assert b"set-cookie" not in head.lower()
    assert value not in head


@pytest.mark.parametrize(
    "target", [b"/static/../../../etc/passwd", b"/static/x/..%2f..%2fapp.py", b"/../etc/passwd", b"/static//etc/passwd"]
)
def test_I05_raw_paths_lead_nowhere(daemon: Daemon, target: bytes) -> None:
    answer = raw(daemon, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert re.match(rb"HTTP/1.1 40[04] ", answer), answer[:200]
    assert b"root:" not in answer


@pytest.mark.parametrize("name", ["../evil", "a/b", "/evil", "-out", ".hidden", "..", "a\nb", "a\0b", "", "x" * 300])
def test_I05_a_new_database_has_a_plain_name(daemon: Daemon, name: str) -> None:
    path = f"/api/blast/databases?molecule=nucleotide&name={urllib.parse.quote(name, safe='')}"
    answer = daemon.ask("POST", path, b">a\nACGT\n", {"Content-Type": "text/x-fasta"})
    assert is_problem(answer, "POST", 422), answer.text
    assert "/name" in {fault["pointer"] for fault in answer.json["errors"]}


@pytest.mark.parametrize(
    "words", ["-out {file}", "-remote", "-html -out {file}", "`touch {file}`", "-evalue 1; touch {file}"]
)
def test_I04_values_of_the_ncbi_interface_reach_no_shell(daemon: Daemon, tmp_path: Path, words: str) -> None:
    file = tmp_path / "must-not-be"
    given = {"CMD": "Put", "PROGRAM": "blastn", "DATABASE": "tnt", "QUERY": LAMBDA_QUERY}
    for name in ("EXPECT", "WORD_SIZE", "HITLIST_SIZE", "GAPCOSTS", "DATABASE", "PROGRAM", "OTHER_ADVANCED"):
        text = urllib.parse.urlencode(given | {name: words.format(file=file)})
        answer = daemon.ask("POST", CGI, text.encode(), {"Content-Type": "application/x-www-form-urlencoded"})
        assert "Error: " in answer.text or name == "OTHER_ADVANCED", name
    for row in daemon.get(JOBS).json["jobs"]:
        assert str(file) not in str(daemon.job(row["job_id"])["search"]["argv"])
    assert not file.exists()


def test_R05_titles_of_a_database_are_no_formulas_either(fresh: Daemon) -> None:
    fresh.start()
    letters = LAMBDA_QUERY.partition("\n")[2].partition(">")[0]
    fasta = f'>s1 =HYPERLINK("http://evil.example","x")\n{letters}\n>s2 @SUM(1)\n{letters}\n'
    headers = {"Content-Type": "text/x-fasta"}
    path = "/api/blast/databases?name=formulas&molecule=nucleotide"
    task = fresh.ask("POST", path, fasta.encode(), headers).json["task"]
    while task["status"] not in ("completed", "failed"):
        task = fresh.get(f"/api/blast/database-tasks/{task['id']}").json["task"]
    job_id = fresh.run(LAMBDA_QUERY, database="formulas")["job_id"]
    table = fresh.results(job_id, "csv", "&fields=stitle+qseqid+sseqid").decode()
    assert "HYPERLINK" in table
    assert not any(re.match(r'"?[=+@-]', line) for line in table.splitlines())


def test_S02_nothing_that_is_sent_forges_a_line_of_the_log(fresh: Daemon) -> None:
    fresh.environ["BLASTD_LOGGING__LEVEL"] = "debug"
    forged = "\n2026-01-01T00:00:00Z [info] job_accepted FORGED\r\x1b[2J\u2028FORGED"
    fresh.start()
    search = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "title": forged}
    assert fresh.post("/api/blast/jobs", search).status == 422
    for path in (f"/jobs/{urllib.parse.quote(forged)}", f"{JOBS}/{urllib.parse.quote(forged)}"):
        fresh.get(path, {"User-Agent": "x FORGED", "X-Request-Id": "a FORGED"})
    fresh.stop()
    lines = fresh.log.read_text().split("\n")
    assert any("FORGED" in line for line in lines)
    for line in lines:
        assert not line or json.loads(line)["event"]
