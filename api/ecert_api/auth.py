"""Who calls, and on what grounds: bearer tokens and ID tokens become actors and holders."""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from ecert.errors import AddressNotAllowed, IdTokenRefused, InputError, SignInAgain
from ecert.model import Actor, is_line
from ecert.registry import (
    Caller,
    Idempotency,
    ProofError,
    SignedIn,
    TokenExpired,
    is_allowed_from,
    refusal,
)
from ecert_api.context import service_of
from ecert_api.problems import Unauthorised, unauthorised

MAX_TEXT = 200
_CALLER = "ecert.caller"
_PERCENT_ENCODED = re.compile(  # what a query may hold, RFC 3986 §3.4
    r"([A-Za-z0-9_.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})+", re.ASCII
)


# -- departments' systems --------------------------------------------------------------------------


async def caller_of(request: Request) -> Caller:
    """Find who calls, by the access token; looked at once a request, for a proof serves once.

    Raises: 401, AddressNotAllowed.
    """
    found: Caller | None = request.scope.get(_CALLER)
    if found is None:
        found = request.scope[_CALLER] = await _authenticated(request)
    return found


async def admit(request: Request, scope: str) -> Caller:
    """Let a call in that has a scope, before anything of its body is read.

    Raises: 401, AddressNotAllowed, Forbidden; each refusal of a known client is in the trail.
    """
    caller = await caller_of(request)
    forbidden = refusal(caller.by, scope)
    if forbidden is not None:
        await service_of(request).note_refusal(caller, request, forbidden.code)
        raise forbidden
    return caller


async def _authenticated(request: Request) -> Caller:
    scheme, _, token = _header(request, b"authorization").partition(" ")
    kind, token = scheme.lower(), token.strip()
    if kind not in {"bearer", "dpop"} or not token:
        raise unauthorised("an access token is required")
    service = service_of(request)
    try:
        caller = service.registry.tokens.check(token)
    except TokenExpired as expired:
        await service.note_refusal(expired.caller, request, "token_expired")
        raise unauthorised("the token has expired", "token_expired") from None
    if caller is None:
        raise unauthorised("the token is not valid, or no longer")
    try:
        caller = await _check_bounds(request, caller, kind, token)
    except (Unauthorised, AddressNotAllowed) as error:
        await service.note_refusal(caller, request, error.code)
        raise
    return caller


async def _check_bounds(request: Request, caller: Caller, kind: str, token: str) -> Caller:
    """Check that the client is active, where it calls from, and that the token is its own.

    Gives the caller with the scopes that its client still has: a token never outlives them.
    """
    directory = service_of(request).registry.clients.directory
    row = directory.find(caller.client)
    if row is None or row.state != "active":
        raise unauthorised("the client is no longer active")
    if row.addresses and not is_allowed_from(row, request.client.host if request.client else ""):
        raise AddressNotAllowed("the client may not call from this address")
    if kind == "dpop" or caller.jkt is not None or directory.requires_dpop(caller.agency):
        await _check_possession(request, caller, kind, token)
    return caller.within(row.allowed)


async def _check_possession(request: Request, caller: Caller, kind: str, token: str) -> None:
    """Demand proof of the key that a token is bound to (RFC 9449 §7.1). Raises: 401."""
    challenge = 'DPoP algs="ES256 EdDSA"'
    if caller.jkt is None or kind != "dpop":
        detail = "this token is sent as DPoP, with a proof, or has to be bound to a key first"
        raise Unauthorised(detail, "dpop_required", challenge)
    try:
        jkt = await _proved_key(request, token)
    except ProofError as error:
        challenge += ', error="invalid_dpop_proof"'
        raise Unauthorised(str(error), error.code, challenge) from None
    if not hmac.compare_digest(jkt, caller.jkt):
        detail = "the DPoP proof is by another key than the token's"
        raise Unauthorised(detail, "invalid_dpop_proof", challenge)


