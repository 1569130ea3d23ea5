"""Supervision 电子监察: sums for supervisors, as JSON, as CSV, and as one page with charts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ecert.reuse.supervision import to_csv
from ecert.reuse.supervision_page import to_html
from ecert_api.accept import choose
from ecert_api.deps import CallerDep, ServiceDep, require
from ecert_api.documents import problems
from ecert_api.reuse_messages import Day, FiguresShape
from ecert_api.routes.certificates import JSON, answer
from ecert_api.strict import StrictRoute

CSV, HTML = "text/csv", "text/html"
router = APIRouter(prefix="/v1", tags=["supervision"], route_class=StrictRoute)
_TEXT = {"schema": {"type": "string"}}


@router.get(
    "/supervision",
    response_model=FiguresShape,
    responses={
        200: {"content": {CSV: _TEXT, HTML: _TEXT}},
        **problems(400, 401, 403, 406, 503),
    },
)
async def supervision(
    request: Request,
    caller: CallerDep,
    service: ServiceDep,
    since: Annotated[Day | None, Query()] = None,
    until: Annotated[Day | None, Query()] = None,
) -> Response:
    """Count papers not brought, refusals, promises kept and unusual reading; the last thirty days."""
    require(caller, "audit:read")
    kind = choose(request.headers.get("accept", ""), (JSON, CSV, HTML))
    figures = await service.make(lambda: service.registry.reuse.supervise(since, until))
    if kind == JSON:
        return answer(figures)
    text = to_csv(figures) if kind == CSV else to_html(figures)
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": _POLICY}
    return Response(text, 200, headers, f"{kind}; charset=utf-8")


_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
