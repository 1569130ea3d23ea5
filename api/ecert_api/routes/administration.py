"""Administration 管理: agencies, clients, sharing rules and identity providers, each change audited.

`clients:manage` reaches the caller's own agency and those below it. `sharing:manage` decides for
the whole registry who may have what: give it to the body that keeps the sharing catalogue.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from ecert.errors import NotFound
from ecert.formats.id_token import Provider
from ecert.model import Agency
from ecert.registry.clients import ClientWish
from ecert.reuse.sharing import Mode, below, new_rule, rule_json
from ecert_api.auth import Caller
from ecert_api.deps import CallerDep, Service, ServiceDep, require, require_json
from ecert_api.documents import problems
from ecert_api.reuse_messages import (
    AgencyBody,
    AgencyShape,
    ClientBody,
    ClientChangeBody,
    ClientShape,
    DpopBody,
    KeyBody,
    Page,
    ProviderBody,
    RuleBody,
    RuleShape,
    WebhookBody,
)
from ecert_api.routes.certificates import answer
from ecert_api.routes.matters import quiet
from ecert_api.strict import StrictRoute

CLIENTS, SHARING = "clients:manage", "sharing:manage"
router = APIRouter(prefix="/v1", tags=["administration"], route_class=StrictRoute)
_WRITES = problems(400, 401, 403, 404, 409, 413, 415, 422, 503)
_READS = problems(400, 401, 403, 503)
_JSON = [Depends(require_json)]
_NAME = Annotated[str, Path(max_length=64)]


# -- agencies --------------------------------------------------------------------------------------


@router.get("/agencies", response_model=Page, responses=_READS)
async def agencies(caller: CallerDep, service: ServiceDep) -> Response:
    """List the caller's agency and those below it, three tiers or more."""
    own = await service.read(_own, service, caller)
    return answer({"items": [one.to_json() for one in own], "next": None})


def _own(service: Service, caller: Caller) -> list[Agency]:
    listed = service.registry.agencies()
    mine = below(listed, caller.agency)
    return [one for one in listed if one.code in mine]


@router.post(
    "/agencies", status_code=201, response_model=AgencyShape, responses=_WRITES, dependencies=_JSON
)
async def add_agency(
    body: AgencyBody, request: Request, caller: CallerDep, service: ServiceDep
) -> Response:
    """Register an agency below the caller's own, and make its signing key."""
    require(caller, CLIENTS)
    own = await service.read(_own, service, caller)
    if body.parent not in {one.code for one in own}:
        await service.note_refusal(caller, request, NotFound.code)
        raise NotFound("the parent agency is not registered, or not yours")
    agency = Agency(body.code, body.name, body.division, body.parent, body.short_name)
    by = quiet(caller, CLIENTS)
    await service.write(lambda: service.registry.add_agency(agency, by=by))
    return answer(agency.to_json(), 201)


@router.patch("/agencies/{code}", response_model=AgencyShape, responses=_WRITES, dependencies=_JSON)
async def change_agency(
    code: str, body: DpopBody, caller: CallerDep, service: ServiceDep
) -> Response:
    """Demand, or demand no longer, that the agency's systems bind their calls to a key (DPoP)."""
    require(caller, CLIENTS)
    by, desk = quiet(caller, CLIENTS), service.registry.client_desk
    await service.write(lambda: desk.require_dpop(code, requires=body.requires_dpop, by=by))
    found = await service.read(service.registry.agency, code)
    return answer(found.to_json())


# -- clients ---------------------------------------------------------------------------------------


@router.get("/clients", response_model=Page, responses=_READS)
async def clients(caller: CallerDep, service: ServiceDep) -> Response:
    """List the clients of the caller's agency and of those below it."""
    require(caller, CLIENTS)
    own = {one.code for one in await service.read(_own, service, caller)}
    rows = await service.read(service.registry.clients)
    return answer({"items": [one.to_json() for one in rows if one.agency in own], "next": None})


@router.post(
    "/clients", status_code=201, response_model=ClientShape, responses=_WRITES, dependencies=_JSON
)
async def add_client(body: ClientBody, caller: CallerDep, service: ServiceDep) -> Response:
    """Register a department's system by its public key. Nobody gives a scope that he lacks."""
    require(caller, CLIENTS)
    wish = ClientWish(
        body.name, body.agency, frozenset(body.scopes), tuple(body.addresses), body.daily_quota
    )
    by, desk = quiet(caller, CLIENTS), service.registry.client_desk
    row = await service.write(lambda: desk.add(wish, body.jwk, by=by))
    return answer(row.to_json(), 201)


@router.patch(
    "/clients/{client_id}", response_model=ClientShape, responses=_WRITES, dependencies=_JSON
)
async def change_client(
    client_id: _NAME, body: ClientChangeBody, caller: CallerDep, service: ServiceDep
) -> Response:
    """Change a client's scopes, addresses, quota or state; what is left out stays."""
    require(caller, CLIENTS)
    changes: dict[str, Any] = {}
    if body.scopes is not None:
        changes["scopes"] = frozenset(body.scopes)
    if body.addresses is not None:
        changes["addresses"] = tuple(body.addresses)
    if body.daily_quota is not None or body.no_quota:
        changes["daily_quota"] = None if body.no_quota else body.daily_quota
    if body.state is not None:
        changes["state"] = body.state
    by, desk = quiet(caller, CLIENTS), service.registry.client_desk
    row = await service.write(lambda: desk.change(client_id, by=by, **changes))
    return answer(row.to_json())


