"""The pages that people see: what a phone opens when it scans a code, and the files it is made of."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Request, Response

from ecert.errors import NotFound
from ecert.verification.report import REASONS, WARNINGS

router = APIRouter(include_in_schema=False)
MEDIA = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; "
    "media-src 'self' blob:; "  # the camera's picture
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_PAGE = (files("ecert_api") / "templates" / "page.html").read_bytes()


def _read_static() -> dict[str, bytes]:
    folder = files("ecert_api") / "static"
    found = {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}
    reasons = {
        code: {"outcome": outcome.value, "zh": zh, "en": en}
        for code, (outcome, zh, en) in REASONS.items()
    }
    warnings = {code: {"zh": zh, "en": en} for code, (zh, en) in WARNINGS.items()}
    return {**found, "reasons.json": orjson.dumps({**reasons, **warnings})}


_STATIC = _read_static()


@router.get("/")
@router.get("/v")
@router.get("/V")
async def page(request: Request) -> Response:
    """Give the verification page 核验页; what stands after the # never reaches this site."""
    return give_file(request, _PAGE, "text/html; charset=utf-8")


@router.get("/sw.js")
async def service_worker(request: Request) -> Response:
    """Give the service worker, from the top so that it may keep the whole page."""
    return give_file(request, _STATIC["sw.js"], MEDIA["js"])


@router.get("/static/{name}")
async def static(request: Request, name: Annotated[str, Path(max_length=64)]) -> Response:
    """Give one of the page's own files. Raises: NotFound."""
    if name not in _STATIC:
        raise NotFound("there is no such file")
    return give_file(request, _STATIC[name], MEDIA[name.rpartition(".")[2]])


def give_file(request: Request, data: bytes, media: str, policy: str = _POLICY) -> Response:
    """Answer with the file, or 304 when the browser has it (RFC 9110 §13.1.2)."""
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {**_HEADERS, "Content-Security-Policy": policy, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, 200, headers, media)
