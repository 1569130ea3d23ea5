"""Health and metrics, for whoever runs the service."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from ecert.registry import METRICS, Checked
from ecert_api.bodies.public import LiveShape, ReadyShape
from ecert_api.context import ServiceDep
from ecert_api.metrics import CONTENT_TYPE
from ecert_api.openapi import SCOPE, problems, text_answer
from ecert_api.problems import problem
from ecert_api.strict import StrictRoute

router = APIRouter(tags=["health"], route_class=StrictRoute)


@router.get("/health/live", response_model=LiveShape)
async def live() -> dict[str, Any]:
    """Say that the process runs."""
    return {"status": "live"}


@router.get("/health/ready", response_model=ReadyShape, responses=problems(503))
async def ready(service: ServiceDep) -> Any:
    """Say that the database answers and the log signs; and which ended rights have no proof by key."""
    head = await service.look(service.registry.log.head)
    if service.fork is not None:
        return problem(503, "log_would_fork", "The log does not sign", service.fork)
    refusal = await service.look(service.registry.refusal)
    if refusal is not None:
        return problem(503, refusal.code, "Nothing is written or signed here", refusal.message)
    closed = await service.look(service.registry.settlement.unproven)
    unproven = [{"agency": one.agency, "type": one.slug, "to": str(one.to_day)} for one in closed]
    check = _told(await service.look(service.registry.checks.newest))
    return {
        "status": "ready",
        "log_size": head.size,
        "unproven": unproven,
        "check": check,
        "mirrors": service.registry.log.mirrors,
    }


def _told(last: Checked | None) -> dict[str, Any] | None:
    """Say when the last check came to its end, and how many faults it found; which, its own verb says."""
    if last is None:
        return None
    told = last.to_json()
    return {name: told[name] for name in ("scope", "finished_at", "found")}


@router.get(
    "/metrics",
    response_class=Response,
    responses={**text_answer("text/plain", "The metrics."), **problems(401, 403)},
    openapi_extra={SCOPE: METRICS},
)
async def metrics(service: ServiceDep) -> Response:
    """Give the metrics of this process in the Prometheus text format.

    ``metrics_port`` gives them without a token, to whoever reaches that port.
    """
    text = await asyncio.to_thread(service.metrics.text)
    return Response(text, 200, None, CONTENT_TYPE)
