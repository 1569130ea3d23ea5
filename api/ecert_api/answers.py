"""Answers: JSON that nobody may keep, JSON that anybody may, and signed files."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Response

from ecert.registry import DocumentRow

JSON, CREDENTIAL, TEXT = "application/json", "application/dc+sd-jwt", "text/plain"
PDF, ZIP, SVG = "application/pdf", "application/zip", "image/svg+xml"
OPEN = {"Access-Control-Allow-Origin": "*"}


def answer(value: Any, status: int = 200) -> Response:
    """Write JSON that nobody may cache: it was read for one purpose."""
    return private(orjson.dumps(value), JSON, status)


def page(items: list[Any], following: str | None, status: int = 200) -> Response:
    """Write one page of a list; ``following`` continues it."""
    return answer({"items": items, "next": following}, status)


def private(data: bytes | str, media: str, status: int = 200) -> Response:
    """Write what was read for one purpose, of any kind."""
    return Response(data, status, {"Cache-Control": "no-store"}, media)


def public(value: Any, *, seconds: int) -> Response:
    """Write JSON that anybody may keep for a while."""
    headers = {**OPEN, "Cache-Control": f"public, max-age={seconds}"}
    return Response(orjson.dumps(value), 200, headers, JSON)


def document(made: DocumentRow, identifier: str, status: int = 200) -> Response:
    """Hand out a signed PDF, named by the certificate's serial: a number may hold what a file may not."""
    name = identifier.split(".")[7]
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{name}.pdf"',
        "X-PAdES-Level": made.level,
    }
    return Response(made.data, status, headers, PDF)
