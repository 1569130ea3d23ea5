"""Grants 授权: departments ask for them and cite them; holders give, list and revoke them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from ecert.audit import AuditEntry
from ecert.errors import InputError
from ecert.model import Actor
from ecert.reuse.grant import Wish, grant_json, request_json
from ecert.reuse.objection import Complaint, objection_json
from ecert_api.auth import Caller
from ecert_api.deps import (
    CallerDep,
    HolderDep,
    ServiceDep,
    caller_of,
    holder_of,
    require_json,
    require_reading,
)
from ecert_api.documents import problems
from ecert_api.reuse_messages import (
    AskedShape,
    DelegationBody,
    GrantBody,
    GrantRequestBody,
    GrantShape,
    HolderObjectionBody,
    ObjectionShape,
    Page,
    RequestShape,
    UseCodeBody,
    UseCodeShape,
)
from ecert_api.routes.certificates import answer
from ecert_api.strict import StrictRoute

router = APIRouter(prefix="/v1", tags=["grants"], route_class=StrictRoute)
me = APIRouter(prefix="/v1/me", tags=["holders"], route_class=StrictRoute)
_LIMIT = Annotated[int, Query(ge=1, le=100)]
_AFTER = Annotated[str, Query(pattern=r"^[0-9A-Z]{0,26}$")]


@router.post(
    "/grants/requests",
    status_code=201,
    response_model=RequestShape,
    responses=problems(400, 401, 403, 404, 413, 415, 503),
    dependencies=[Depends(require_json)],
)
async def request_grant(body: GrantRequestBody, caller: CallerDep, service: ServiceDep) -> Response:
    """Fix what a holder will be asked to agree to; his sign-in must carry the `nonce`."""
    require_reading(caller)
    wish = Wish(body.matter, body.case, body.fields, body.until, body.delegation)
    by = _clerk(caller, body.operator)
    row = await service.write(lambda: service.registry.reuse.request_grant(wish, by=by))
    return answer(request_json(row), 201)


@router.post(
    "/grants",
    status_code=201,
    response_model=GrantShape,
    responses=problems(400, 401, 403, 413, 415, 503),
    dependencies=[Depends(require_json)],
)
async def give(body: GrantBody, caller: CallerDep, service: ServiceDep) -> Response:
    """Turn a holder's ID token, or his use code 用证码, into a grant. Each counts once."""
    require_reading(caller)
    if (body.id_token is None) == (body.use_code is None):
        raise InputError("give an id_token or a use_code")
    by, reuse = _clerk(caller, body.operator), service.registry.reuse
    if body.id_token is not None:
        token = body.id_token
        row = await service.write(lambda: reuse.grant(body.request, token, by=by))
    else:
        code = body.use_code or ""
        row = await service.write(lambda: reuse.redeem(body.request, code, by=by))
    return answer(grant_json(row, service.registry.clock()), 201)


@router.get("/grants", response_model=Page, responses=problems(400, 401, 403, 503))
async def listed(
    caller: CallerDep, service: ServiceDep, after: _AFTER = "", limit: _LIMIT = 100
) -> Response:
    """List the grants that the caller's agency was given."""
    require_reading(caller)
    by = _clerk(caller, None)
    rows = await service.read(
        lambda: service.registry.reuse.grants(by=by, after=after, limit=limit)
    )
    return _page(service, rows, limit)


def _page(service: ServiceDep, rows: list, limit: int) -> Response:  # type: ignore[type-arg]  # of grants
    items = [grant_json(row, service.registry.clock()) for row in rows]
    return answer({"items": items, "next": rows[-1].id if len(rows) == limit else None})


@router.get("/grants/{grant_id}", response_model=GrantShape, responses=problems(400, 401, 403, 503))
async def show(grant_id: str, caller: CallerDep, service: ServiceDep) -> Response:
    """Show a grant to the agency it was given to."""
    require_reading(caller)
    by = _clerk(caller, None)
    row = await service.read(lambda: service.registry.reuse.show_grant(grant_id, by=by))
    return answer(grant_json(row, service.registry.clock()))


@router.delete(
    "/grants/{grant_id}", response_model=GrantShape, responses=problems(400, 401, 403, 503)
)
async def revoke(grant_id: str, request: Request, service: ServiceDep) -> Response:
    """Revoke a grant: the holder with his ID token, or the agency that needs it no longer."""
    reuse = service.registry.reuse
    if service.tokens.is_ours(request.headers.get("authorization", "")):
        by = _clerk(await caller_of(request), None)
        row = await service.write(lambda: reuse.revoke_grant(grant_id, by=by))
    else:
        holder = await holder_of(request)
        row = await service.write(lambda: reuse.revoke_grant(grant_id, holder=holder))
    return answer(grant_json(row, service.registry.clock()))


def _clerk(caller: Caller, operator: str | None) -> Actor:
    named = operator or f"client {caller.client[:12]}"
    return caller.actor(operator=named, purpose="grant", matter="")


# -- holders -------------------------------------------------------------------------------------


