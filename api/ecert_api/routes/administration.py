"""Administration 管理: agencies, clients, sharing rules and identity providers, each change audited.

`clients:manage` reaches the caller's own agency and those below it. `sharing:manage` decides for
the whole registry who may have what: give it to the body that keeps the sharing catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from ecert.model import Agency, Competence
from ecert.registry import Mode, Provider, new_rule, rule_json
from ecert.registry.agencies import Agencies
from ecert.registry.clients import Clients
from ecert.registry.providers import Providers
from ecert.registry.rules import Rules
from ecert.registry.webhooks import Webhooks
from ecert_api.answers import answer, page
from ecert_api.auth import JSON_ONLY, CallerDep
from ecert_api.bodies.agencies import AgencyList, AgencyShape, DpopBody
from ecert_api.bodies.clients import (
    ClientBody,
    ClientChangeBody,
    ClientList,
    ClientShape,
    KeyBody,
    WebhookBody,
)
from ecert_api.bodies.rules import ProviderBody, ProviderList, RuleBody, RuleList, RuleShape
from ecert_api.context import ServiceDep
from ecert_api.openapi import needing, problems
from ecert_api.strict import StrictRoute

CLIENTS, SHARING = "clients:manage", "sharing:manage"
router = APIRouter(prefix="/v1", tags=["administration"], route_class=StrictRoute)
_WRITES = problems(400, 401, 403, 404, 409, 413, 415, 422, 503)
_READS = problems(400, 401, 403, 503)
_NAME = Annotated[str, Path(max_length=64)]


# -- agencies --------------------------------------------------------------------------------------


@router.get(
    "/agencies",
    response_model=AgencyList,
    responses=_READS,
    openapi_extra=needing(Agencies.managed),
)
async def agencies(caller: CallerDep, service: ServiceDep) -> Response:
    """List the caller's agency and those below it, three tiers or more, with what each may issue."""
    by, managed = caller.actor(purpose=CLIENTS), service.registry.agencies.managed
    own = await service.look(lambda: managed(by=by))
    held = await service.look(service.registry.register.competences)
    return page([_agency(one, held) for one in own], None)


def _agency(agency: Agency, held: Sequence[Competence]) -> dict[str, Any]:
    rights = [one.to_json() for one in held if one.agency == agency.code]
    return {**agency.to_json(), "may_issue": rights}


@router.patch(
    "/agencies/{code}",
    response_model=AgencyShape,
    responses=_WRITES,
    dependencies=JSON_ONLY,
    openapi_extra=needing(Agencies.require_dpop),
)
async def change_agency(
    code: str, body: DpopBody, caller: CallerDep, service: ServiceDep
) -> Response:
    """Demand, or demand no longer, that the agency's systems bind their calls to a key (DPoP)."""
    by, demand = caller.actor(purpose=CLIENTS), service.registry.agencies.require_dpop
    agency = await service.write(demand, code, requires=body.requires_dpop, by=by)
    return answer(agency.to_json())


# -- clients ---------------------------------------------------------------------------------------


@router.get(
    "/clients",
    response_model=ClientList,
    responses=_READS,
    openapi_extra=needing(Clients.all),
)
async def clients(caller: CallerDep, service: ServiceDep) -> Response:
    """List the clients of the caller's agency and of those below it."""
    by, listed = caller.actor(purpose=CLIENTS), service.registry.clients.all
    rows = await service.look(lambda: listed(by=by))
    return page([one.to_json() for one in rows], None)


@router.post(
    "/clients",
    status_code=201,
    response_model=ClientShape,
    responses=_WRITES,
    dependencies=JSON_ONLY,
    openapi_extra=needing(Clients.add),
)
async def add_client(body: ClientBody, caller: CallerDep, service: ServiceDep) -> Response:
    """Register a department's system by its public key. Nobody gives a scope that he lacks."""
    row = await service.write(
        service.registry.clients.add,
        body.name,
        agency=body.agency,
        scopes=body.scopes,
        jwk=body.jwk,
        addresses=body.addresses,
        daily_quota=body.daily_quota,
        by=caller.actor(purpose=CLIENTS),
    )
    return answer(row.to_json(), 201)


@router.patch(
    "/clients/{client_id}",
    response_model=ClientShape,
    responses=_WRITES,
    dependencies=JSON_ONLY,
    openapi_extra=needing(Clients.change),
)
async def change_client(
    client_id: _NAME, body: ClientChangeBody, caller: CallerDep, service: ServiceDep
) -> Response:
    """Change a client's scopes, addresses, quota or state; what is left out stays."""
    changes: dict[str, Any] = {}
    if body.scopes is not None:
        changes["scopes"] = frozenset(body.scopes)
    if body.addresses is not None:
        changes["addresses"] = tuple(body.addresses)
    if body.daily_quota is not None or body.no_quota:
        changes["daily_quota"] = None if body.no_quota else body.daily_quota
    if body.state is not None:
        changes["state"] = body.state
    by, change = caller.actor(purpose=CLIENTS), service.registry.clients.change
    row = await service.write(change, client_id, by=by, **changes)
    return answer(row.to_json())


