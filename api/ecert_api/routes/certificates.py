"""Departments' routes under ``/v1``: issue, fetch, search, operate."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from ecert.errors import EcertError, StillRunning
from ecert.model import Basis, Operation
from ecert.registry import CopyWish, Idempotency, IssueRequest, Query
from ecert.registry.certificates import Certificates
from ecert.registry.documents import Documents
from ecert.registry.evidence import Evidence
from ecert_api.accept import choose
from ecert_api.answers import CREDENTIAL, JSON, PDF, TEXT, ZIP, answer, document, page, private
from ecert_api.auth import (
    JSON_ONLY,
    CallerDep,
    check_text,
    ground_of,
    idempotency_of,
    reading_actor,
    vouched,
)
from ecert_api.bodies.certificates import (
    CertificateListing,
    CertificateShape,
    CopyBody,
    HistoryShape,
    IssueBody,
    IssuedShape,
    OperationBody,
    SearchBody,
)
from ecert_api.context import ServiceDep, service_of
from ecert_api.openapi import (
    grounds,
    idempotency_key,
    identifier_path,
    needing,
    problems,
    scope_of,
)
from ecert_api.problems import below
from ecert_api.strict import PlainRoute, StrictRoute

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PDF = {"content": {PDF: _BINARY}}
_TEXT = {"schema": {"type": "string"}}
_READ_SCOPE = scope_of(Certificates.get)
finding = APIRouter(prefix="/v1", tags=["certificates"], route_class=StrictRoute)
router = APIRouter(prefix="/v1", tags=["certificates"], route_class=StrictRoute)
plain = APIRouter(prefix="/v1", tags=["certificates"], route_class=PlainRoute)
_READ = problems(400, 401, 403, 404, 429, 503)
_GROUNDED = needing(Certificates.get, parameters=[identifier_path(), *grounds()])


@router.post(
    "/certificates",
    status_code=201,
    response_model=IssuedShape,
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
    dependencies=JSON_ONLY,
    openapi_extra=needing(Certificates.issue, parameters=[idempotency_key()]),
)
async def issue(
    body: IssueBody,
    request: Request,
    caller: CallerDep,
    service: ServiceDep,
    key: Annotated[Idempotency, Depends(idempotency_of)],
) -> Response:
    """Issue a certificate 签发. The same Idempotency-Key and body give the same answer again."""
    by = await vouched(request, caller.actor(purpose="issue"))
    wish = IssueRequest(body.type, body.draft, by, body.agency, key)
    running = (key.client, key.key_digest)
    if running in service.running:
        raise StillRunning("the same request is being worked on; ask again")
    service.running.add(running)
    try:
        result = await service.issues.put(wish)
    finally:
        service.running.discard(running)
    if isinstance(result, EcertError):
        raise below(result, "draft")
    return answer(result.to_json(), 201)


@plain.get(
    "/certificates/{identifier}",
    response_model=CertificateShape,
    responses={
        200: {"content": {CREDENTIAL: _TEXT, **_PDF["content"]}},
        **problems(400, 401, 403, 404, 406, 429, 503),
    },
    openapi_extra=_GROUNDED,
)
async def fetch(request: Request) -> Response:
    """Fetch a certificate as JSON, as its signed credential (SD-JWT VC), or as its signed PDF."""
    service, by = service_of(request), await reading_actor(request, _READ_SCOPE)
    identifier = request.path_params["identifier"]
    kind = choose(request.headers.get("accept", ""), (JSON, CREDENTIAL, PDF))
    registry = service.registry
    if kind == PDF:
        made = await service.make(registry.documents.get, identifier, by=by, publishes=False)
        return document(made, identifier)
    record = await service.read(registry.certificates.get, identifier, by=by)
    if kind == CREDENTIAL:
        return private(record.credential, CREDENTIAL)
    return private(record.to_json_bytes(), JSON)


@finding.post(  # a router of its own: before {identifier}, which would take its address
    "/certificates/search",
    response_model=CertificateListing,
    responses=problems(400, 401, 403, 413, 415, 429, 503),
    dependencies=JSON_ONLY,
    openapi_extra=needing(Certificates.find),
)
async def search(
    body: SearchBody, request: Request, caller: CallerDep, service: ServiceDep
) -> Response:
    """Find certificates by holder, project, type, number or status."""
    by = caller.actor(
        operator=check_text("operator", body.operator),
        purpose=check_text("purpose", body.purpose),
        matter=check_text("matter", body.matter),
    )
    by = await vouched(request, by, body.operator_token)
    query = Query(body.holder_code, body.project_code, body.type, body.number, body.status)
    after = None if body.cursor is None else int(body.cursor)
    find = service.registry.certificates.find
    found = await service.read(find, query, by=by, after=after, limit=body.limit)
    cursor = None if found.after is None else str(found.after)
    return page([record.to_json() for record in found.records], cursor)


@plain.get(
    "/certificates/{identifier}/receipt",
    response_class=Response,
    responses={200: {"content": {TEXT: _TEXT}}, **_READ},
    openapi_extra=_GROUNDED,
)
async def receipt(request: Request) -> Response:
    """Give the proof that the certificate is in the log (C2SP tlog-proof); 503 until published."""
    service, by = service_of(request), await reading_actor(request, scope_of(Certificates.receipt))
    identifier, prove = request.path_params["identifier"], service.registry.certificates.receipt
    found = await service.read(prove, identifier, by=by, publishes=False)
    return private(str(found), TEXT)


@plain.get(
    "/certificates/{identifier}/history",
    response_model=HistoryShape,
    responses=_READ,
    openapi_extra=_GROUNDED,
)
async def history(request: Request) -> Response:
    """List what was done to the certificate since its issue, each a signed statement."""
    service, by = service_of(request), await reading_actor(request, scope_of(Certificates.history))
    identifier = request.path_params["identifier"]
    events = await service.read(service.registry.certificates.history, identifier, by=by)
    return page([event.to_json() for event in events], None)


@plain.get(
    "/certificates/{identifier}/evidence",
    response_class=Response,
    responses={200: {"content": {ZIP: _BINARY}}, **_READ},
    openapi_extra=_GROUNDED,
)
async def evidence(request: Request) -> Response:
    """Give everything that proves the certificate, as one ZIP that verifies offline."""
    service, by = service_of(request), await reading_actor(request, scope_of(Evidence.pack))
    identifier, pack = request.path_params["identifier"], service.registry.evidence.pack
    return private(await service.read(pack, identifier, by=by, publishes=False), ZIP)


@router.post(
    "/certificates/{identifier}/operations",
    response_model=CertificateShape,
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
    dependencies=JSON_ONLY,
    openapi_extra=needing(Certificates.operate),
)
async def operate(
    identifier: str,
    body: OperationBody,
    request: Request,
    caller: CallerDep,
    service: ServiceDep,
) -> Response:
    """Suspend, resume, cancel, withdraw, revoke; or change, renew, replace with a new draft."""
    by = caller.actor(operator=check_text("operator", body.operator), purpose="operate")
    by = await vouched(request, by, body.operator_token)
    basis = Basis(body.reason, body.basis, by.operator)
    operation, act = Operation(body.operation), service.registry.certificates.operate
    try:
        record = await service.write(
            act, identifier, operation, basis=basis, by=by, draft=body.draft
        )
    except EcertError as error:
        raise below(error, "draft") from error
    return answer(record.to_json())


@router.post(
    "/certificates/{identifier}/copies",
    status_code=201,
    response_class=Response,
    responses={201: _PDF, **problems(400, 401, 403, 404, 409, 413, 415, 429, 503)},
    dependencies=JSON_ONLY,
    openapi_extra=needing(
        Documents.copy, parameters=[one | {"required": False} for one in grounds()[1:]]
    ),
)
async def copy(
    identifier: str, body: CopyBody, request: Request, caller: CallerDep, service: ServiceDep
) -> Response:
    """Make an annotated copy 加注件: a PDF for one recipient and purpose, worthless after a day."""
    by = caller.actor(
        operator=check_text("operator", body.operator or ground_of(request, "Operator")),
        purpose=body.purpose,
        matter=check_text("matter", body.matter or ground_of(request, "Matter")),
    )
    by = await vouched(request, by, body.operator_token)
    wish = CopyWish(body.recipient, body.purpose, body.until)
    made = await service.write_apart(service.registry.documents.copy, identifier, wish, by=by)
    return document(made, identifier, status=201)
