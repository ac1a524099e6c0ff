"""Every route is described: the OpenAPI file is what access is tested by, so nothing may be served beside it."""

from blastd.web.app import make_app
from blastd.web.middleware import NCBI_PATHS
from blastd.web.pages import PAGES
from tests.service import Service

FRAMES = {"/", "/login", "/logout", "/favicon.ico", "/static/{version}/{name}", *PAGES}
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
