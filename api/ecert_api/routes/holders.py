"""What a holder does for himself 持证主体, with an ID token: reads, agrees, delegates, objects."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ecert.registry import (
    Complaint,
    CopyWish,
    OwnQuestion,
    grant_json,
    objection_json,
    request_json,
)
from ecert_api.accept import choose
from ecert_api.answers import CREDENTIAL, JSON, PDF, answer, document, page, private
from ecert_api.auth import JSON_ONLY, FreshHolderDep, HolderDep
from ecert_api.bodies.certificates import (
    CertificateShape,
    HeldShape,
    OwnCopyBody,
    PresentationBody,
    PresentedShape,
)
from ecert_api.bodies.changes import UseListing
from ecert_api.bodies.dossiers import ChecklistShape, OwnChecklistBody
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
from ecert_api.openapi import identifier_path, problems
from ecert_api.routes.grants import After, Limit
from ecert_api.strict import StrictRoute

router = APIRouter(prefix="/v1/me", tags=["holders"], route_class=StrictRoute)
_TEXT = {"schema": {"type": "string"}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
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
async def held(holder: FreshHolderDep, service: ServiceDep) -> Response:
    """Show a holder his own certificates 我的证照, newest first."""
    found = await service.read(service.registry.own.all, holder=holder)
    return page([one.to_json() for one in found], None)


@router.get(
    "/certificates/{identifier}",
    response_model=CertificateShape,
    responses={
        200: {"content": {CREDENTIAL: _TEXT, PDF: _BINARY}},
        **problems(400, 401, 404, 406, 409, 503),
    },
)
async def opened(
    identifier: Annotated[str, identifier_path()],
    request: Request,
    holder: FreshHolderDep,
    service: ServiceDep,
) -> Response:
    """Open one's own certificate: as JSON, as its signed credential (SD-JWT VC), or as its signed PDF."""
    own = service.registry.own
    kind = choose(request.headers.get("accept", ""), (JSON, CREDENTIAL, PDF))
    if kind == PDF:
        return document(await service.make(own.document, identifier, holder=holder), identifier)
    record = await service.read(own.get, identifier, holder=holder)
    if kind == CREDENTIAL:
        return private(record.credential, CREDENTIAL)
    return private(record.to_json_bytes(), JSON)


@router.post(
    "/certificates/{identifier}/presentations",
    status_code=201,
    response_model=PresentedShape,
    responses={
        201: {"content": {CREDENTIAL: _TEXT}},
        **problems(400, 401, 404, 406, 413, 415, 503),
    },
    dependencies=JSON_ONLY,
)
async def present(
    identifier: Annotated[str, identifier_path()],
    body: PresentationBody,
    request: Request,
    holder: FreshHolderDep,
    service: ServiceDep,
) -> Response:
    """Give one's credential with only the values that one chose 出示, to hand to whom one likes."""
    kind = choose(request.headers.get("accept", ""), (JSON, CREDENTIAL))
    verb = service.registry.own.present
    made = await service.read(verb, identifier, body.fields, holder=holder)
    return (
        private(made, CREDENTIAL, 201) if kind == CREDENTIAL else answer({"credential": made}, 201)
    )


@router.post(
    "/certificates/{identifier}/copies",
    status_code=201,
    response_class=Response,
    responses={201: {"content": {PDF: _BINARY}}, **problems(400, 401, 404, 409, 413, 415, 503)},
    dependencies=JSON_ONLY,
)
async def lend(
    identifier: Annotated[str, identifier_path()],
    body: OwnCopyBody,
    holder: FreshHolderDep,
    service: ServiceDep,
) -> Response:
    """Lend one's own certificate 加注件: a PDF for one recipient and purpose, worthless after a day."""
    wish = CopyWish(body.recipient, body.purpose, body.until)
    made = await service.write_apart(service.registry.own.copy, identifier, wish, holder=holder)
    return document(made, identifier, status=201)


@router.post(
    "/checklists",
    response_model=ChecklistShape,
    responses=problems(400, 401, 404, 413, 415, 503),
    dependencies=JSON_ONLY,
)
async def checklist(
    body: OwnChecklistBody, holder: FreshHolderDep, service: ServiceDep
) -> Response:
    """Tell a holder before he applies what a matter asks for, and what he holds of it already."""
    question = OwnQuestion(body.matter, body.situation, body.project_code)
    found = await service.read(service.registry.own.checklist, question, holder=holder)
    return answer(found.to_json())


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