@me.get("/uses", response_model=Page, responses=problems(400, 401, 503))
async def uses(
    holder: HolderDep,
    service: ServiceDep,
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    limit: _LIMIT = 100,
) -> Response:
    """Show a holder who was shown his certificates, when, for which matter; newest first."""
    registry = service.registry
    found = await service.read(lambda: registry.reuse.uses(holder, before=before, limit=limit))
    hmac = registry.reuse.desk.holder_hmac(holder.code).hex()
    by = Actor("holder", purpose="uses")
    await service.record([AuditEntry("uses", by, details={"holder_hmac": hmac})])
    cursor = str(found[-1]["index"]) if len(found) == limit else None
    return answer({"items": found, "next": cursor})


@me.get("/certificates", response_model=Page, responses=problems(400, 401, 503))
async def held(holder: HolderDep, service: ServiceDep) -> Response:
    """Show a holder his own certificates, newest first."""
    found = await service.read(service.registry.reuse.held, holder)
    by = Actor("holder", purpose="own certificates")
    hmac = service.registry.reuse.desk.holder_hmac(holder.code).hex()
    told = {"holder_hmac": hmac, "given": len(found)}
    await service.record([AuditEntry("held", by, details=told)])
    return answer({"items": [one.to_json() for one in found], "next": None})


@me.get("/requests/{request_id}", response_model=AskedShape, responses=problems(400, 401, 403, 503))
async def asked(request_id: str, holder: HolderDep, service: ServiceDep) -> Response:
    """Show a holder which agency asks, for which matter, and for which fields."""
    del holder  # any holder who signed in and was told the request's name
    row, matter, agency = await service.read(service.registry.reuse.asked, request_id)
    return answer({**request_json(row, matter), "agency_name": agency})


@me.post(
    "/use-codes",
    status_code=201,
    response_model=UseCodeShape,
    responses=problems(400, 401, 403, 413, 415, 503),
    dependencies=[Depends(require_json)],
)
async def use_code(body: UseCodeBody, holder: HolderDep, service: ServiceDep) -> Response:
    """Make a one-time use code 用证码 for a request: good for five minutes, at that agency only."""
    made = await service.write(
        lambda: service.registry.reuse.make_use_code(
            body.request, holder, delegation=body.delegation
        )
    )
    return answer(made.to_json(), 201)


@me.get("/grants", response_model=Page, responses=problems(400, 401, 503))
async def given(
    holder: HolderDep, service: ServiceDep, after: _AFTER = "", limit: _LIMIT = 100
) -> Response:
    """Show a holder the grants that he gave."""
    rows = await service.read(
        lambda: service.registry.reuse.grants(holder=holder, after=after, limit=limit)
    )
    return _page(service, rows, limit)


@me.get("/delegations", response_model=Page, responses=problems(400, 401, 503))
async def delegations(holder: HolderDep, service: ServiceDep) -> Response:
    """Show a holder the delegations that he gave, or was given."""
    found = await service.read(service.registry.reuse.delegations, holder)
    return answer({"items": found, "next": None})


@me.post(
    "/delegations",
    status_code=201,
    response_model=Page,
    responses=problems(400, 401, 413, 415, 503),
    dependencies=[Depends(require_json)],
)
async def delegate(body: DelegationBody, holder: HolderDep, service: ServiceDep) -> Response:
    """Let an agent act for the holder 委托, in some matters or all, until a day."""
    reuse = service.registry.reuse
    row = await service.write(
        lambda: reuse.delegate(holder, body.agent_code, until=body.until, matters=body.matters)
    )
    found = await service.read(reuse.delegations, holder)
    return answer({"items": [one for one in found if one["id"] == row.id], "next": None}, 201)


@me.delete(
    "/delegations/{delegation_id}", response_model=Page, responses=problems(400, 401, 403, 503)
)
async def end_delegation(delegation_id: str, holder: HolderDep, service: ServiceDep) -> Response:
    """End a delegation that the holder gave, or was given."""
    reuse = service.registry.reuse
    await service.write(lambda: reuse.end_delegation(delegation_id, holder))
    found = await service.read(reuse.delegations, holder)
    return answer({"items": found, "next": None})


@me.get("/objections", response_model=Page, responses=problems(400, 401, 503))
async def objections(holder: HolderDep, service: ServiceDep) -> Response:
    """Show a holder the objections that he raised."""
    rows = await service.read(lambda: service.registry.reuse.objections(holder=holder))
    return answer({"items": [objection_json(row) for row in rows], "next": None})


@me.post(
    "/objections",
    status_code=201,
    response_model=ObjectionShape,
    responses=problems(400, 401, 404, 413, 415, 503),
    dependencies=[Depends(require_json)],
)
async def object_(body: HolderObjectionBody, holder: HolderDep, service: ServiceDep) -> Response:
    """Report an error in one's own certificate 异议."""
    complaint = Complaint(body.certificate, body.field, body.words)
    row = await service.write(lambda: service.registry.reuse.object(complaint, holder=holder))
    return answer(objection_json(row), 201)
