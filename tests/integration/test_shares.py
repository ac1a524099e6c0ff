"""P01, P02, P03: what a link opens and what not, on every route; team visibility; a proxy that signs people in."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from blastd.core.ids import Owner
from blastd.errors import ConfigError
from blastd.store import tokens
from blastd.web.app import ROUTES
from tests.databases import LAMBDA_QUERY, build_all
from tests.service import API, Answer, Service, serving

SECRET = "a secret of the proxy"
JOB = "/api/blast/jobs/{id}"
READS = {("POST", JOB + "/results")}
OWNERS_ONLY = {("GET", JOB + "/shares")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("db")
    build_all(path)
    return path


@pytest_asyncio.fixture
async def service(folder: Path, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state", [folder]) as found:
        yield found


async def token(service: Service, owner: str, role: str = "user") -> dict[str, str]:
    """Make a token and return the header that carries it."""
    now = datetime.now(UTC)
    text: str = await service.store.write(
        lambda db: tokens.create(db, f"{owner[:1] * 8}", owner[:1] * 43, Owner(owner), role, now, None), of=()
    )
    return {"Authorization": f"Bearer {text}"}


async def searched(service: Service, who: dict[str, str]) -> str:
    row = await service.submit(LAMBDA_QUERY, headers=who)
    ended = await service.ended(row["job_id"], headers=who)
    assert ended["status"] == "completed"
    return str(row["job_id"])


async def shared(service: Service, job_id: str, who: dict[str, str], **body: Any) -> dict[str, Any]:
    answer = await service.post(f"{API}/{job_id}/shares", body or {"label": "for the lab"}, headers=who)
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


async def asked(service: Service, route: Any, job_id: str, headers: dict[str, str]) -> Answer:
    path = re.sub(r"\{id\}", job_id, route.path)
    path = re.sub(r"\{[^}]*\}", "x", path)
    return await service.ask(route.method, path, headers=headers, **({"json": {}} if route.body else {}))


async def test_P01_a_link_reads_one_job_and_opens_nothing_else_on_every_route(service: Service) -> None:
    ann = await token(service, "ann")
    job_id, other = await searched(service, ann), await searched(service, ann)
    link = {"X-Blastd-Share": (await shared(service, job_id, ann))["key"]}
    reading = 0
    for route in ROUTES:
        if route.open or route.path.startswith("/blast/") or "Blast.cgi" in route.path:
            continue
        method, path = route.method, route.path
        of_job = path == JOB or path.startswith(JOB + "/")
        answer = await asked(service, route, job_id, link)
        if of_job and (method, path) not in OWNERS_ONLY and (method == "GET" or (method, path) in READS):
            assert answer.status not in (401, 403, 404), (method, path, answer.text)
            reading += 1
        else:
            assert answer.status in (401, 404), (method, path, answer.status, answer.text)
        if of_job:
            assert (await asked(service, route, other, link)).status in (401, 404), (method, path)
    assert reading >= 9
    assert (await service.get(f"{API}/{job_id}", headers=ann)).json["status"] == "completed", "nothing was changed"


async def test_P01_with_a_token_of_their_own_the_link_adds_reading_and_no_changes(service: Service) -> None:
    ann, bob = await token(service, "ann"), await token(service, "bob")
    job_id = await searched(service, ann)
    key = (await shared(service, job_id, ann))["key"]
    both = bob | {"X-Blastd-Share": key}
    assert (await service.get(f"{API}/{job_id}", headers=bob)).status == 404
    assert (await service.get(f"{API}/{job_id[:12]}/summary", headers=both)).status == 200
    for method, path in (
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("POST", "/shares"),
        ("GET", "/shares"),
    ):
        assert (await service.ask(method, f"{API}/{job_id}{path}", headers=both, json={})).status == 404, path
    assert (await service.get(API, headers=both)).json["jobs"] == []


async def test_P01_a_link_is_listed_with_its_label_ends_and_is_revoked(service: Service) -> None:
    ann = await token(service, "ann")
    job_id = await searched(service, ann)
    short = await shared(service, job_id, ann, label="short", days=0.00001)
    made = await shared(service, job_id, ann, label="für Köln", days=7)
    ends = datetime.fromisoformat(made["share"]["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6.9) < ends < timedelta(days=7)

    async def status(key: str) -> int:
        return (await service.get(f"{API}/{job_id}", headers={"X-Blastd-Share": key})).status

    assert await status(made["key"]) == 200
    while await status(short["key"]) == 200:  # it lasts a second
        pass
    listed = (await service.get(f"{API}/{job_id}/shares", headers=ann)).json["shares"]
    assert [(one["label"], one["state"]) for one in listed] == [("für Köln", "open"), ("short", "expired")]
    assert made["key"] not in str(listed)
    revoked = await service.ask("DELETE", f"{API}/{job_id}/shares/{made['share']['share_id']}", headers=ann)
    assert revoked.json["shares"][0]["state"] == "revoked"
    assert await status(made["key"]) == 401
    assert await status(made["key"][:-1] + "x") == 401
    assert (await service.post(f"{API}/{job_id}/shares", {"days": 0}, headers=ann)).status == 422


async def test_P01_the_address_gives_a_browser_a_cookie_for_that_search_alone(service: Service) -> None:
    ann = await token(service, "ann")
    job_id = await searched(service, ann)
    made = await shared(service, job_id, ann)
    opened = await service.get(made["url"], allow_redirects=False)
    assert (opened.status, opened.headers["Location"]) == (303, f"/jobs/{job_id}?shared=1")
    cookie = opened.headers["Set-Cookie"]
    assert f"Path=/api/blast/jobs/{job_id}" in cookie and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert (await service.get("/share/blastd_aaaaaaaa_" + "b" * 43, allow_redirects=False)).status == 404


async def test_P02_a_team_reads_each_others_searches_and_changes_its_own(folder: Path, tmp_path: Path) -> None:
    async with serving(tmp_path / "state", [folder], access__visibility="team") as service:
        ann, bob = await token(service, "ann"), await token(service, "bob")
        job_id = await searched(service, ann)
        assert (await service.get(f"{API}/{job_id}/hits", headers=bob)).status == 200
        assert [row["job_id"] for row in (await service.get(API, headers=bob)).json["jobs"]] == [job_id]
        assert (await service.get(f"{API}?owner=bob", headers=ann)).json["jobs"] == []
        assert (await service.ask("DELETE", f"{API}/{job_id}", headers=bob)).status == 404
        assert (await service.post(f"{API}/{job_id}/shares", {}, headers=bob)).status == 404
        assert (await service.get(f"{API}/{job_id}")).status == 401


async def test_P03_a_proxy_is_believed_from_its_address_with_its_secret_only(folder: Path, tmp_path: Path) -> None:
    flags: dict[str, Any] = {
        "access__proxy_addresses": ["127.0.0.1"], "access__proxy_secret": SECRET, "access__proxy_admin_group": "admins",
    }  # fmt: skip
    right = {"X-Blastd-Proxy-Secret": SECRET, "X-Forwarded-User": "ann@example.org"}
    async with serving(tmp_path / "state", [folder], **flags) as service:
        me = (await service.get("/api/me", headers=right)).json
        assert (me["owner"], me["role"]) == ("ann@example.org", "user")
        groups = {"X-Forwarded-Groups": "staff, admins"}
        assert (await service.get("/api/me", headers=right | groups)).json["role"] == "admin"
        for wrong in (
            {}, {"X-Forwarded-User": "ann"}, right | {"X-Blastd-Proxy-Secret": SECRET + "x"}, {"X-Blastd-Proxy-Secret": SECRET},
            right | {"X-Forwarded-User": "two words"}, right | {"X-Forwarded-User": ""},
        ):  # fmt: skip
            assert (await service.get("/api/me", headers=wrong)).status == 401, wrong
        twice = [*right.items(), ("X-Forwarded-User", "eve")]
        assert (await service.get("/api/me", headers=twice)).status == 401
        bob = await token(service, "bob")
        assert (await service.get("/api/me", headers=right | bob)).json["owner"] == "bob", "a program's token goes on"
        foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
        assert (await service.post(API, {"program": "blastn"}, headers=right | foreign)).status == 403
    flags["access__proxy_addresses"] = ["10.0.0.0/8"]
    async with serving(tmp_path / "other", [folder], **flags) as service:
        assert (await service.get("/api/me", headers=right)).status == 401
    wrong_settings: list[dict[str, Any]] = [
        {"access__proxy_secret": "short"},
        {"access__proxy_addresses": ["proxy.example"]},
        {"access__proxy_addresses": []},
    ]
    for broken in wrong_settings:
        with pytest.raises(ConfigError, match=r"access\.proxy"):
            async with serving(tmp_path / "never", [folder], **flags | broken):
                pass
