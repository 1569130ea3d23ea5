"""What a holder does for himself 持证主体, with an ID token: reads, agrees, delegates, objects."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from ecert.registry import Complaint, grant_json, objection_json, request_json
from ecert_api.answers import answer, page
from ecert_api.auth import JSON_ONLY, HolderDep
from ecert_api.bodies.certificates import HeldShape
from ecert_api.bodies.changes import UseListing
from ecert_api.bodies.grants import (
    DelegationBody,
    Delegations,
    GrantListing,
    ShownRequestShape,
    UseCodeBody,
    UseCodeShape,
)
from ecert_api.bodies.objections import HolderObjectionBody, ObjectionListing, ObjectionShape
from ecert_api.context import ServiceDep
from ecert_api.openapi import problems
from ecert_api.routes.grants import After, Limit
from ecert_api.strict import StrictRoute

router = APIRouter(prefix="/v1/me", tags=["holders"], route_class=StrictRoute)
_READS = problems(400, 401, 503)


@router.get("/uses", response_model=UseListing, responses=_READS)
async def uses(
    holder: HolderDep,
    service: ServiceDep,
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    limit: Limit = 100,
) -> Response:
    """Show a holder who was shown his certificates, when, for which matter; newest first."""
    verb = service.registry.holders.uses
    found = await service.read(verb, holder=holder, before=before, limit=limit)
    return page(found, str(found[-1]["index"]) if len(found) == limit else None)


@router.get("/certificates", response_model=HeldShape, responses=_READS)
async def held(holder: HolderDep, service: ServiceDep) -> Response:
    """Show a holder his own certificates, newest first."""
    found = await service.read(service.registry.holders.certificates, holder=holder)
    return page([one.to_json() for one in found], None)


@router.get(
    "/requests/{request_id}",
    response_model=ShownRequestShape,
    responses=problems(400, 401, 403, 503),
)
async def asked(request_id: str, holder: HolderDep, service: ServiceDep) -> Response:
    """Show a holder which agency asks, for which matter, and for which fields."""
    verb = service.registry.holders.request
    row, matter, agency = await service.read(verb, request_id, holder=holder)
    return answer({**request_json(row, matter), "agency_name": agency})


@router.post(
    "/use-codes",
    status_code=201,
    response_model=UseCodeShape,
    responses=problems(400, 401, 403, 413, 415, 503),
    dependencies=JSON_ONLY,
)
async def use_code(body: UseCodeBody, holder: HolderDep, service: ServiceDep) -> Response:
    """Make a one-time use code 用证码 for a request: good for five minutes, at that agency only."""
    verb = service.registry.holders.make_use_code
    made = await service.write(verb, body.request, holder=holder, delegation=body.delegation)
    return answer(made.to_json(), 201)


@router.get("/grants", response_model=GrantListing, responses=_READS)
async def given(
    holder: HolderDep, service: ServiceDep, after: After = "", limit: Limit = 100
) -> Response:
    """Show a holder the grants that he gave."""
    verb, now = service.registry.holders.grants, service.registry.clock()
    rows = await service.read(verb, holder=holder, after=after, limit=limit)
    cursor = rows[-1].id if len(rows) == limit else None
    return page([grant_json(row, now) for row in rows], cursor)


@router.get("/delegations", response_model=Delegations, responses=_READS)
async def delegations(holder: HolderDep, service: ServiceDep) -> Response:
    """Show a holder the delegations that he gave, or was given."""
    return page(await service.read(service.registry.holders.delegations, holder=holder), None)


@router.post(
    "/delegations",
    status_code=201,
    response_model=Delegations,
    responses=problems(400, 401, 413, 415, 503),
    dependencies=JSON_ONLY,
)
async def delegate(body: DelegationBody, holder: HolderDep, service: ServiceDep) -> Response:
    """Let an agent act for the holder 委托, in some matters or all, until a day."""
    verb = service.registry.holders.delegate
    made = await service.write(
        verb, body.agent_code, holder=holder, until=body.until, matters=body.matters
    )
    return page([made], None, 201)


@router.delete(
    "/delegations/{delegation_id}",
    response_model=Delegations,
    responses=problems(400, 401, 403, 503),
)
async def end_delegation(delegation_id: str, holder: HolderDep, service: ServiceDep) -> Response:
    """End a delegation that the holder gave, or was given; what is left is listed."""
    await service.write(service.registry.holders.end_delegation, delegation_id, holder=holder)
    return page(await service.read(service.registry.holders.delegations, holder=holder), None)


@router.get("/objections", response_model=ObjectionListing, responses=_READS)
async def objections(holder: HolderDep, service: ServiceDep) -> Response:
    """Show a holder the objections that he raised."""
    rows = await service.read(service.registry.holders.objections, holder=holder)
    return page([objection_json(row) for row in rows], None)


@router.post(
    "/objections",
    status_code=201,
    response_model=ObjectionShape,
    responses=problems(400, 401, 404, 413, 415, 503),
    dependencies=JSON_ONLY,
)
async def object_(body: HolderObjectionBody, holder: HolderDep, service: ServiceDep) -> Response:
    """Report an error in one's own certificate 异议."""
    complaint = Complaint(body.certificate, body.field, body.words)
    row = await service.write(service.registry.holders.object, complaint, holder=holder)
    return answer(objection_json(row), 201)
