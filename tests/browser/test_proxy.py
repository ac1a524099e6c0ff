"""config/nginx.conf as it is: pages, events, command line and NCBI clients through a real nginx under a sub-path."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.daemon import Daemon, cli, make_token
from tests.databases import LAMBDA_QUERY
from tests.patience import PATIENCE_MS, PATIENCE_SECONDS

CONFIG = Path(__file__).parents[2] / "config" / "nginx.conf"
AROUND = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        include {folder}/blastd.conf;
    }}
}}
"""


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def site(daemon: Daemon, tmp_path: Path) -> Iterator[str]:
    """The address of the daemon behind nginx."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    assert nginx is not None, "nginx is not installed; 'make browser' installs it"
    daemon.start()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    (tmp_path / "blastd.conf").write_text(CONFIG.read_text().replace("http://127.0.0.1:8470", daemon.url))
    (tmp_path / "nginx.conf").write_text(AROUND.format(folder=tmp_path, port=port))
    process = subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])
    until = time.monotonic() + 10
    while not listens(port):
        assert process.poll() is None, (tmp_path / "error.log").read_text()
        assert time.monotonic() < until
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/blastd"
    process.terminate()
    process.wait(10)


def test_a_search_from_the_page_under_a_sub_path(site: str, page: Page) -> None:
    page.goto(site + "/")
    page.wait_for_url("**/blastd/search")
    page.fill("textarea", LAMBDA_QUERY)
    page.get_by_text("tnt", exact=True).first.click()
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**/blastd/jobs/*")
    page.get_by_text("completed").first.wait_for(timeout=PATIENCE_MS)
    page.get_by_text("lam0").first.wait_for(timeout=PATIENCE_MS)
    job_id = page.url.split("/jobs/")[1].split("#")[0]
    row = page.request.get(f"{site}/api/blast/jobs/{job_id}").json()
    assert all(link.startswith("/blastd/") for link in row["links"].values())
    assert page.request.get(site.removesuffix("/blastd") + row["links"]["self"]).status == 200


def test_the_login_stays_under_the_sub_path(daemon: Daemon, request: pytest.FixtureRequest, page: Page) -> None:
    secret = make_token(daemon.state, "ada")
    site = request.getfixturevalue("site")
    page.goto(f"{site}/jobs")
    page.wait_for_url("**/blastd/login*")
    page.fill("input[type=password]", secret)
    page.keyboard.press("Enter")
    page.wait_for_url("**/blastd/jobs*")
    assert page.context.cookies()[0]["path"].startswith("/blastd")


def test_command_line_events_and_ncbi_clients(site: str, tmp_path: Path) -> None:
    (tmp_path / "q.fa").write_text(LAMBDA_QUERY)
    words = ["--program", "blastn", "--db", "tnt", str(tmp_path / "q.fa"), "--wait", "--format", "tabular"]
    sent = cli("submit", *words, "--url", site)
    assert sent.returncode == 0, sent.stderr
    assert [row.split("\t")[0] for row in sent.stdout.splitlines()] == ["q1", "q2"]
    script = (
        "import sys\nfrom Bio import Blast\n"
        "found = Blast.qblast('blastn', 'tnt', sys.stdin.read(), url_base=sys.argv[1])\n"
        "print([record.query.id for record in Blast.parse(found)])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, f"{site}/blast/Blast.cgi"],
        input=LAMBDA_QUERY, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("Query_") == 2
