"""S01-S03: who may do what, tried on every operation of the OpenAPI file, and where secrets must not appear.

The operations come from the file that the daemon itself serves, so that a new route is tried without being listed here.
"""

import base64
import http.client
import re
import sqlite3
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from tests.daemon import Answer, Daemon, cli, is_problem, make_token
from tests.databases import DB, LAMBDA_QUERY, NO_HITS_QUERY, SLOW, SLOW_QUERY
from tests.patience import PATIENCE_SECONDS, until

JOBS = "/api/blast/jobs"
CGI = "/blast/Blast.cgi"
STREAM = {"Accept": "text/event-stream"}
TITLE = "a title that only Ada may read"
PUBLIC = {"/livez", "/readyz", "/health", "/api/health", "/metrics", "/api/version", "/api/openapi.json"}
"""What the documentation says needs no token."""


class Operation(NamedTuple):
    """One operation of the OpenAPI file."""

    method: str
    path: str
    parameters: tuple[str, ...]
    public: bool

    def at(self, **values: str) -> str:
        """The address; a parameter that no value is known for is a new one, which this test must learn."""
        known = {"share": "00000000", "watch": "0" * 32} | values  # what there is not
        missing = set(self.parameters) - known.keys()
        assert not missing, f"{self.path}: say in this test what {missing} is"
        return re.sub(r"\{(\w+)\}", lambda found: known[found[1]], self.path)


