"""Tokens for departments' systems: client credentials with ``private_key_jwt``."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter, Request, Response

from ecert.registry import ASSERTION_TYPE, INVALID_CLIENT, TokenRefused
from ecert_api.bodies.tokens import TokenShape
from ecert_api.context import ServiceDep
from ecert_api.openapi import problems
from ecert_api.problems import MEDIA_TYPE, problem

FORM = "application/x-www-form-urlencoded"
MAX_FORM_FIELDS = 20
router = APIRouter(tags=["tokens"])
_FORM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "grant_type": {"type": "string", "enum": ["client_credentials"]},
        "client_assertion_type": {"type": "string", "enum": [ASSERTION_TYPE]},
        "client_assertion": {"type": "string", "minLength": 1},
        "scope": {"type": "string"},
    },
    "required": ["grant_type", "client_assertion_type", "client_assertion"],
}


@router.post(
    "/oauth/token",
    response_model=TokenShape,
    responses=problems(400, 401, 413, 415, 503),
    openapi_extra={"requestBody": {"required": True, "content": {FORM: {"schema": _FORM_SCHEMA}}}},
)
async def token(request: Request, service: ServiceDep) -> Response:
    """Give an access token of five minutes for a signed client assertion (RFC 7523, RFC 9068).

    With a `DPoP` header the token is bound to the key of that proof (RFC 9449).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        return problem(415, "media_type_unsupported", "Media type unsupported", f"send {FORM}")
    try:
        form = _parse_form(await request.body())
        proofs = request.headers.getlist("dpop")
        address = request.client.host if request.client else ""
        granted = await service.write(service.registry.tokens.grant, form, proofs, address)
    except TokenRefused as error:
        return _refusal(error)
    return Response(orjson.dumps(granted), 200, {"Cache-Control": "no-store"}, "application/json")


def _parse_form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS
        )
    except ValueError as error:
        raise TokenRefused("invalid_request", "the form is malformed") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise TokenRefused("invalid_request", "a parameter stands twice")
    return form


def _refusal(error: TokenRefused) -> Response:
    """Answer as a problem document that also has the members of RFC 6749 §5.2."""
    status = 401 if error.error == INVALID_CLIENT else 400
    answer = problem(status, error.code, "No token", error.description)
    body = orjson.loads(answer.body)
    body |= {"error": error.error, "error_description": error.description}
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)
