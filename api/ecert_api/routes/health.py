"""Health and metrics, for whoever runs the service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from ecert_api.bodies.public import LiveShape, ReadyShape
from ecert_api.context import ServiceDep
from ecert_api.openapi import problems
from ecert_api.problems import problem

router = APIRouter(tags=["health"])


@router.get("/health/live", response_model=LiveShape)
async def live() -> dict[str, Any]:
    """Say that the process runs."""
    return {"status": "live"}


@router.get("/health/ready", response_model=ReadyShape, responses=problems(503))
async def ready(service: ServiceDep) -> Any:
    """Say that the database answers and the log signs."""
    head = await service.look(service.registry.log.head)
    if service.fork is not None:
        return problem(503, "log_would_fork", "The log does not sign", service.fork)
    return {"status": "ready", "log_size": head.size}


@router.get("/metrics", response_class=Response)
async def metrics(service: ServiceDep) -> Response:
    """Give a few numbers in the Prometheus text format."""
    head = await service.look(service.registry.log.head)
    lines = [
        "# HELP ecert_log_entries Entries in the log.",
        "# TYPE ecert_log_entries counter",
        f"ecert_log_entries {head.size}",
        "# HELP ecert_log_signs Whether the log signs checkpoints.",
        "# TYPE ecert_log_signs gauge",
        f"ecert_log_signs {0 if service.fork else 1}",
    ]
    return Response("\n".join(lines) + "\n", 200, None, "text/plain; version=0.0.4")