class Guarded(NamedTuple):
    """A daemon with tokens of two users and an admin, and what Ada owns there."""

    daemon: Daemon
    ada: str
    bob: str
    ops: str
    job_id: str
    task_id: str
    watch_id: str

    def ask(self, token: str | None, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        return self.daemon.ask(method, path, body, given)

    def values(self) -> dict[str, str]:
        return {"id": self.job_id, "task": self.task_id, "name": "tnt", "watch": self.watch_id}


@pytest.fixture(scope="module")
def guarded(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    daemon = Daemon(tmp_path_factory.mktemp("guarded") / "state", [databases])
    ada, bob, ops = (make_token(daemon.state, owner) for owner in ("ada", "bob", "ops"))
    ops = make_token(daemon.state, "ops", "admin")
    daemon.start()
    daemon.token = ada
    job_id = daemon.run(LAMBDA_QUERY, title=TITLE)["job_id"]
    task_id = make_database(daemon, ada, "adas")["id"]
    watch_id = daemon.post("/api/blast/watches", {"job": job_id}).json["watch"]["watch_id"]
    daemon.token = None
    yield Guarded(daemon, ada, bob, ops, job_id, task_id, watch_id)
    daemon.stop()


def make_database(daemon: Daemon, token: str, name: str, more: str = "") -> dict[str, Any]:
    path = f"/api/blast/databases?name={name}&molecule=nucleotide{more}"
    headers = {"Content-Type": "text/x-fasta", "Authorization": f"Bearer {token}"}
    answer = daemon.ask("POST", path, (DB / "nt.fa").read_bytes(), headers)
    assert answer.status == 202, answer.text
    task: dict[str, Any] = answer.json["task"]
    end = time.monotonic() + PATIENCE_SECONDS
    while task["status"] not in ("completed", "failed") and time.monotonic() < end:
        time.sleep(0.1)
        task = daemon.get(f"/api/blast/database-tasks/{task['id']}", headers).json["task"]
    assert task["status"] == "completed", task
    return task


def operations(daemon: Daemon) -> list[Operation]:
    """Every operation of the file, and HEAD beside each GET."""
    found = []
    for path, methods in daemon.get("/api/openapi.json").json["paths"].items():
        for method, about in methods.items():
            names = tuple(one["name"] for one in about["parameters"] if one["in"] == "path")
            public = about["security"] == [{}]
            found.append(Operation(method.upper(), path, names, public))
            if method == "get":
                found.append(Operation("HEAD", path, names, public))
    assert len(found) > 40
    return found


def body_for(operation: Operation) -> Any:
    return {"subjects": ["lam0"]} if operation.method == "POST" else None


# ------------------------------------------------------------------ S01: authentication
def test_S01_only_what_is_documented_needs_no_token(guarded: Guarded) -> None:
    found = operations(guarded.daemon)
    assert {operation.path for operation in found if operation.public} == PUBLIC
    for operation in found:
        if operation.public:
            assert guarded.ask(None, operation.method, operation.path).status == 200, operation


def test_S01_every_operation_refuses_bad_credentials(guarded: Guarded) -> None:
    other = guarded.ada[:-1] + ("1" if guarded.ada[-1] == "0" else "0")
    revoked = make_token(guarded.daemon.state, "eve")
    assert cli("token", "revoke", revoked[7:15], "--state-dir", str(guarded.daemon.state)).returncode == 0
    expired = make_token(guarded.daemon.state, "old", "admin", "--days", "1")
    with sqlite3.connect(guarded.daemon.state / "blastd.sqlite") as db:
        db.execute("UPDATE token SET expires_at = 1 WHERE token_id = ?", (expired[7:15],))
    basic = base64.b64encode(f"ada:{other}".encode()).decode()
    credentials: list[dict[str, str]] = [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer blastd_0000_wrong"},
        {"Authorization": f"Bearer {other}"},
        {"Authorization": f"Bearer {revoked}"},
        {"Authorization": f"Bearer {expired}"},
        {"Authorization": f"Bearer {guarded.ada} x"},
        {"Authorization": f"Digest {guarded.ada}"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Authorization": "Basic \xe9"},
        {"Authorization": "Basic !!"},
        {"Authorization": "Basic " + base64.b64encode(b"a:\xff").decode()},
        {"Authorization": f"Basic {basic}"},
        {"Cookie": f"blastd_session={other}"},
        {"Cookie": "blastd_session="},
    ]
    for operation in operations(guarded.daemon):
        if operation.public:
            continue
        for given in credentials:
            answer = guarded.daemon.ask(
                operation.method, operation.at(**guarded.values()), body_for(operation), given | STREAM
            )
            assert is_problem(answer, operation.method, 401), (operation, given, answer.status, answer.text)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer "), (operation, given)
    for path in ("/blast/Blast.cgi", "/Blast.cgi", "/cgi-bin/blast.cgi"):
        for query in ("CMD=Put&PROGRAM=blastn&DATABASE=tnt&QUERY=ACGT", "CMD=Get&RID=x", "CMD=Delete&RID=x", ""):
            answer = guarded.daemon.get(f"{path}?{query}")
            assert answer.status == 401
            assert "Message ID#401 Error: " in answer.text, "a page that NCBI's clients show"
            assert "Basic" in answer.headers["WWW-Authenticate"]


def test_S01_good_credentials_are_taken_as_bearer_basic_and_cookie(guarded: Guarded) -> None:
    basic = base64.b64encode(f"anything:{guarded.ada}".encode()).decode()
    for given in (
        {"Authorization": f"Bearer {guarded.ada}"},
        {"Authorization": f"bearer  {guarded.ada}"},
        {"Authorization": f"Basic {basic}"},
        {"Cookie": f"blastd_session={guarded.ada}"},
    ):
        assert guarded.daemon.get("/api/me", given).json["owner"] == "ada"


# ------------------------------------------------------------------ S01: owners
def test_S01_what_somebody_else_owns_is_404_on_every_operation(guarded: Guarded) -> None:
    before = guarded.ask(guarded.ada, "GET", f"{JOBS}/{guarded.job_id}").headers["ETag"]
    tried = set()
    for operation in operations(guarded.daemon):
        if not {"id", "task"} & set(operation.parameters):
            continue
        tried.add(operation.path)
        for job_id in (guarded.job_id, guarded.job_id.replace("-", "")[:12], guarded.job_id[:8]):
            address = operation.at(**guarded.values() | {"id": job_id})
            for more in ({}, STREAM, {"If-None-Match": before}):
                answer = guarded.ask(guarded.bob, operation.method, address, body_for(operation), **more)
                assert is_problem(answer, operation.method, 404), (operation, answer.status, answer.text)
                assert TITLE not in answer.text
        nobodys = operation.at(id="0" * 32, task="0" * 32, name="tnt")
        unknown = guarded.ask(guarded.bob, operation.method, nobodys, body_for(operation))
        if operation.method != "HEAD":  # what is another's and what is nobody's can't be told apart
            assert unknown.json["detail"] == answer.json["detail"], operation
    assert len(tried) >= 11
    assert guarded.ask(guarded.ada, "GET", f"{JOBS}/{guarded.job_id}").headers["ETag"] == before


def test_S01_lists_counts_and_events_hold_only_ones_own(guarded: Guarded) -> None:
    bob, ops, job_id = guarded.bob, guarded.ops, guarded.job_id
    for path in (JOBS, f"{JOBS}?q={job_id[:8]}", "/api/blast/events", "/api/blast/database-tasks"):
        text = guarded.ask(bob, "GET", path).text
        assert job_id not in text and guarded.task_id not in text and TITLE not in text, path
        assert job_id in guarded.ask(ops, "GET", path).text or "database-tasks" in path
    assert sum(guarded.ask(bob, "GET", JOBS).json["counts"].values()) == len(guarded.ask(bob, "GET", JOBS).json["jobs"])
    assert is_problem(guarded.ask(bob, "GET", f"{JOBS}?owner=ada"), "GET", 403)
    assert guarded.task_id in guarded.ask(ops, "GET", "/api/blast/database-tasks").text
    for operation in operations(guarded.daemon):  # an admin reads what users own
        if operation.method == "GET" and "id" in operation.parameters:
            assert guarded.ask(ops, "GET", operation.at(**guarded.values())).status == 200, operation


def test_S01_a_stream_carries_only_ones_own_events(guarded: Guarded) -> None:
    host, port = guarded.daemon.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_SECONDS)
    headers = {"Authorization": f"Bearer {guarded.bob}", "Last-Event-ID": "0"} | STREAM
    connection.request("GET", "/api/blast/events", headers=headers)
    with connection.getresponse() as response:
        body = {"program": "blastn", "database": "tnt", "query": NO_HITS_QUERY, "reuse": False}
        hers = guarded.ask(guarded.ada, "POST", JOBS, body).json["job_id"]
        assert guarded.ask(guarded.ada, "GET", f"{JOBS}/{hers}?wait=30").json["job_id"] == hers
        his = guarded.ask(guarded.bob, "POST", JOBS, body).json["job_id"]
        text = ""
        while not (his in text and '"kind":"completed"' in text):
            text += response.readline().decode()
    connection.close()
    assert hers not in text
    assert guarded.job_id not in text


def test_S01_keys_and_stored_results_are_not_shared_between_owners(guarded: Guarded) -> None:
    body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}
    made = [guarded.ask(who, "POST", JOBS, body, Idempotency_Key="one").json for who in (guarded.ada, guarded.bob)]
    assert made[0]["job_id"] != made[1]["job_id"]
    assert made[1]["reused_from"] is None
    assert [row["owner"] for row in made] == ["ada", "bob"]


def test_S01_the_ncbi_interface_knows_owners(guarded: Guarded) -> None:
    query = urllib.parse.urlencode({"CMD": "Put", "PROGRAM": "blastn", "DATABASE": "tnt", "QUERY": LAMBDA_QUERY})
    found = re.search(r"RID = (\w+)\n", guarded.ask(guarded.ada, "POST", f"{CGI}?{query}", b"").text)
    assert found is not None
    rid = found[1]
    for command in ("Get", "Delete"):
        assert "Status=UNKNOWN" in guarded.ask(guarded.bob, "GET", f"{CGI}?CMD={command}&RID={rid}").text
    ended = guarded.ask(guarded.ada, "GET", f"{CGI}?CMD=Get&RID={rid}&FORMAT_TYPE=Text").text
    assert "Status=READY" in ended
    assert "Query= q1" in ended


def test_S01_only_the_maker_or_an_admin_replaces_a_database(guarded: Guarded) -> None:
    before = guarded.ask(guarded.bob, "GET", "/api/blast/databases/adas").json
    path = "/api/blast/databases?name=adas&molecule=nucleotide&replace=true"
    fasta = (DB / "other_same_ids.fa").read_bytes()
    assert is_problem(guarded.ask(guarded.bob, "POST", path, fasta, Content_Type="text/x-fasta"), "POST", 403)
    taken = "/api/blast/databases?name=tnt&molecule=nucleotide&replace=true"
    assert is_problem(guarded.ask(guarded.ops, "POST", taken, fasta, Content_Type="text/x-fasta"), "POST", 409)
    assert guarded.ask(guarded.bob, "GET", "/api/blast/databases/adas").json == before
    make_database(guarded.daemon, guarded.ada, "adas", "&replace=true")
    make_database(guarded.daemon, guarded.ops, "adas", "&replace=true")
    until(lambda: not list((guarded.daemon.state / "tmp").glob("database-*")))  # removed after the task's end is told


# ------------------------------------------------------------------ S02: pages of other origins
def test_S02_no_operation_trusts_a_page_of_another_origin(guarded: Guarded, daemon: Daemon) -> None:
    basic = "Basic " + base64.b64encode(f"ada:{guarded.ada}".encode()).decode()
    ambient = [
        (guarded.daemon, {"Cookie": f"blastd_session={guarded.ada}"}),
        (guarded.daemon, {"Authorization": basic}),
        (daemon, {}),  # without tokens whoever reaches the address is trusted
    ]
    for operation in operations(daemon):
        if operation.method in ("GET", "HEAD"):
            continue
        for server, credential in ambient:
            for more in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
                here = operation.at(**guarded.values())
                answer = server.ask(operation.method, here, body_for(operation), credential | more)
                assert is_problem(answer, operation.method, 403), (operation, more, answer.status)
    search = "PROGRAM=blastn&DATABASE=tnt&QUERY=" + "ACGT" * 10
    for command in ("CMD=Put", "CMD=put", "CMD=%20Put", "%20cmd%20=Put", "CMD=Get&CMD=Put", "CMD=Delete&RID=x"):
        for server, credential in ambient:
            given = credential | {"Sec-Fetch-Site": "cross-site"}
            assert is_problem(server.get(f"{CGI}?{command}&{search}", given), "GET", 403), command
    for path in ("/login", "/logout"):
        answer = guarded.daemon.ask("POST", path, b"token=x", {"Origin": "https://evil.example"})
        assert "Set-Cookie" not in answer.headers


def test_S02_without_tokens_only_names_of_this_machine_are_answered(daemon: Daemon) -> None:
    for operation in operations(daemon):
        here = operation.at(id="0" * 32, task="0" * 32, name="tnt")
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "[", "localhost.evil.example"):
            if not operation.public:
                answer = daemon.ask(operation.method, here, body_for(operation), {"Host": host})
                assert is_problem(answer, operation.method, 403), (operation, host, answer.status)


