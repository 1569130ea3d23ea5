"""What happened since 变动通知: the feed of changes, and objections 异议 with their answers."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from ecert.audit import AuditEntry
from ecert.errors import EcertError, InputError
from ecert.model import Basis
from ecert.reuse.objection import Complaint, objection_json
from ecert_api.deps import (
    CallerDep,
    Service,
    ServiceDep,
    check_text,
    require,
    require_json,
    require_reading,
)
from ecert_api.documents import identifier_path, problems
from ecert_api.problems import below
from ecert_api.reuse_messages import (
    AnswerBody,
    ChangePage,
    ObjectionBody,
    ObjectionShape,
    Page,
)
from ecert_api.routes.certificates import answer
from ecert_api.routes.matters import quiet
from ecert_api.strict import StrictRoute

MAX_WAIT = 30
_POLL_SECONDS = 0.5
router = APIRouter(prefix="/v1", tags=["changes"], route_class=StrictRoute)


@router.get("/changes", response_model=ChangePage, responses=problems(400, 401, 403, 429, 503))
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
    require_reading(caller)
    found, cursor = await _awaited(service, caller.client, after, limit, wait)
    if found:
        told = {"changes": [one["index"] for one in found]}
        await service.record([AuditEntry("changes", quiet(caller, "changes"), details=told)])
    following = str(cursor) if found else None
    return answer({"items": found, "next": following, "cursor": str(cursor)})


async def _awaited(
    service: Service, client: str, after: int, limit: int, wait: int
) -> tuple[list[dict[str, Any]], int]:
    """Ask until there is something, or the caller has waited long enough."""
    end = time.monotonic() + wait
    while True:
        since = after
        found, after = await service.read(
            lambda since=since: service.registry.reuse.changes_since(
                client, after=since, limit=limit
            )
        )
        if found or time.monotonic() >= end:
            return found, after
        await asyncio.sleep(_POLL_SECONDS)


@router.post(
    "/certificates/{identifier}/objections",
    status_code=201,
    response_model=ObjectionShape,
    responses=problems(400, 401, 403, 404, 413, 415, 503),
    dependencies=[Depends(require_json)],
    openapi_extra={"parameters": [identifier_path()]},
)
async def object_(
    identifier: str, body: ObjectionBody, caller: CallerDep, service: ServiceDep
) -> Response:
    """Report an error in a certificate that one was given 异议; its issuer answers."""
    require_reading(caller)
    named = body.operator or f"client {caller.client[:12]}"
    by = caller.actor(operator=named, purpose="objection", matter="")
    complaint = Complaint(identifier, body.field, body.words)
    row = await service.write(lambda: service.registry.reuse.object(complaint, by=by))
    return answer(objection_json(row), 201)


@router.get("/objections", response_model=Page, responses=problems(400, 401, 403, 503))
async def objections(
    caller: CallerDep,
    service: ServiceDep,
    state: Annotated[Literal["open", "corrected", "rejected"] | None, Query()] = None,
    after: Annotated[str, Query(pattern=r"^[0-9A-Z]{0,26}$")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> Response:
    """List the objections that the caller's agency has to answer, or raised."""
    require_reading(caller)
    by = quiet(caller, "objections")
    rows = await service.read(
        lambda: service.registry.reuse.objections(by=by, state=state, after=after, limit=limit)
    )
    cursor = rows[-1].id if len(rows) == limit else None
    return answer({"items": [objection_json(row) for row in rows], "next": cursor})


@router.post(
    "/objections/{objection_id}/answer",
    response_model=ObjectionShape,
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
    dependencies=[Depends(require_json)],
)
async def answer_objection(
    objection_id: str, body: AnswerBody, caller: CallerDep, service: ServiceDep
) -> Response:
    """Answer an objection to one's own certificate: correct it (with a draft), or say why not."""
    require(caller, "certificates:operate")
    operator = check_text("operator", body.operator)
    by = caller.actor(operator=operator, purpose="objection", matter="")
    if body.draft is not None and (body.basis is None or body.corrected):
        raise InputError("a correction needs a basis, and is made once")
    basis = Basis(body.answer[:500], body.basis or "", operator)
    try:
        row = await service.write(
            lambda: service.registry.answer_objection(
                objection_id,
                by=by,
                answer=body.answer,
                basis=basis,
                draft=body.draft,
                is_corrected=body.corrected,
            )
        )
    except EcertError as error:
        raise below(error, "draft") from error
    return answer(objection_json(row))
