"""Supervision 电子监察: sums for supervisors, as JSON, CSV and a page with charts; and the trail."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from ecert.pictures import supervision_html
from ecert.registry import figures_csv
from ecert.registry.supervision import Supervision
from ecert.registry.trail import AuditedTrail
from ecert_api.accept import choose
from ecert_api.answers import JSON, answer, page
from ecert_api.auth import CallerDep
from ecert_api.bodies._common import Day
from ecert_api.bodies.supervision import AuditListing, FiguresShape
from ecert_api.context import ServiceDep
from ecert_api.openapi import needing, problems
from ecert_api.strict import StrictRoute

CSV, HTML = "text/csv", "text/html"
router = APIRouter(prefix="/v1", tags=["supervision"], route_class=StrictRoute)
_TEXT = {"schema": {"type": "string"}}
_SHOWN: dict[int | str, dict[str, Any]] = {200: {"content": {CSV: _TEXT, HTML: _TEXT}}}


@router.get(
    "/supervision",
    response_model=FiguresShape,
    responses={**_SHOWN, **problems(400, 401, 403, 406, 503)},
    openapi_extra=needing(Supervision.figures),
)
async def supervision(
    request: Request,
    caller: CallerDep,
    service: ServiceDep,
    since: Annotated[Day | None, Query()] = None,
    until: Annotated[Day | None, Query()] = None,
) -> Response:
    """Count papers not brought, refusals, promises kept and unusual reading; the last thirty days."""
    kind = choose(request.headers.get("accept", ""), (JSON, CSV, HTML))
    by = caller.actor(purpose="supervision")
    figures = await service.make(service.registry.supervision.figures, since, until, by=by)
    if kind == JSON:
        return answer(figures)
    text = figures_csv(figures) if kind == CSV else supervision_html(figures)
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": _POLICY}
    return Response(text, 200, headers, f"{kind}; charset=utf-8")


_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@router.get(
    "/audit",
    response_model=AuditListing,
    responses=problems(400, 401, 403, 503),
    openapi_extra=needing(AuditedTrail.rows),
)
async def audit(
    caller: CallerDep,
    service: ServiceDep,
    after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List the audit trail 审计记录 for supervisors, oldest first."""
    by = caller.actor(purpose="audit")
    rows = await service.read(service.registry.trail.rows, by=by, after=after, limit=limit)
    return page(rows, str(rows[-1]["index"]) if len(rows) == limit else None)
