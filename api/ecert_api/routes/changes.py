"""What happened since 变动通知: the feed of changes, and objections 异议 with their answers."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from ecert.errors import EcertError, InputError
from ecert.model import Actor, Basis
from ecert.registry import Complaint, objection_json
from ecert.registry.changes import Changes
from ecert.registry.objections import Objections
from ecert_api.answers import answer, page
from ecert_api.auth import JSON_ONLY, CallerDep, check_text, vouched
from ecert_api.bodies.changes import ChangeListing
from ecert_api.bodies.objections import AnswerBody, ObjectionBody, ObjectionListing, ObjectionShape
from ecert_api.context import Service, ServiceDep
from ecert_api.openapi import identifier_path, needing, problems
from ecert_api.problems import below
from ecert_api.strict import StrictRoute

MAX_WAIT = 30
_POLL_SECONDS = 0.5
router = APIRouter(prefix="/v1", tags=["changes"], route_class=StrictRoute)


@router.get(
    "/changes",
    response_model=ChangeListing,
    responses=problems(400, 401, 403, 429, 503),
    openapi_extra=needing(Changes.since),
)
async def changes(
    caller: CallerDep,
    service: ServiceDep,
    after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    wait: Annotated[int, Query(ge=0, le=MAX_WAIT)] = 0,
) -> Response:
    """List what was done since to certificates this client was given; `wait` holds the call open.

    The cursor is the log's index: ask again with `next` as `after` while there is one; then keep
    `cursor` for the next time, and nothing is missed however long one is away.
    """
    by = caller.actor(purpose="changes")
    found, cursor = await _awaited(service, by, after, limit, wait)
    following = str(cursor) if found else None
    return answer({"items": found, "next": following, "cursor": str(cursor)})


async def _awaited(
    service: Service, by: Actor, after: int, limit: int, wait: int
) -> tuple[list[dict[str, Any]], int]:
    """Ask until there is something, or the caller has waited long enough."""
    end, since = time.monotonic() + wait, service.registry.changes.since
    while True:
        found, after = await service.read(since, by=by, after=after, limit=limit)
        if found or time.monotonic() >= end:
            return found, after
        await asyncio.sleep(_POLL_SECONDS)


@router.post(
    "/certificates/{identifier}/objections",
    status_code=201,
    response_model=ObjectionShape,
    responses=problems(400, 401, 403, 404, 413, 415, 503),
    dependencies=JSON_ONLY,
    openapi_extra=needing(Objections.add),
)
async def object_(
    identifier: Annotated[str, identifier_path()],
    body: ObjectionBody,
    request: Request,
    caller: CallerDep,
    service: ServiceDep,
) -> Response:
    """Report an error in a certificate that one was given 异议; its issuer answers."""
    by = caller.actor(operator=body.operator or "", purpose="objection")
    by = await vouched(request, by, body.operator_token)
    complaint = Complaint(identifier, body.field, body.words)
    row = await service.write(service.registry.objections.add, complaint, by=by)
    return answer(objection_json(row), 201)


@router.get(
    "/objections",
    response_model=ObjectionListing,
    responses=problems(400, 401, 403, 503),
    openapi_extra=needing(Objections.all),
)
async def objections(
    caller: CallerDep,
    service: ServiceDep,
    state: Annotated[Literal["open", "corrected", "rejected"] | None, Query()] = None,
    after: Annotated[str, Query(pattern=r"^[0-9A-Z]{0,26}$")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> Response:
    """List the objections that the caller's agency has to answer, or raised."""
    by, listed = caller.actor(purpose="objections"), service.registry.objections.all
    rows = await service.read(listed, by=by, state=state, after=after, limit=limit)
    cursor = rows[-1].id if len(rows) == limit else None
    return page([objection_json(row) for row in rows], cursor)


@router.post(
    "/objections/{objection_id}/answer",
    response_model=ObjectionShape,
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
    dependencies=JSON_ONLY,
    openapi_extra=needing(Objections.answer),
)
async def answer_objection(
    objection_id: str,
    body: AnswerBody,
    request: Request,
    caller: CallerDep,
    service: ServiceDep,
) -> Response:
    """Answer an objection to one's own certificate: correct it (with a draft), or say why not."""
    operator = check_text("operator", body.operator)
    by = caller.actor(operator=operator, purpose="objection")
    by = await vouched(request, by, body.operator_token)
    if body.draft is not None and (body.basis is None or body.corrected):
        raise InputError("a correction needs a basis, and is made once")
    try:
        row = await service.write(
            service.registry.objections.answer,
            objection_id,
            by=by,
            answer=body.answer,
            basis=Basis(body.answer[:500], body.basis or "", operator),
            draft=body.draft,
            is_corrected=body.corrected,
        )
    except EcertError as error:
        raise below(error, "draft") from error
    return answer(objection_json(row))
