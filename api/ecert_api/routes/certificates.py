"""Departments' routes under ``/v1``: issue, fetch, search, operate."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from ecert.errors import EcertError, StillRunning
from ecert.issuance import Idempotency
from ecert.model import Actor, Basis, Operation, Record
from ecert.registry import CopyWish, IssueRequest
from ecert.registry import Query as Search
from ecert.store import DocumentRow
from ecert_api.accept import choose
from ecert_api.deps import (
    CallerDep,
    ServiceDep,
    check_text,
    ground_of,
    idempotency_of,
    reading_actor,
    require,
    require_json,
    require_reading,
    service_of,
)
from ecert_api.documents import grounds, idempotency_key, identifier_path, problems
from ecert_api.messages import (
    AuditPage,
    CertificatePage,
    CertificateShape,
    CopyBody,
    HistoryShape,
    IssueBody,
    IssuedShape,
    OperationBody,
    SearchBody,
)
from ecert_api.problems import below
from ecert_api.strict import PlainRoute, StrictRoute

JSON, CREDENTIAL, RECEIPT = "application/json", "application/dc+sd-jwt", "text/plain"
PDF = "application/pdf"
_PDF = {"content": {PDF: {"schema": {"type": "string", "format": "binary"}}}}
finding = APIRouter(prefix="/v1", tags=["certificates"], route_class=StrictRoute)
router = APIRouter(prefix="/v1", tags=["certificates"], route_class=StrictRoute)
plain = APIRouter(prefix="/v1", tags=["certificates"], route_class=PlainRoute)
_READ = problems(400, 401, 403, 404, 503)
_READING: dict[str, Any] = {"parameters": [identifier_path(), *grounds()]}


def answer(value: Any, status: int = 200) -> Response:
    """Write JSON that nobody may cache: it was read for one purpose."""
    return Response(orjson.dumps(value), status, {"Cache-Control": "no-store"}, JSON)


def document(made: DocumentRow, record: Record, status: int = 200) -> Response:
    """Hand out a signed PDF, named by the certificate's serial: a number may hold what a file may not."""
    name = record.id.split(".")[7]
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{name}.pdf"',
        "X-PAdES-Level": made.level,
    }
    return Response(made.data, status, headers, PDF)


@router.post(
    "/certificates",
    status_code=201,
    response_model=IssuedShape,
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
    dependencies=[Depends(require_json)],
    openapi_extra={"parameters": [idempotency_key()]},
)
async def issue(
    body: IssueBody,
    caller: CallerDep,
    service: ServiceDep,
    key: Annotated[Idempotency, Depends(idempotency_of)],
) -> Response:
    """Issue a certificate 签发. The same Idempotency-Key and body give the same answer again."""
    require(caller, "certificates:issue")
    by = caller.actor(operator=f"client {caller.client[:12]}", purpose="issue", matter="")
    request = IssueRequest(body.type, body.draft, by, body.agency, key)
    running = (key.client, key.key_digest)
    if running in service.running:
        raise StillRunning("the same request is being worked on; ask again")
    service.running.add(running)
    try:
        result = await service.issues.put(request)
    finally:
        service.running.discard(running)
    if isinstance(result, EcertError):
        raise below(result, "draft")
    return answer(result.to_json(), 201)


@plain.get(
    "/certificates/{identifier}",
    response_model=CertificateShape,
    responses={
        200: {"content": {CREDENTIAL: {"schema": {"type": "string"}}, **_PDF["content"]}},
        **problems(400, 401, 403, 404, 406, 503),
    },
    openapi_extra=_READING,
)
async def fetch(request: Request) -> Response:
    """Fetch a certificate as JSON, as its signed credential (SD-JWT VC), or as its signed PDF."""
    service, by = service_of(request), await reading_actor(request)
    kind = choose(request.headers.get("accept", ""), (JSON, CREDENTIAL, PDF))
    action = "document" if kind == PDF else "read"
    record = await service.look_up(request.path_params["identifier"], by, action)
    if kind == PDF:
        made = await service.make(lambda: service.registry.document_of(record, publishes=False))
        return document(made, record)
    if kind == CREDENTIAL:
        headers = {"Cache-Control": "no-store"}
        return Response(record.credential, 200, headers, CREDENTIAL)
    return Response(record.to_json_bytes(), 200, {"Cache-Control": "no-store"}, JSON)


@finding.post(  # a router of its own: before {identifier}, which would take its address
    "/certificates/search",
    response_model=CertificatePage,
    responses=problems(400, 401, 403, 413, 415, 503),
    dependencies=[Depends(require_json)],
)
async def search(body: SearchBody, caller: CallerDep, service: ServiceDep) -> Response:
    """Find certificates by holder, project, type, number or status."""
    require_reading(caller)
    by = _reader(body, caller)
    query = Search(body.holder_code, body.project_code, body.type, body.number, body.status)
    after = None if body.cursor is None else int(body.cursor)
    page, entries = await service.read(
        lambda: service.registry.search(query, by, after=after, limit=body.limit)
    )
    await service.record(entries)
    cursor = None if page.after is None else str(page.after)
    return answer({"items": [record.to_json() for record in page.records], "next": cursor})


