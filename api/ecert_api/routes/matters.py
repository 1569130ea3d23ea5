"""Matters, checklists and dossiers 事项、材料清单、用证: the applicant brings no paper."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from ecert.model import Application
from ecert.pictures import graph_svg
from ecert.registry import Graph
from ecert.registry.certificates import Certificates
from ecert.registry.dossiers import Dossiers
from ecert.registry.matters import Matters
from ecert_api.accept import choose
from ecert_api.answers import JSON, SVG, answer, page, private
from ecert_api.auth import JSON_ONLY, CallerDep, check_text, reading_actor, vouched
from ecert_api.bodies.dossiers import ApplicationBody, ChecklistShape, DossierBody, DossierShape
from ecert_api.bodies.matters import AddedMatters, GraphShape, MatterListing, MatterShape
from ecert_api.context import ServiceDep, service_of
from ecert_api.openapi import grounds, identifier_path, needing, problems, scope_of
from ecert_api.strict import PlainRoute, StrictRoute

router = APIRouter(prefix="/v1", tags=["reuse"], route_class=StrictRoute)
plain = APIRouter(prefix="/v1", tags=["reuse"], route_class=PlainRoute)
_CODE = Annotated[str, Query(max_length=64)]
_SVG: dict[int | str, dict[str, Any]] = {200: {"content": {SVG: {"schema": {"type": "string"}}}}}
_FILE = {"schema": {"type": "object", "title": "one matter, or {matters: […]}"}}
_PURPOSE = "matters"


@router.get(
    "/matters",
    response_model=MatterListing,
    responses=problems(400, 401, 403, 503),
    openapi_extra=needing(Matters.all),
)
async def matters(
    caller: CallerDep,
    service: ServiceDep,
    after: _CODE = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> Response:
    """List the matters 事项 of the caller's agency and of those above it, by code."""
    by, listed = caller.actor(purpose=_PURPOSE), service.registry.matters.all
    found, cursor = await service.look(lambda: listed(by=by, after=after, limit=limit))
    return page([one.to_json() for one in found], cursor)


@router.post(
    "/matters",
    status_code=201,
    response_model=AddedMatters,
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
    dependencies=JSON_ONLY,
    openapi_extra=needing(Matters.add, requestBody={"required": True, "content": {JSON: _FILE}}),
)
async def add(request: Request, caller: CallerDep, service: ServiceDep) -> Response:
    """Add a matter, or hundreds as `{"matters": […]}`; everything or nothing."""
    by, data = caller.actor(purpose="matters:manage"), await request.body()
    added = await service.write_apart(service.registry.matters.add, data, by=by)
    items = [{"code": one.code, "version": one.version, "added": new} for one, new in added]
    return page(items, None, 201)


@router.get(
    "/matters/{code}",
    response_model=MatterShape,
    response_model_exclude_unset=True,
    responses=problems(400, 401, 403, 404, 503),
    openapi_extra=needing(Matters.get),
)
async def matter(
    code: str,
    caller: CallerDep,
    service: ServiceDep,
    version: Annotated[int | None, Query(ge=1, le=9999)] = None,
) -> Response:
    """Give a matter and the materials it asks for, its newest version unless told."""
    by, get = caller.actor(purpose=_PURPOSE), service.registry.matters.get
    found = await service.look(lambda: get(code, by=by, version=version))
    return answer(found.to_json())


@router.get(
    "/matters/{code}/graph",
    response_model=GraphShape,
    responses={**_SVG, **problems(400, 401, 403, 404, 406, 503)},
    openapi_extra=needing(Matters.graph),
)
async def graph(code: str, request: Request, caller: CallerDep, service: ServiceDep) -> Response:
    """Show what comes before and after a matter, as JSON or as a picture (SVG)."""
    kind = choose(request.headers.get("accept", ""), (JSON, SVG))
    by = caller.actor(purpose=_PURPOSE)
    found = await service.read(service.registry.matters.graph, code, by=by)
    return _graph(found, kind)


@plain.get(
    "/certificates/{identifier}/graph",
    response_model=GraphShape,
    responses={**_SVG, **problems(400, 401, 403, 404, 406, 429, 503)},
    openapi_extra=needing(Certificates.graph, parameters=[identifier_path(), *grounds()]),
)
async def certificate_graph(request: Request) -> Response:
    """Show what comes before and after a certificate, with the state of what one may see."""
    service, by = service_of(request), await reading_actor(request, scope_of(Certificates.graph))
    kind = choose(request.headers.get("accept", ""), (JSON, SVG))
    identifier = request.path_params["identifier"]
    found = await service.read(service.registry.certificates.graph, identifier, by=by)
    return _graph(found, kind)


def _graph(found: Graph, kind: str) -> Response:
    return private(graph_svg(found), SVG) if kind == SVG else answer(found.to_json())


@router.post(
    "/matters/{code}/checklist",
    response_model=ChecklistShape,
    responses=problems(400, 401, 403, 404, 413, 415, 429, 503),
    dependencies=JSON_ONLY,
    openapi_extra=needing(Dossiers.checklist),
)
async def checklist(
    code: str, body: ApplicationBody, request: Request, caller: CallerDep, service: ServiceDep
) -> Response:
    """Say of each material what the registry holds already 材料清单; audited as a read."""
    by = caller.actor(operator=check_text("operator", body.operator), purpose=body.purpose or "")
    by = await vouched(request, by, body.operator_token)
    draw = service.registry.dossiers.checklist
    found = await service.read(draw, _application(code, body), by=by)
    return answer(found.to_json())


@router.post(
    "/matters/{code}/dossiers",
    status_code=201,
    response_model=DossierShape,
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
    dependencies=JSON_ONLY,
    openapi_extra=needing(Dossiers.fulfil),
)
async def dossier(
    code: str, body: DossierBody, request: Request, caller: CallerDep, service: ServiceDep
) -> Response:
    """Answer an application: only the needed fields, receipts, and a signed statement 用证卷宗.

    The same case number again is the same dossier, with grant and status checked afresh.
    """
    by = caller.actor(operator=check_text("operator", body.operator), purpose=body.purpose or "")
    by = await vouched(request, by, body.operator_token)
    application, fulfil = _application(code, body), service.registry.dossiers.fulfil
    work = service.write_apart if body.copies else service.write
    return answer(await work(fulfil, application, by=by, copies=body.copies), 201)


def _application(code: str, body: ApplicationBody) -> Application:
    days = (body.accepted_on, body.due_on) if isinstance(body, DossierBody) else (None, None)
    return Application(
        matter=code,
        case_number=body.case_number,
        holder_code=body.holder_code,
        project_code=body.project_code,
        situation=body.situation,
        grant=body.grant,
        fields=body.fields,
        accepted_on=days[0],
        due_on=days[1],
    )
