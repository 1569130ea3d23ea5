"""Matters, checklists and dossiers 事项、材料清单、用证: the applicant brings no paper."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from ecert.errors import NotFound, NotPublished
from ecert.model import Actor
from ecert.reuse.fulfilment import Application
from ecert.reuse.graph import Graph, to_svg
from ecert_api.accept import choose
from ecert_api.auth import Caller
from ecert_api.deps import (
    CallerDep,
    ServiceDep,
    check_text,
    reading_actor,
    require,
    require_json,
    require_reading,
    service_of,
)
from ecert_api.documents import grounds, identifier_path, problems
from ecert_api.reuse_messages import (
    ApplicationBody,
    ChecklistShape,
    DossierBody,
    DossierShape,
    GraphShape,
    MatterPage,
    MatterShape,
)
from ecert_api.routes.certificates import JSON, answer
from ecert_api.strict import PlainRoute, StrictRoute

SVG = "image/svg+xml"
router = APIRouter(prefix="/v1", tags=["reuse"], route_class=StrictRoute)
plain = APIRouter(prefix="/v1", tags=["reuse"], route_class=PlainRoute)
_CODE = Annotated[str, Query(max_length=64)]


@router.get("/matters", response_model=MatterPage, responses=problems(400, 401, 403, 503))
async def matters(
    caller: CallerDep,
    service: ServiceDep,
    after: _CODE = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> Response:
    """List the matters 事项 of the caller's agency and of those above it, by code."""
    by = quiet(caller)
    found, cursor = await service.read(
        lambda: service.registry.reuse.matters(by=by, after=after, limit=limit)
    )
    return answer({"items": [one.to_json() for one in found], "next": cursor})


@router.post(
    "/matters",
    status_code=201,
    response_model=MatterPage,
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
    dependencies=[Depends(require_json)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": {"type": "object", "title": "one matter, or {matters: […]}"}}
            },
        }
    },
)
async def add(request: Request, caller: CallerDep, service: ServiceDep) -> Response:
    """Add a matter, or hundreds as `{"matters": […]}`; everything or nothing."""
    require(caller, "matters:manage")
    by, data = quiet(caller, "matters:manage"), await request.body()
    added = await service.make(lambda: service.registry.reuse.add_matters(data, by=by))
    items = [{"code": one.code, "version": one.version, "added": new} for one, new in added]
    return answer({"items": items, "next": None}, 201)


@router.get(
    "/matters/{code}", response_model=MatterShape, responses=problems(400, 401, 403, 404, 503)
)
async def matter(
    code: str,
    caller: CallerDep,
    service: ServiceDep,
    version: Annotated[int | None, Query(ge=1, le=9999)] = None,
) -> Response:
    """Give a matter and the materials it asks for, its newest version unless told."""
    by = quiet(caller)
    found = await service.read(lambda: service.registry.reuse.matter(code, by=by, version=version))
    return answer(found.to_json())


@router.get(
    "/matters/{code}/graph",
    response_model=GraphShape,
    responses={
        200: {"content": {SVG: {"schema": {"type": "string"}}}},
        **problems(400, 401, 403, 404, 406, 503),
    },
)
async def graph(code: str, request: Request, caller: CallerDep, service: ServiceDep) -> Response:
    """Show what comes before and after a matter, as JSON or as a picture (SVG)."""
    kind = choose(request.headers.get("accept", ""), (JSON, SVG))
    by = quiet(caller)
    found = await service.read(lambda: service.registry.reuse.graph(code, by=by))
    return _graph(found, kind)


@plain.get(
    "/certificates/{identifier}/graph",
    response_model=GraphShape,
    responses={
        200: {"content": {SVG: {"schema": {"type": "string"}}}},
        **problems(400, 401, 403, 404, 406, 503),
    },
    openapi_extra={"parameters": [identifier_path(), *grounds()]},
)
async def certificate_graph(request: Request) -> Response:
    """Show what comes before and after a certificate, with the state of what one may see."""
    service, by = service_of(request), await reading_actor(request)
    kind = choose(request.headers.get("accept", ""), (JSON, SVG))
    record = await service.look_up(request.path_params["identifier"], by, "check")
    found = await service.read(lambda: service.registry.graph_of(record, by=by))
    return _graph(found, kind)


def _graph(found: Graph, kind: str) -> Response:
    if kind == SVG:
        return Response(to_svg(found), 200, {"Cache-Control": "no-store"}, SVG)
    return answer(found.to_json())


@router.post(
    "/matters/{code}/checklist",
    response_model=ChecklistShape,
    responses=problems(400, 401, 403, 404, 413, 415, 429, 503),
    dependencies=[Depends(require_json)],
)
async def checklist(
    code: str, body: ApplicationBody, caller: CallerDep, service: ServiceDep
) -> Response:
    """Say of each material what the registry holds already 材料清单; audited as a read."""
    require_reading(caller)
    by, application = applicant(body, caller), _application(code, body)
    found, entries, error = await service.read(service.registry.reuse.draw, application, by)
    await service.record(entries)
    if found is None:
        raise error or NotFound("there is no such matter")
    return answer(found.to_json())


@router.post(
    "/matters/{code}/dossiers",
    status_code=201,
    response_model=DossierShape,
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
    dependencies=[Depends(require_json)],
)
async def dossier(code: str, body: DossierBody, caller: CallerDep, service: ServiceDep) -> Response:
    """Answer an application: only the needed fields, receipts, and a signed statement 用证卷宗.

    The same case number again is the same dossier, with grant and status checked afresh.
    """
    require_reading(caller)
    by, application = applicant(body, caller), _application(code, body)
    registry = service.registry
    fulfilled = await service.write(lambda: registry.reuse.fulfil(application, by=by))
    try:
        shown = await service.read(lambda: registry.dossier_json(fulfilled, publishes=False))
    except NotPublished:  # a certificate of this very second
        await service.publish()
        shown = await service.read(lambda: registry.dossier_json(fulfilled, publishes=False))
    if body.copies:
        copies = await service.make(lambda: registry.dossier_copies(fulfilled, by=by))
        for one in shown["presentations"]:
            if one["certificate"] in copies:
                one["copy_pdf"] = base64.b64encode(copies[one["certificate"]]).decode()
    return answer(shown, 201)


def quiet(caller: Caller, purpose: str = "matters") -> Actor:
    """Say who acts where nobody's certificates are looked at."""
    return caller.actor(operator=f"client {caller.client[:12]}", purpose=purpose, matter="")


def applicant(body: ApplicationBody, caller: Caller) -> Actor:
    """Say who asks, in words of the body."""
    operator = check_text("operator", body.operator)
    return caller.actor(operator=operator, purpose=body.purpose or "", matter="")


def _application(code: str, body: ApplicationBody) -> Application:
    days = (body.accepted_on, body.due_on) if isinstance(body, DossierBody) else (None, None)
    return Application(
        matter=code,
        case_number=body.case_number,
        holder_code=body.holder_code,
        project_code=body.project_code,
        case=body.case,
        grant=body.grant,
        fields=body.fields,
        accepted_on=days[0],
        due_on=days[1],
    )