async def _proved_key(request: Request, token: str) -> str:
    """Check the one DPoP proof of a call; give its key's thumbprint. Raises: ProofError."""
    proofs = [value for name, value in request.scope["headers"] if name == b"dpop"]
    if len(proofs) != 1:
        raise ProofError("exactly one DPoP proof belongs to a call")
    service = service_of(request)
    proof, address = str(proofs[0], "latin-1"), f"{service.registry.base}{request.url.path}"
    check = service.registry.tokens.proofs.check
    return await service.write(check, proof, request.method, address, token)


# -- holders ---------------------------------------------------------------------------------------


async def holder_of(request: Request) -> SignedIn:
    """Find which holder calls, by an ID token of a provider that is believed. Raises: 401."""
    scheme, _, token = _header(request, b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorised("the holder's ID token is required")
    service = service_of(request)
    try:
        return await service.look(service.registry.holders.sign_in, token.strip())
    except IdTokenRefused as error:
        raise unauthorised(error.message, error.code) from None


# -- on what grounds -------------------------------------------------------------------------------


def check_text(name: str, value: str) -> str:
    """Check a purpose, matter or operator: one line of 1 to 200 characters. Raises: InputError."""
    if not is_line(value, MAX_TEXT):
        raise InputError(f"{name} is required: one line of at most {MAX_TEXT} characters")
    return value


def ground_of(request: Request, name: str) -> str:
    """Read purpose, matter or operator from its header, percent-encoded UTF-8.

    Raises: InputError when it is missing.
    """
    return _ground(f"X-{name}", _header(request, f"x-{name.lower()}".encode()))


def _header(request: Request, name: bytes) -> str:
    """Read one header, lower case, from what arrived: the framework's view costs more than ours."""
    for found, value in request.scope["headers"]:
        if found == name:
            return str(value, "latin-1")
    return ""


@lru_cache(maxsize=4096)  # a department's system says the same again and again
def _ground(name: str, encoded: str) -> str:
    if not _PERCENT_ENCODED.fullmatch(encoded):
        raise InputError(f"{name} is required, percent-encoded")
    try:
        return check_text(name, unquote(encoded, errors="strict"))
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not percent-encoded UTF-8") from error


async def reading_actor(request: Request, scope: str) -> Actor:
    """Find who reads and on what grounds. Raises: 401, Forbidden, InputError."""
    caller = await admit(request, scope)
    purpose, matter, operator = (
        ground_of(request, name) for name in ("Purpose", "Matter", "Operator")
    )
    return await vouched(request, caller.actor(operator=operator, purpose=purpose, matter=matter))


async def vouched(request: Request, by: Actor, id_token: str | None = None) -> Actor:
    """Let an identity provider vouch for the clerk, where the client hands his ID token in.

    ``id_token`` is the body's; else the header ``X-Operator-Token`` counts. Raises: IdTokenRefused.
    """
    given = id_token or _header(request, b"x-operator-token")
    if not given:
        return by
    service = service_of(request)
    return await service.write(service.registry.holders.clerk, by, given)


async def idempotency_of(request: Request) -> Idempotency:
    """Read the Idempotency-Key; kept as digests only. Raises: InputError without one."""
    key = request.headers.get("Idempotency-Key", "")
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise InputError("an Idempotency-Key of 1 to 255 characters is required")
    body = await request.body()
    return Idempotency(
        client=(await caller_of(request)).client,
        route="POST /v1/certificates",
        key_digest=hashlib.sha256(key.encode()).digest(),
        body_digest=hashlib.sha256(body).digest(),
    )


async def require_json(request: Request) -> None:
    """Demand a JSON body. Raises: 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "send application/json")


CallerDep = Annotated[Caller, Depends(caller_of)]


async def fresh_holder_of(request: Request) -> SignedIn:
    """Find which holder calls, who signed in just now: for his own certificates. Raises: 401."""
    holder, service = await holder_of(request), service_of(request)
    try:
        service.registry.own.require_fresh(holder)
    except SignInAgain as error:
        raise unauthorised(error.message, error.code) from None
    return holder


HolderDep = Annotated[SignedIn, Depends(holder_of)]
FreshHolderDep = Annotated[SignedIn, Depends(fresh_holder_of)]
JSON_ONLY = [Depends(require_json)]