@router.post(
    "/clients/{client_id}/keys",
    status_code=201,
    response_model=ClientShape,
    responses=_WRITES,
    dependencies=JSON_ONLY,
    openapi_extra=needing(Clients.add_key),
)
async def add_key(
    client_id: _NAME, body: KeyBody, caller: CallerDep, service: ServiceDep
) -> Response:
    """Give a client one more key, so that it can change over without a gap."""
    by, add = caller.actor(purpose=CLIENTS), service.registry.clients.add_key
    row = await service.write(add, client_id, body.jwk, by=by)
    return answer(row.to_json(), 201)


@router.delete(
    "/clients/{client_id}/keys/{kid}",
    response_model=ClientShape,
    responses=_WRITES,
    openapi_extra=needing(Clients.retire_key),
)
async def retire_key(
    client_id: _NAME, kid: _NAME, caller: CallerDep, service: ServiceDep
) -> Response:
    """Take a key from a client; the last one cannot be taken."""
    by, retire = caller.actor(purpose=CLIENTS), service.registry.clients.retire_key
    row = await service.write(retire, client_id, kid, by=by)
    return answer(row.to_json())


@router.put(
    "/clients/{client_id}/webhook",
    response_model=ClientShape,
    responses=_WRITES,
    dependencies=JSON_ONLY,
    openapi_extra=needing(Webhooks.put),
)
async def put_webhook(
    client_id: _NAME, body: WebhookBody, caller: CallerDep, service: ServiceDep
) -> Response:
    """Tell a client of changes at an address, from now on; null: no longer."""
    by, put = caller.actor(purpose=CLIENTS), service.registry.webhooks.put
    row = await service.write(put, client_id, body.url, by=by)
    return answer(row.to_json())


# -- sharing rules -----------------------------------------------------------------------------------


@router.get(
    "/sharing-rules",
    response_model=RuleList,
    responses=_READS,
    openapi_extra=needing(Rules.all),
)
async def rules(caller: CallerDep, service: ServiceDep) -> Response:
    """List the sharing rules 共享规则, ended ones too."""
    by, listed = caller.actor(purpose=SHARING), service.registry.rules.all
    rows = await service.look(lambda: listed(by=by))
    return page([rule_json(row) for row in rows], None)


@router.post(
    "/sharing-rules",
    status_code=201,
    response_model=RuleShape,
    responses=_WRITES,
    dependencies=JSON_ONLY,
    openapi_extra=needing(Rules.add),
)
async def add_rule(body: RuleBody, caller: CallerDep, service: ServiceDep) -> Response:
    """Add a sharing rule: without one nothing is shared."""
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
    by = caller.actor(purpose=SHARING)
    row = await service.write(service.registry.rules.add, rule, by=by)
    return answer(rule_json(row), 201)


@router.delete(
    "/sharing-rules/{rule_id}",
    response_model=RuleList,
    responses=_WRITES,
    openapi_extra=needing(Rules.end),
)
async def end_rule(rule_id: _NAME, caller: CallerDep, service: ServiceDep) -> Response:
    """End a sharing rule, from now on; what was given under it stays cited."""
    by = caller.actor(purpose=SHARING)
    row = await service.write(service.registry.rules.end, rule_id, by=by)
    return page([rule_json(row)], None)


# -- identity providers ------------------------------------------------------------------------------


@router.get(
    "/identity-providers",
    response_model=ProviderList,
    responses=_READS,
    openapi_extra=needing(Providers.all),
)
async def providers(caller: CallerDep, service: ServiceDep) -> Response:
    """List the identity providers 身份认证平台 that are believed."""
    by, listed = caller.actor(purpose=SHARING), service.registry.providers.all
    return page(list(map(_provider, await service.look(lambda: listed(by=by)))), None)


def _provider(one: Provider) -> dict[str, Any]:
    return {"issuer": one.issuer, **one.to_json()}


@router.post(
    "/identity-providers",
    status_code=201,
    response_model=ProviderList,
    responses=_WRITES,
    dependencies=JSON_ONLY,
    openapi_extra=needing(Providers.put),
)
async def put_provider(body: ProviderBody, caller: CallerDep, service: ServiceDep) -> Response:
    """Believe an identity provider, or change what is known of it, such as its keys."""
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
    by = caller.actor(purpose=SHARING)
    await service.write(service.registry.providers.put, provider, by=by)
    return page([_provider(provider)], None, 201)


@router.delete(
    "/identity-providers",
    response_model=ProviderList,
    responses=_WRITES,
    openapi_extra=needing(Providers.end),
)
async def end_provider(
    issuer: Annotated[str, Query(min_length=1, max_length=200)],
    caller: CallerDep,
    service: ServiceDep,
) -> Response:
    """Believe an identity provider no longer; those that are left are listed."""
    by = caller.actor(purpose=SHARING)
    await service.write(service.registry.providers.end, issuer, by=by)
    return await providers(caller, service)