def _reader(body: SearchBody, caller: CallerDep) -> Actor:
    return caller.actor(
        operator=check_text("operator", body.operator),
        purpose=check_text("purpose", body.purpose),
        matter=check_text("matter", body.matter),
    )


@plain.get(
    "/certificates/{identifier}/receipt",
    response_class=Response,
    responses={200: {"content": {RECEIPT: {"schema": {"type": "string"}}}}, **_READ},
    openapi_extra=_READING,
)
async def receipt(request: Request) -> Response:
    """Give the proof that the certificate is in the log (C2SP tlog-proof); 503 until published."""
    service, by = service_of(request), await reading_actor(request)
    record = await service.look_up(request.path_params["identifier"], by, "receipt")
    found = await service.read(
        lambda: service.registry.receipt_at(record.log_index, publishes=False)
    )
    return Response(str(found), 200, {"Cache-Control": "no-store"}, RECEIPT)


@plain.get(
    "/certificates/{identifier}/history",
    response_model=HistoryShape,
    responses=_READ,
    openapi_extra=_READING,
)
async def history(request: Request) -> Response:
    """List what was done to the certificate since its issue, each a signed statement."""
    service, by = service_of(request), await reading_actor(request)
    record = await service.look_up(request.path_params["identifier"], by, "history")
    events = await service.read(service.registry.events, record.id)
    return answer({"items": [event.to_json() for event in events], "next": None})


@plain.get(
    "/certificates/{identifier}/evidence",
    response_class=Response,
    responses={
        200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
        **_READ,
    },
    openapi_extra=_READING,
)
async def evidence(request: Request) -> Response:
    """Give everything that proves the certificate, as one ZIP that verifies offline."""
    service, by = service_of(request), await reading_actor(request)
    record = await service.look_up(request.path_params["identifier"], by, "evidence")
    data = await service.read(lambda: service.registry.bundle(record, publishes=False))
    return Response(data, 200, {"Cache-Control": "no-store"}, "application/zip")


@router.post(
    "/certificates/{identifier}/operations",
    response_model=CertificateShape,
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
    dependencies=[Depends(require_json)],
)
async def operate(
    identifier: str, body: OperationBody, caller: CallerDep, service: ServiceDep
) -> Response:
    """Suspend, resume, cancel, withdraw, revoke; or change, renew, replace with a new draft."""
    require(caller, "certificates:operate")
    by = caller.actor(operator=check_text("operator", body.operator), purpose="operate", matter="")
    basis = Basis(body.reason, body.basis, by.operator)
    try:
        record = await service.write(
            lambda: service.registry.operate(
                identifier, Operation(body.operation), basis=basis, by=by, draft=body.draft
            )
        )
    except EcertError as error:
        raise below(error, "draft") from error
    return answer(record.to_json())


@router.post(
    "/certificates/{identifier}/copies",
    status_code=201,
    response_class=Response,
    responses={201: _PDF, **problems(400, 401, 403, 404, 409, 413, 415, 503)},
    dependencies=[Depends(require_json)],
    openapi_extra={"parameters": [one | {"required": False} for one in grounds()[1:]]},
)
async def copy(
    identifier: str, body: CopyBody, request: Request, caller: CallerDep, service: ServiceDep
) -> Response:
    """Make an annotated copy 加注件: a PDF for one recipient and purpose, worthless after a day."""
    require_reading(caller)
    by = caller.actor(
        operator=check_text("operator", body.operator or ground_of(request, "Operator")),
        purpose=body.purpose,
        matter=check_text("matter", body.matter or ground_of(request, "Matter")),
    )
    wish = CopyWish(body.recipient, body.purpose, body.until)
    row, record = await service.write(lambda: service.registry.lend(identifier, wish, by=by))
    await service.publish()
    made = await service.make(lambda: service.registry.copy_of(row, record, by=by))
    return document(made, record, status=201)


@router.get(
    "/audit", response_model=AuditPage, responses=problems(400, 401, 403, 503), tags=["supervision"]
)
async def audit(
    caller: CallerDep,
    service: ServiceDep,
    after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List the audit trail for supervisors 电子监察, oldest first."""
    require(caller, "audit:read")
    rows = await service.read(lambda: service.registry.audit_rows(after=after, limit=limit))
    cursor = str(rows[-1]["index"]) if len(rows) == limit else None
    return answer({"items": rows, "next": cursor})
