"""Grants 授权: departments ask for them and cite them, and read who gave what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ecert.errors import InputError
from ecert.registry import Caller, GrantRow, GrantWish, grant_json, request_json
from ecert.registry.grants import Grants
from ecert_api.answers import answer, page
from ecert_api.auth import JSON_ONLY, CallerDep, admit, holder_of, vouched
from ecert_api.bodies.grants import (
    GrantBody,
    GrantListing,
    GrantRequestBody,
    GrantShape,
    RequestShape,
)
from ecert_api.context import Service, ServiceDep
from ecert_api.openapi import needing, problems, scope_of
from ecert_api.strict import StrictRoute

router = APIRouter(prefix="/v1", tags=["grants"], route_class=StrictRoute)
Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str, Query(pattern=r"^[0-9A-Z]{0,26}$")]
_PURPOSE = "grant"


@router.post(
    "/grants/requests",
    status_code=201,
    response_model=RequestShape,
    responses=problems(400, 401, 403, 404, 413, 415, 503),
    dependencies=JSON_ONLY,
    openapi_extra=needing(Grants.request),
)
async def request_grant(
    body: GrantRequestBody, request: Request, caller: CallerDep, service: ServiceDep
) -> Response:
    """Fix what a holder will be asked to agree to; his sign-in must carry the `nonce`."""
    wish = GrantWish(body.matter, body.situation, body.fields, body.until, body.delegation)
    by = caller.actor(operator=body.operator or "", purpose=_PURPOSE)
    by = await vouched(request, by, body.operator_token)
    row = await service.write(service.registry.grants.request, wish, by=by)
    return answer(request_json(row), 201)


@router.post(
    "/grants",
    status_code=201,
    response_model=GrantShape,
    responses=problems(400, 401, 403, 413, 415, 503),
    dependencies=JSON_ONLY,
    openapi_extra=needing(Grants.give),
)
async def give(
    body: GrantBody, request: Request, caller: CallerDep, service: ServiceDep
) -> Response:
    """Turn a holder's ID token, or his use code 用证码, into a grant. Each counts once."""
    by = caller.actor(operator=body.operator or "", purpose=_PURPOSE)
    by = await vouched(request, by, body.operator_token)
    if (body.id_token is None) == (body.use_code is None):
        raise InputError("give an id_token or a use_code")
    grants = service.registry.grants
    if body.id_token is not None:
        row = await service.write(grants.give, body.request, body.id_token, by=by)
    else:
        row = await service.write(grants.redeem, body.request, body.use_code, by=by)
    return answer(_shown(service, row), 201)


def _shown(service: Service, row: GrantRow) -> dict[str, object]:
    return grant_json(row, service.registry.clock())


@router.get(
    "/grants",
    response_model=GrantListing,
    responses=problems(400, 401, 403, 503),
    openapi_extra=needing(Grants.all),
)
async def listed(
    caller: CallerDep, service: ServiceDep, after: After = "", limit: Limit = 100
) -> Response:
    """List the grants that the caller's agency was given."""
    by = caller.actor(purpose=_PURPOSE)
    rows = await service.read(service.registry.grants.all, by=by, after=after, limit=limit)
    cursor = rows[-1].id if len(rows) == limit else None
    return page([_shown(service, row) for row in rows], cursor)


@router.get(
    "/grants/{grant_id}",
    response_model=GrantShape,
    responses=problems(400, 401, 403, 503),
    openapi_extra=needing(Grants.get),
)
async def show(grant_id: str, caller: CallerDep, service: ServiceDep) -> Response:
    """Show a grant to the agency it was given to."""
    by = caller.actor(purpose=_PURPOSE)
    row = await service.read(service.registry.grants.get, grant_id, by=by)
    return answer(_shown(service, row))


@router.delete(
    "/grants/{grant_id}", response_model=GrantShape, responses=problems(400, 401, 403, 503)
)
async def revoke(grant_id: str, request: Request, service: ServiceDep) -> Response:
    """Revoke a grant: the holder with his ID token, or the agency that needs it no longer."""
    registry = service.registry
    if registry.tokens.is_ours(request.headers.get("authorization", "")):
        caller: Caller = await admit(request, scope_of(Grants.revoke))
        by = caller.actor(purpose=_PURPOSE)
        row = await service.write(registry.grants.revoke, grant_id, by=by)
    else:
        holder = await holder_of(request)
        row = await service.write(registry.holders.revoke_grant, grant_id, holder=holder)
    return answer(_shown(service, row))