@router.post(
    "/clients/{client_id}/keys",
    status_code=201,
    response_model=ClientShape,
    responses=_WRITES,
    dependencies=_JSON,
)
async def add_key(
    client_id: _NAME, body: KeyBody, caller: CallerDep, service: ServiceDep
) -> Response:
    """Give a client one more key, so that it can change over without a gap."""
    require(caller, CLIENTS)
    by, desk = quiet(caller, CLIENTS), service.registry.client_desk
    await service.write(lambda: desk.add_key(client_id, body.jwk, by=by))
    return await _client(service, client_id, 201)


@router.delete("/clients/{client_id}/keys/{kid}", response_model=ClientShape, responses=_WRITES)
async def retire_key(
    client_id: _NAME, kid: _NAME, caller: CallerDep, service: ServiceDep
) -> Response:
    """Take a key from a client; the last one cannot be taken."""
    require(caller, CLIENTS)
    by, desk = quiet(caller, CLIENTS), service.registry.client_desk
    await service.write(lambda: desk.retire_key(client_id, kid, by=by))
    return await _client(service, client_id)


@router.put(
    "/clients/{client_id}/webhook",
    response_model=ClientShape,
    responses=_WRITES,
    dependencies=_JSON,
)
async def put_webhook(
    client_id: _NAME, body: WebhookBody, caller: CallerDep, service: ServiceDep
) -> Response:
    """Tell a client of changes at an address, from now on; null: no longer."""
    require(caller, CLIENTS)
    by, desk = quiet(caller, CLIENTS), service.registry.client_desk
    await service.write(lambda: desk.put_webhook(client_id, body.url, by=by))
    return await _client(service, client_id)


async def _client(service: Service, client_id: str, status: int = 200) -> Response:
    row = await service.read(service.registry.client, client_id)
    if row is None:
        raise NotFound("there is no such client")
    return answer(row.to_json(), status)


# -- sharing rules -----------------------------------------------------------------------------------


@router.get("/sharing-rules", response_model=Page, responses=_READS)
async def rules(caller: CallerDep, service: ServiceDep) -> Response:
    """List the sharing rules 共享规则, ended ones too."""
    require(caller, SHARING)
    rows = await service.read(service.registry.reuse.rules)
    return answer({"items": [rule_json(row) for row in rows], "next": None})


@router.post(
    "/sharing-rules",
    status_code=201,
    response_model=RuleShape,
    responses=_WRITES,
    dependencies=_JSON,
)
async def add_rule(body: RuleBody, caller: CallerDep, service: ServiceDep) -> Response:
    """Add a sharing rule: without one nothing is shared."""
    require(caller, SHARING)
    rule = new_rule(
        body.type,
        body.agency,
        legal_basis=body.legal_basis,
        mode=Mode(body.mode),
        matter=body.matter,
        fields=body.fields,
        daily_quota=body.daily_quota,
        valid_from=body.valid_from,
        valid_to=body.valid_to,
    )
    by = quiet(caller, SHARING)
    row = await service.write(lambda: service.registry.reuse.add_rule(rule, by=by))
    return answer(rule_json(row), 201)


@router.delete("/sharing-rules/{rule_id}", response_model=Page, responses=_WRITES)
async def end_rule(rule_id: _NAME, caller: CallerDep, service: ServiceDep) -> Response:
    """End a sharing rule, from now on; what was given under it stays cited."""
    require(caller, SHARING)
    by, reuse = quiet(caller, SHARING), service.registry.reuse
    await service.write(lambda: reuse.end_rule(rule_id, by=by))
    rows = await service.read(reuse.rules)
    return answer({"items": [rule_json(one) for one in rows if one.id == rule_id], "next": None})


# -- identity providers ------------------------------------------------------------------------------


@router.get("/identity-providers", response_model=Page, responses=_READS)
async def providers(caller: CallerDep, service: ServiceDep) -> Response:
    """List the identity providers 身份认证平台 that are believed."""
    require(caller, SHARING)
    found = await service.read(service.registry.reuse.providers)
    items = [{"issuer": one.issuer, **one.to_json()} for one in found]
    return answer({"items": items, "next": None})


@router.post(
    "/identity-providers",
    status_code=201,
    response_model=Page,
    responses=_WRITES,
    dependencies=_JSON,
)
async def put_provider(body: ProviderBody, caller: CallerDep, service: ServiceDep) -> Response:
    """Believe an identity provider, or change what is known of it, such as its keys."""
    require(caller, SHARING)
    claims = None if body.claims is None else {str(k): v for k, v in body.claims.items()}
    provider = Provider(
        body.issuer,
        tuple(body.audiences),
        tuple(body.levels),
        body.keys,
        body.algorithm,
        claims,
        tuple(body.portals),
    )
    by = quiet(caller, SHARING)
    await service.write(lambda: service.registry.reuse.put_provider(provider, by=by))
    shown = {"issuer": provider.issuer, **provider.to_json()}
    return answer({"items": [shown], "next": None}, 201)


@router.delete("/identity-providers", response_model=Page, responses=_WRITES)
async def end_provider(
    issuer: Annotated[str, Query(min_length=1, max_length=200)],
    caller: CallerDep,
    service: ServiceDep,
) -> Response:
    """Believe an identity provider no longer."""
    require(caller, SHARING)
    by, reuse = quiet(caller, SHARING), service.registry.reuse
    await service.write(lambda: reuse.end_provider(issuer, by=by))
    return await providers(caller, service)
