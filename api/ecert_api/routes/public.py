"""Public routes, cacheable and without account: types, keys, trust, status, verification."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from ecert.errors import NotFound
from ecert.registry import SCOPES, TTL
from ecert.verification import MAX_EXHIBIT_BYTES, parse_moment
from ecert_api.answers import OPEN, private, public
from ecert_api.bodies.public import (
    AuthorizationServerShape,
    IssuerMetadataShape,
    JwksShape,
    ListedTypes,
    TrustShape,
    TypeMetadataShape,
)
from ecert_api.bodies.verification import ReportShape
from ecert_api.context import ServiceDep
from ecert_api.openapi import problems, text_answer

router = APIRouter(tags=["public"])
PRESENTED = {
    "application/dc+sd-jwt": {"type": "string"},
    "text/plain": {"type": "string"},
    "image/png": {"type": "string", "format": "binary"},
    "image/jpeg": {"type": "string", "format": "binary"},
    "application/zip": {"type": "string", "format": "binary"},
    "application/pdf": {"type": "string", "format": "binary"},
}
MAX_VERIFY_BYTES = MAX_EXHIBIT_BYTES
_Slug = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]*$", max_length=64)]
_Number = Annotated[int, Path(ge=0, le=2**31 - 1)]
_Part = Annotated[int, Path(ge=0, le=15)]


@router.get("/types", response_model=ListedTypes)
async def types(service: ServiceDep) -> Response:
    """List the certificate types."""
    base = service.registry.base
    items = [
        {
            "slug": kind.slug,
            "version": kind.version,
            "state": kind.state,
            "name": dict(kind.name),
            "code": kind.code(service.registry.charter.defining_body),
            "vct": kind.vct(base),
            "rests_on": sorted(kind.may_rest_on),
        }
        for kind in service.registry.catalogue
    ]
    return public({"items": items, "next": None}, seconds=300)


@router.get(
    "/types/{slug}/v{version}", response_model=TypeMetadataShape, responses=problems(400, 404)
)
async def type_metadata(
    request: Request,
    slug: _Slug,
    version: Annotated[int, Path(ge=1, le=9999)],
    service: ServiceDep,
) -> Response:
    """Give the Type Metadata of one version: what ``vct`` points to, and never changes."""
    if not request.url.path.endswith(f"/v{version}"):  # v01 and v1.0 are other addresses
        raise NotFound("there is no such type or version")
    found = await service.look(service.registry.types.metadata, slug, version)
    if found is None:
        raise NotFound("there is no such type or version")
    data, is_fixed = found
    kept = "public, max-age=86400, immutable" if is_fixed else "no-cache"
    return Response(data, 200, {**OPEN, "Cache-Control": kept}, "application/json")


@router.get("/.well-known/jwks.json", response_model=JwksShape)
async def jwks(service: ServiceDep) -> Response:
    """Give all public signing keys, each with its agency, role and certificate."""
    return public(service.registry.keys.jwks(), seconds=300)


@router.get(
    "/.well-known/jwt-vc-issuer/agencies/{code}",
    response_model=IssuerMetadataShape,
    responses=problems(400, 404),
)
async def issuer(
    code: Annotated[str, Path(pattern=r"^[0-9A-Z]{18}$")], service: ServiceDep
) -> Response:
    """Give one agency's keys (SD-JWT VC issuer metadata)."""
    registry = service.registry
    await service.look(registry.agencies.get, code)
    shown = {"issuer": registry.charter.agency_address(code), "jwks": registry.keys.jwks(code)}
    return public(shown, seconds=300)


@router.get("/.well-known/oauth-authorization-server", response_model=AuthorizationServerShape)
async def authorization_server(service: ServiceDep) -> Response:
    """Describe the token endpoint (RFC 8414)."""
    base = service.registry.base
    shown = {
        "issuer": base,
        "token_endpoint": f"{base}/oauth/token",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA"],
        "scopes_supported": sorted(SCOPES),
    }
    return public(shown, seconds=300)


@router.get("/trust.json", response_model=TrustShape)
async def trust(service: ServiceDep) -> Response:
    """Give the trust file. Whoever fetches it here trusts this connection; better out of band."""
    found = await service.look(service.registry.trust)
    return public(found.to_json(), seconds=300)


@router.get(
    "/status/{number}",
    response_class=Response,
    responses={
        **text_answer("application/statuslist+jwt", "A Status List Token."),
        **problems(400, 404, 503),
    },
)
async def status_list(number: _Number, service: ServiceDep) -> Response:
    """Give a signed status list (Token Status List)."""
    return await _status(service, number, None, "application/statuslist+jwt")


@router.get(
    "/status/{number}/details/{part}",
    response_class=Response,
    responses={**text_answer("application/jwt", "A details token."), **problems(400, 404, 503)},
)
async def status_details(number: _Number, part: _Part, service: ServiceDep) -> Response:
    """Give what changed in a sixteenth of a list, since when, the successors, and what fell below."""
    return await _status(service, number, part, "application/jwt")


async def _status(service: ServiceDep, number: int, part: int | None, media: str) -> Response:
    token = await service.look(lambda: service.registry.status.token(number, part=part))
    headers = {**OPEN, "Cache-Control": f"public, max-age={TTL}"}
    return Response(token, 200, headers, media)


@router.post(
    "/verify",
    response_model=ReportShape,
    responses=problems(400, 413, 415, 429, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": schema} for kind, schema in PRESENTED.items()},
        }
    },
)
async def verify(
    request: Request,
    service: ServiceDep,
    at: Annotated[
        str | None,
        Query(
            description="An instant (RFC 3339), or a date: the end of that day in Asia/Shanghai.",
            max_length=40,
            pattern=r"^\d{4}-\d{2}-\d{2}([Tt ].+)?$",
            examples=["2026-03-01"],
        ),
    ] = None,
) -> Response:
    """Verify whatever is presented; 200 for every verdict. Nothing is stored."""
    service.verifying.check(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in PRESENTED:
        raise HTTPException(415, f"send one of: {', '.join(PRESENTED)}")
    moment = None if at is None else parse_moment(at)
    with service.admitted():
        data = await request.body()
        verifier = await service.look(service.verifier)
        report = await service.verify(verifier, data, moment)
    return private(orjson.dumps(report.to_json()), "application/json")
