"""The interface description as a page that people read and try: Swagger UI, from this machine alone."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from ecert.errors import NotFound
from ecert_api.pages import MEDIA, give_file

router = APIRouter(include_in_schema=False)
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; "  # Swagger UI writes styles of its own
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ecert \xc2\xb7 HTTP interface</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/static/icon.svg">
</head>
<body>
<main id="swagger-ui"></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = b"""window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_SHIPPED = files("fastapi_offline") / "static"  # Swagger UI as its own project builds it


def _read() -> dict[str, bytes]:
    names = ("swagger-ui.css", "swagger-ui-bundle.js")
    return {"start.js": _START, **{name: (_SHIPPED / name).read_bytes() for name in names}}


_FILES = _read()


@router.get("/docs")
async def page(request: Request) -> Response:
    """Give the page of the interface description."""
    return give_file(request, _PAGE, "text/html; charset=utf-8", _POLICY)


@router.get("/docs/{name}")
async def file(request: Request, name: Annotated[str, Path(max_length=64)]) -> Response:
    """Give one of its files. Raises: NotFound."""
    if name not in _FILES:
        raise NotFound("there is no such file")
    return give_file(request, _FILES[name], MEDIA[name.rpartition(".")[2]], _POLICY)
