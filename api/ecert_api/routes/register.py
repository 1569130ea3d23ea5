"""The register 名录 for everybody: signed acts about agencies, and what each may issue."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from ecert_api.answers import public
from ecert_api.bodies.register import RegisterList
from ecert_api.context import ServiceDep
from ecert_api.openapi import problems

router = APIRouter(tags=["log"])


@router.get("/register", response_model=RegisterList, responses=problems(400, 503))
async def entries(
    service: ServiceDep,
    after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
) -> Response:
    """List the signed acts upon the register behind a log index, each with its receipt.

    Their order is the log's; what no checkpoint covers yet comes later.
    """
    found, following = await service.look(lambda: service.registry.register.entries(after))
    items = [one.to_json() for one in found]
    return public(
        {"items": items, "next": None if following is None else str(following)}, seconds=1
    )
