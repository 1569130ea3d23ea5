"""The pages that people see: for now one that explains how to verify."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Response

router = APIRouter(include_in_schema=False)
_PAGE = (files("ecert_api") / "templates" / "verify.html").read_text("utf-8")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_STYLE = (files("ecert_api") / "templates" / "page.css").read_text("utf-8")


@router.get("/")
@router.get("/v")
@router.get("/V")
async def page() -> Response:
    """Explain what a scanned code is and how it is verified."""
    return Response(_PAGE, 200, _HEADERS, "text/html; charset=utf-8")


@router.get("/page.css")
async def style() -> Response:
    """Give the page's style sheet."""
    return Response(_STYLE, 200, {"Cache-Control": "public, max-age=3600"}, "text/css")
