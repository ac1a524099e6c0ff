"""The web pages: server-rendered frames whose data comes from the same JSON API that every other client uses.

A page holds nothing that is secret, so it needs no authentication; the API that fills it does, and sends the browser
to the login page when there is no session. What the pages do is in static/*.js; who may do what is not decided here.
"""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import jinja2
import msgspec
from aiohttp import web

from blastd.web import bodies
from blastd.web.api_reference import Reference
from blastd.web.session import base_path, end_session, local_target, same_site, set_session

HERE = Path(__file__).parent
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
PAGES = {
    "/search": ("search.html", "Search"),
    "/jobs": ("jobs.html", "Jobs"),
    "/jobs/{id}": ("job.html", "Job"),
    "/watches": ("watches.html", "Watches"),
    "/databases": ("databases.html", "Databases"),
    "/system": ("system.html", "System"),
}
NAV = (
    ("/search", "Search"),
    ("/jobs", "Jobs"),
    ("/watches", "Watches"),
    ("/databases", "Databases"),
    ("/system", "System"),
)
API_PAGE = "/api/docs"
FORM_BYTES = 64 * 1024
"""The login form: a token, and where to go."""
WORTH_PACKING_BYTES = 1000
"""Below this a gzipped answer saves no packet."""

CheckToken = Callable[[str], Awaitable[bool]]


class PageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the pages need to know of the service.

    `base_path` is the path that a reverse proxy serves us under, None to take it from X-Forwarded-Prefix; `tokens`
    tells whether requests need one, and so whether there is a way to sign out; `session_seconds` how long a sign-in lasts.
    """

    version: str
    base_path: str | None = None
    tokens: bool = False
    session_seconds: float = 12 * 3600.0


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A static file in memory."""

    body: bytes
    packed: bytes | None
    media_type: str