def test_S02_a_session_is_a_strict_cookie_that_lasts_as_long_as_the_settings_say(guarded: Guarded) -> None:
    form = urllib.parse.urlencode({"token": guarded.ada, "next": "/jobs"}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = guarded.daemon.ask("POST", "/login", form, headers | {"X-Forwarded-Proto": "https"})
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Secure", "Max-Age=43200", "Path=/"} <= set(cookie.split("; "))
    assert answer.headers["Location"] == "/jobs"
    for wanted in ("//evil.example", "///evil.example", "/\\evil.example", "https://evil.example", "\t//evil.example"):
        form = urllib.parse.urlencode({"token": guarded.ada, "next": wanted}).encode()
        assert guarded.daemon.ask("POST", "/login", form, headers).headers["Location"] == "/", wanted


# ------------------------------------------------------------------ S03: secrets
@pytest.mark.slow
def test_S03_secrets_appear_nowhere(fresh: Daemon) -> None:
    ada, ops = make_token(fresh.state, "ada"), make_token(fresh.state, "ops", "admin")
    mistyped = ada[:-3]
    fresh.environ |= {"BLASTD_LOGGING__LEVEL": "debug", "BLASTD_LOCAL__SLOTS": "1"}
    fresh.start()
    fresh.token = ada
    fresh.run(LAMBDA_QUERY)
    running = fresh.submit(SLOW_QUERY, **SLOW)["job_id"]
    errors = send_secrets(fresh, ada, mistyped)
    while fresh.job(running)["status"] == "queued":
        time.sleep(0.05)
    assert fresh.process is not None
    family = [psutil.Process(fresh.process.pid), *psutil.Process(fresh.process.pid).children(recursive=True)]
    assert len(family) > 1
    shown = {f"cmdline of {one.pid}": " ".join(one.cmdline()) for one in family}
    shown |= {f"environment of {one.pid}": str(one.environ()) for one in family}
    environ = {"BLASTD_TOKEN": ops, "BLASTD_URL": fresh.url}
    for words in (["jobs"], ["show", running], ["cancel", running], ["jobs", "--url", "http://127.0.0.1:1"]):
        told = cli(*words, environ=environ)
        shown[f"blastd {words[0]}"] = told.stdout + told.stderr
    for words in (["doctor"], ["doctor", "--json"], ["token", "list"]):
        told = cli(*words, "--state-dir", str(fresh.state), environ=environ)
        shown[" ".join(words)] = told.stdout + told.stderr
    for path in ("/metrics", "/api/health", "/api/me", "/api/version", f"{JOBS}/{running}/logs", "/api/blast/events"):
        shown[path] = fresh.get(path).text
    shown |= {f"answer {number}": text for number, text in enumerate(errors)}
    fresh.ended(running)
    fresh.stop()
    shown["log"] = fresh.log.read_text()
    files = [path for path in fresh.state.rglob("*") if path.is_file()]
    shown |= {str(path): path.read_bytes().decode("latin-1") for path in files}
    assert len(files) > 5
    for secret in (ada, ops, mistyped):
        part = secret.split("_", 2)[2][:20]
        assert [name for name, text in shown.items() if part in text] == []


def test_S03_the_state_is_for_its_own_account(fresh: Daemon) -> None:
    make_token(fresh.state, "ada")  # a command that runs before the first start makes the folder, too
    assert fresh.state.stat().st_mode & 0o777 == 0o700
    fresh.start()
    fresh.stop()
    assert fresh.state.stat().st_mode & 0o777 == 0o700


def send_secrets(daemon: Daemon, good: str, bad: str) -> list[str]:
    """Send tokens in all the places where people put them by mistake; returns the answers."""
    basic = [base64.b64encode(f"x:{token}".encode()).decode() for token in (good, bad)]
    answers = []
    for token in (good, bad):
        answers += [
            daemon.get(f"{JOBS}?token={token}"),
            daemon.get(f"/no/such/{token}"),
            daemon.get(f"{JOBS}/{token}"),
            daemon.get("/api/me", {"Authorization": token}),
            daemon.get("/api/me", {"Authorization": f"Token {token}"}),
            daemon.get("/api/me", {"Authorization": f"Bearer {token} "}),
            daemon.get("/api/me", {"X-Request-Id": token}),
            daemon.get("/api/me", {"Cookie": f"blastd_session={token}"}),
            daemon.get(f"{CGI}?CMD=Get&RID=x&TOKEN={token}"),
            daemon.post(JOBS, {"program": "blastn", "database": "tnt", "query": ">a\n", "token": token}),
            daemon.ask(
                "POST", "/login", f"token={token}".encode(), {"Content-Type": "application/x-www-form-urlencoded"}
            ),
        ]
    answers += [daemon.get("/api/me", {"Authorization": f"Basic {text}"}) for text in basic]
    assert {answer.status for answer in answers} >= {200, 303, 401, 404, 422}
    return [answer.text for answer in answers]
