"""P01, P03, P04: a link in another browser; people signed in by a real nginx auth_request."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_proxy import AROUND, listens
from tests.daemon import Daemon, make_token
from tests.databases import LAMBDA_QUERY
from tests.patience import until

SECRET = "the proxy's own secret"
CONFIG = """
location / {{
    auth_request /sign-in;
    auth_request_set $who $upstream_http_x_user;
    proxy_set_header X-Forwarded-User $who;
    proxy_set_header X-Blastd-Proxy-Secret "{secret}";
    proxy_set_header Host $http_host;
    proxy_pass {daemon};
}}
location = /sign-in {{
    internal;
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_pass http://127.0.0.1:{sign_in};
}}
"""


class SignIn(BaseHTTPRequestHandler):
    """What oauth2-proxy is for nginx: who has the cookie is somebody, all others are nobody."""

    def do_GET(self) -> None:
        known = "person=ann" in self.headers.get("Cookie", "")
        self.send_response(200 if known else 401)
        if known:
            self.send_header("X-User", "ann@example.org")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def signing_in(daemon: Daemon, folder: Path) -> Iterator[str]:
    """Yield the address of the daemon behind an nginx that asks who everybody is."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    assert nginx is not None, "nginx is not installed; 'make browser' installs it"
    door = ThreadingHTTPServer(("127.0.0.1", 0), SignIn)
    Thread(target=door.serve_forever, daemon=True).start()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    config = CONFIG.format(secret=SECRET, daemon=daemon.url, sign_in=door.server_address[1])
    (folder / "blastd.conf").write_text(config)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, port=port))
    process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        until(lambda: listens(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        door.shutdown()
        door.server_close()


@pytest.fixture
def behind(databases: Path, tmp_path: Path) -> Iterator[Daemon]:
    settings = {"BLASTD_ACCESS__PROXY_ADDRESSES": "127.0.0.1", "BLASTD_ACCESS__PROXY_SECRET": SECRET}
    own = Daemon(tmp_path / "state", [databases], settings).start()
    yield own
    own.kill()


def test_P03_P04_nginx_signs_people_in_and_nobody_else_is_believed(behind: Daemon, tmp_path: Path, page: Page) -> None:
    assert behind.get("/api/me").status == 401, "never an open door beside it"
    assert behind.get("/api/me", {"X-Forwarded-User": "ann@example.org"}).status == 401
    with signing_in(behind, tmp_path) as site:
        spoofed = page.request.get(f"{site}/api/me", headers={"X-Forwarded-User": "eve", "Cookie": "person=eve"})
        assert spoofed.status == 401
        page.context.add_cookies([{"name": "person", "value": "ann", "url": site}])
        spoofed = page.request.get(f"{site}/api/me", headers={"X-Forwarded-User": "eve"})
        assert spoofed.json() == {"owner": "ann@example.org", "role": "user", "tokens": False}
        page.goto(f"{site}/search")
        page.fill("#query", LAMBDA_QUERY)
        page.get_by_label("tnt", exact=False).first.check()
        page.click("#submit")
        page.wait_for_url("**/jobs/*")
        expect(page.locator("#facts")).to_contain_text("by ann@example.org")


def test_P01_a_link_shows_the_same_view_to_somebody_without_a_token(
    daemon: Daemon, browser: Browser, page: Page
) -> None:
    token = make_token(daemon.state, "ann")
    daemon.start()
    headers = {"Authorization": f"Bearer {token}"}
    row = daemon.post("/api/blast/jobs", {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}, headers).json
    until(lambda: daemon.get(f"/api/blast/jobs/{row['job_id']}", headers).json["status"] == "completed")
    page.goto(f"{daemon.url}/login?next=/jobs/{row['job_id']}")
    page.fill("input[name=token]", token)
    page.keyboard.press("Enter")
    page.locator("#panel .hrow").first.wait_for()
    page.get_by_role("tab", name="Statistics").click()
    page.get_by_role("button", name="Share").click()
    page.get_by_label("For whom").fill("Bob")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("The link", exact=True).input_value()

    context = browser.new_context()
    other = context.new_page()
    other.goto(link)
    other.locator("#panel figure").first.wait_for()
    assert "shared=1#statistics" in other.url
    expect(other.locator("#notes")).to_contain_text("through a link")
    expect(other.locator("#actions button")).to_have_count(0)
    page.get_by_role("button", name="End the link Bob").click()
    page.get_by_text("revoked").wait_for()
    other.reload()
    other.get_by_role("heading", name="This link has ended").wait_for()
    other.goto(f"{daemon.url}/jobs")
    other.wait_for_url("**/login*")
    context.close()