class Assets:
    """All static files, read once; their common content hash is part of each address, so they are kept for ever."""

    def __init__(self, folder: Path) -> None:
        """Read every file of *folder*."""
        digest = hashlib.sha256()
        self.files: dict[str, Asset] = {}
        for path in sorted(folder.iterdir()):
            body = path.read_bytes()
            digest.update(path.name.encode() + b"\0" + body + b"\0")
            kind = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0]
            packed = gzip.compress(body, 6, mtime=0) if len(body) > WORTH_PACKING_BYTES else None
            self.files[path.name] = Asset(body=body, packed=packed, media_type=kind or "application/octet-stream")
        self.version = digest.hexdigest()[:12]

    def imports(self, name: str) -> list[str]:
        """Return the modules that *name* imports, directly or not, so that the browser can ask for all at once."""
        found: list[str] = []
        waiting = [name]
        while waiting:
            for other in re.findall(r"(?:from|import) '\./([a-z_-]+\.js)'", self.files[waiting.pop()].body.decode()):
                if other not in found and other != name:
                    found.append(other)
                    waiting.append(other)
        return found

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one static file, under the current hash for ever and under any other freshly."""
        asset = self.files.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        current = request.match_info.get("version") == self.version
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        body = asset.body
        if asset.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = asset.packed, "gzip"
        return web.Response(body=body, headers=headers, content_type=asset.media_type, charset="utf-8")


class Pages:
    """The handlers of the pages."""

    def __init__(self, settings: PageSettings, check_token: CheckToken, told: Reference) -> None:
        """Read and compile all templates and static files.

        *check_token* tells whether a token is good, *told* is what the page about the HTTP API says.
        """
        self.settings, self.told = settings, told
        self.check_token = check_token
        self.assets = Assets(HERE / "static")
        loader = jinja2.FileSystemLoader(HERE / "templates")
        self.templates = jinja2.Environment(
            loader=loader,
            autoescape=True,
            auto_reload=False,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for name in self.templates.list_templates():
            self.templates.get_template(name)

    def render(
        self, request: web.Request, template: str, facts: Mapping[str, object], status: int = 200
    ) -> web.Response:
        """Return the page made from *template*."""
        base = base_path(request, self.settings.base_path)
        script = template.replace(".html", ".js")
        has_script = script in self.assets.files
        text = self.templates.get_template(template).render(
            base=base,
            static=f"{base}/static/{self.assets.version}",
            script=script if has_script else None,
            modules=self.assets.imports(script) if has_script else [],
            nav=NAV,
            version=self.settings.version,
            tokens=self.settings.tokens,
            **facts,
        )
        headers = SECURITY_HEADERS | {"Cache-Control": "no-store", "Vary": "X-Forwarded-Prefix"}
        return web.Response(text=text, status=status, content_type="text/html", headers=headers)

    def page(self, template: str, title: str, here: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Return the handler of one page."""

        async def handler(request: web.Request) -> web.Response:
            return self.render(request, template, {"title": title, "here": here, "ident": request.match_info.get("id")})

        return handler

    def nowhere(self, request: web.Request) -> web.Response:
        """Show that an address leads nowhere."""
        return self.render(request, "nowhere.html", {"title": "Not found", "here": "", "path": request.path[:200]}, 404)

    async def api(self, request: web.Request) -> web.Response:
        """Show what the HTTP API is; all of it is in this page, nothing comes from elsewhere."""
        return self.render(request, "api.html", {"title": "HTTP API", "here": "", "told": self.told})

    async def start(self, request: web.Request) -> web.Response:
        """Send the browser from the bare address to the search page."""
        base = base_path(request, self.settings.base_path)
        return web.Response(status=303, headers=SECURITY_HEADERS | {"Location": f"{base}/search"})

    async def login_form(self, request: web.Request) -> web.Response:
        """Show the form that asks for a token."""
        facts = {"title": "Sign in", "here": "", "next": request.query.get("next", ""), "fault": ""}
        return self.render(request, "login.html", facts)

    async def login(self, request: web.Request) -> web.Response:
        """Check the token and begin a session; a form that another site sent is refused."""
        form = dict(await bodies.form(request, FORM_BYTES))
        token, wanted = form.get("token", "").strip(), form.get("next", "")
        base = base_path(request, self.settings.base_path)
        facts = {"title": "Sign in", "here": "", "next": wanted}
        if not same_site(request):
            fault = "This form was sent from another site, so it was refused. Please sign in here."
            return self.render(request, "login.html", facts | {"fault": fault}, 403)
        if not token or not await self.check_token(token):
            fault = "This token is not valid here. It may have been mistyped, revoked, or have expired."
            return self.render(request, "login.html", facts | {"fault": fault}, 401)
        response = web.Response(status=303, headers=SECURITY_HEADERS | {"Location": local_target(wanted, base)})
        set_session(response, request, token, base, self.settings.session_seconds)
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """End the session of this browser."""
        base = base_path(request, self.settings.base_path)
        response = web.Response(status=303, headers=SECURITY_HEADERS | {"Location": f"{base}/login"})
        if same_site(request):
            end_session(response, base)
        return response

    async def icon(self, _request: web.Request) -> web.Response:
        """Answer browsers that ask for the icon by its old name."""
        asset = self.assets.files["icon.svg"]
        return web.Response(
            body=asset.body, content_type=asset.media_type, headers={"Cache-Control": "public, max-age=86400"}
        )


def page_routes(pages: Pages) -> list[web.RouteDef]:
    """Return the routes of all pages and their static files."""
    routes = [
        web.get(path, pages.page(template, title, "/" + path.split("/")[1]))
        for path, (template, title) in PAGES.items()
    ]
    return [
        *routes,
        web.get("/", pages.start),
        web.get(API_PAGE, pages.api),
        web.get("/login", pages.login_form),
        web.post("/login", pages.login),
        web.post("/logout", pages.logout),
        web.get("/static/{version}/{name}", pages.assets.serve),
        web.get("/favicon.ico", pages.icon),
    ]
