"""Every route is described: the OpenAPI file is what access is tested by, so nothing may be served beside it."""

import re

from blastd.web.app import make_app
from blastd.web.middleware import NCBI_PATHS
from blastd.web.pages import API_PAGE, PAGES
from tests.service import Service

FRAMES = {"/", "/login", "/logout", "/favicon.ico", "/share/{key}", "/static/{version}/{name}", API_PAGE, *PAGES}
"""Pages hold no data: what fills them comes through the API."""


async def test_S01_every_route_is_in_the_openapi_file_or_a_page_without_data(service: Service) -> None:
    described = (await service.get("/api/openapi.json")).json["paths"]
    app = make_app(service.services, service.services.settings)
    served = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.method != "HEAD" and route.resource is not None
    }
    told = {(method, path) for path, methods in described.items() for method in methods}
    beside = {path for method, path in served - told}
    assert beside <= FRAMES | NCBI_PATHS
    assert told <= served


async def test_Q09_the_api_can_be_read_without_a_token_or_another_site(service: Service) -> None:
    answer = await service.get(API_PAGE)
    assert answer.status == 200
    described = (await service.get("/api/openapi.json")).json
    for path, methods in described["paths"].items():
        assert all(f"{method.upper()} {path}" in answer.text for method in methods)
    for name in described["components"]["schemas"]:
        assert f'id="type-{name}"' in answer.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
