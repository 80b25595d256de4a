"""Routes of the reference page, its assets and the OpenAPI document.

The page is Swagger UI as published, kept in `assets/` (see `assets.json`), and a starting script of ours. Nothing is
loaded from another host: the Content-Security-Policy forbids it.
"""

import mimetypes
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any, Final

import anyio
from litestar import Response, get
from litestar.params import FromPath

from agent.api.context import AnyRequest
from agent.api.openapi_document import Document
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.rendering import JSON

ASSETS: Final = Path(__file__).parent / "assets"
YAML: Final = "application/yaml"
_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_FOREVER: Final = "public, max-age=31536000, immutable"  # an asset's address has its digest
_A_WHILE: Final = "public, max-age=300"
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: HTTP reference</title>
<link rel="icon" href="{icon}">
<link rel="stylesheet" href="{viewer_style}">
<link rel="stylesheet" href="{style}">
</head>
<body>
<div id="reference" data-document="{document}"><noscript>This page needs JavaScript. The document it shows is
<a href="{document}">openapi.json</a>.</noscript></div>
<script src="{viewer}"></script>
<script src="{start}"></script>
</body>
</html>
"""


def reference_routes(document: Callable[[], Document]) -> list[Any]:
    """Handlers for `/schema` and what it loads; `document` makes the document when it is first asked for."""

    @get("/schema", include_in_schema=False)
    async def page(request: AnyRequest) -> Response[bytes]:
        """The reference page."""
        return _answer(request, await anyio.to_thread.run_sync(_page), "text/html", _PAGE_HEADERS)

    @get("/schema/openapi.json", include_in_schema=False)
    async def as_json(request: AnyRequest) -> Response[bytes]:
        """The OpenAPI document."""
        body = await anyio.to_thread.run_sync(lambda: document().json)
        return _answer(request, body, JSON, {"Cache-Control": _A_WHILE})

    @get(["/schema/openapi.yaml", "/schema/openapi.yml"], include_in_schema=False)
    async def as_yaml(request: AnyRequest) -> Response[bytes]:
        """The OpenAPI document as YAML."""
        body = await anyio.to_thread.run_sync(lambda: document().yaml)
        return _answer(request, body, YAML, {"Cache-Control": _A_WHILE})

    @get("/schema/assets/{digest:str}/{name:str}", include_in_schema=False)
    async def asset(request: AnyRequest, digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
        """A file of the page; its address changes with its content."""
        found = (await anyio.to_thread.run_sync(_assets)).get(name)
        if found is None or _digest(found) != digest:
            raise Problem(404, "no such path; see /schema for all of them", code=Code.PATH_UNKNOWN)
        media = mimetypes.types_map.get(Path(name).suffix, "application/octet-stream")
        headers = {"Cache-Control": _FOREVER, "X-Content-Type-Options": "nosniff"}
        return _answer(request, found, media, headers)

    return [page, as_json, as_yaml, asset]


def _answer(request: AnyRequest, body: bytes, media: str, headers: Mapping[str, str]) -> Response[bytes]:
    """The body, or 304 where the client has it already."""
    etag = f'"{_digest(body)}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, media_type=media, headers={**headers, "ETag": etag})
    return Response(body, media_type=media, headers={**headers, "ETag": etag})


@cache
def _assets() -> dict[str, bytes]:
    """Files of the page by name."""
    return {path.name: path.read_bytes() for path in ASSETS.iterdir() if path.suffix in (".js", ".css", ".png")}


@cache
def _page() -> bytes:
    addresses = {
        "icon": "favicon-32x32.png",
        "viewer": "swagger-ui-bundle.js",
        "viewer_style": "swagger-ui.css",
        "style": "reference.css",
        "start": "reference.js",
    }
    places = {key: f"/schema/assets/{_digest(_assets()[name])}/{name}" for key, name in addresses.items()}
    return _PAGE.format(
        title="Pricesmith", document="/schema/openapi.json", **{k: escape(v) for k, v in places.items()}
    ).encode()


@cache
def _digest(body: bytes) -> str:
    return sha256(body).hexdigest()[:16]
