"""What routes ask for: the service, the caller, and on what grounds something is read."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from ecert.audit import AuditEntry
from ecert.errors import (
    AddressNotAllowed,
    EcertError,
    IdTokenRefused,
    InputError,
    NotFound,
)
from ecert.formats.id_token import SignedIn
from ecert.issuance import Idempotency, Issued
from ecert.model import Actor, Record, is_line
from ecert.registry import IssueRequest, Registry
from ecert.registry.clients import is_allowed_from
from ecert.verification import Report, Verifier
from ecert_api.auth import Caller, ProofError, TokenExpired, Tokens, check_proof
from ecert_api.batches import Batch
from ecert_api.limits import RateLimit
from ecert_api.problems import ScopeMissing, Unauthorised, unauthorised

MAX_TEXT = 200
MAX_BATCH = 128
MAX_CHECKING = 16  # verifications at once: each may hold a body of 32 MB
_CALLER = "ecert.caller"
T = TypeVar("T")
_PERCENT_ENCODED = re.compile(  # what a query may hold, RFC 3986 §3.4
    r"([A-Za-z0-9_.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})+", re.ASCII
)


class Service:
    """The running service: a registry, its tokens, and the batches that share commits."""

    def __init__(self, registry: Registry, *, verify_per_minute: int) -> None:
        self.registry = registry
        self.verifying = RateLimit(verify_per_minute)
        self.tokens = Tokens(registry)
        self.writer = ThreadPoolExecutor(1, "ecert-writer")
        self.checkers = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "ecert-checker")
        self.checking = 0
        self.issues: Batch[IssueRequest, Issued | EcertError] = Batch(
            registry.issue_many, self.writer, most=MAX_BATCH
        )
        self.audit: Batch[Sequence[AuditEntry], EcertError | None] = Batch(
            self._write_audit, self.writer, most=256, is_direct=self._may_write_at_once
        )
        self._writing = 0
        self.running: set[tuple[str, bytes]] = set()  # keyed requests in flight on this node
        self.fork: str | None = None  # why the log does not sign, if it does not
        self._verifier: Verifier | None = None
        self._is_local = registry.store.backend == "sqlite"

    def _may_write_at_once(self) -> bool:
        """Tell whether the event loop may commit itself: never while the writer holds the lock."""
        return self._is_local and not self._writing and not self.issues.is_running

    def _write_audit(self, calls: Sequence[Sequence[AuditEntry]]) -> list[EcertError | None]:
        return self.registry.write_reads(calls)

    async def record(self, entries: Sequence[AuditEntry]) -> None:
        """Make the audit rows of a call durable before anything leaves. Raises: QuotaExceeded."""
        refusal = await self.audit.put(entries)
        if refusal is not None:
            raise refusal

    async def note_refusal(self, caller: Caller, request: Request, code: str) -> None:
        """Put into the trail that a known client was refused before anything was looked at."""
        route = getattr(request.scope.get("route"), "path", "")  # the pattern, never what was sent
        purpose = f"{request.method} {route}".strip()
        by = caller.actor(operator=f"client {caller.client[:12]}", purpose=purpose, matter="")
        await self.record([AuditEntry("call", by, code)])

    async def read(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run a read: at once on SQLite, where a thread costs more than the query."""
        if self._is_local:
            return work(*arguments)
        return await asyncio.to_thread(work, *arguments)

    async def write(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run a write on the writer's thread."""
        loop = asyncio.get_running_loop()
        self._writing += 1
        try:
            return await loop.run_in_executor(self.writer, lambda: work(*arguments))
        finally:
            self._writing -= 1

    async def make(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run what takes a while and writes at the end, such as making a document."""
        self._writing += 1
        try:
            return await asyncio.to_thread(work, *arguments)
        finally:
            self._writing -= 1

    async def look_up(self, identifier: str, by: Actor, action: str) -> Record:
        """Find a certificate; its audit row is durable before this returns. Raises: NotFound."""
        record, entry = await self.read(self.registry.look_up, identifier, by, action)
        await self.record([entry])
        if record is None:
            raise NotFound("there is no such certificate")
        return record

    async def publish(self) -> str:
        """Publish a checkpoint. Raises: ForkGuard, StoreBusy."""
        note = await self.write(self.registry.publish)
        self.fork = None
        return note

    async def verify(self, verifier: Verifier, data: bytes, at: datetime | date | None) -> Report:
        """Verify what somebody presented, on threads of its own: the public waits for the public."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.checkers, lambda: verifier.verify(data, at=at))

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count a verification from before its body is read. Raises: 503 when too many are waiting."""
        if self.checking >= MAX_CHECKING:
            raise HTTPException(503, "too many verifications at once", {"Retry-After": "1"})
        self.checking += 1
        try:
            yield
        finally:
            self.checking -= 1

    def verifier(self) -> Verifier:
        """Give the verifier of ``POST /verify``; made afresh when keys or agencies changed."""
        trust = self.registry.trust()
        if self._verifier is None or self._verifier.trust != trust:
            self._verifier = Verifier(
                trust,
                status=self.registry.status,
                catalogue=self.registry.catalogue,
                clock=self.registry.clock,
            )
        return self._verifier


def service_of(request: Request) -> Service:
    """Find the running service."""
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101 - set when the application was made
    return service


async def caller_of(request: Request) -> Caller:
    """Find who calls, by the access token; looked at once a request, for a proof serves once.

    Raises: 401, AddressNotAllowed.
    """
    found: Caller | None = request.scope.get(_CALLER)
    if found is None:
        found = request.scope[_CALLER] = await _authenticated(request)
    return found


async def _authenticated(request: Request) -> Caller:
    scheme, _, token = _header(request, b"authorization").partition(" ")
    kind, token = scheme.lower(), token.strip()
    if kind not in {"bearer", "dpop"} or not token:
        raise unauthorised("an access token is required")
    service = service_of(request)
    try:
        caller = service.tokens.check(token)
    except TokenExpired as expired:
        await service.note_refusal(expired.caller, request, "token_expired")
        raise unauthorised("the token has expired", "token_expired") from None
    if caller is None:
        raise unauthorised("the token is not valid, or no longer")
    try:
        await _check_bounds(request, caller, kind, token)
    except (Unauthorised, AddressNotAllowed) as refusal:
        await service.note_refusal(caller, request, refusal.code)
        raise
    return caller


async def _check_bounds(request: Request, caller: Caller, kind: str, token: str) -> None:
    """Check that the client is active, where it calls from, and that the token is its own."""
    service = service_of(request)
    desk = service.registry.client_desk
    row = desk.find(caller.client)
    if row is None or row.state != "active":
        raise unauthorised("the client is no longer active")
    if row.addresses and not is_allowed_from(row, request.client.host if request.client else ""):
        raise AddressNotAllowed("the client may not call from this address")
    if kind == "dpop" or caller.jkt is not None or desk.requires_dpop(caller.agency):
        await _check_possession(request, caller, kind, token)


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
    return await service.write(check_proof, service.registry, proof, request.method, address, token)


async def holder_of(request: Request) -> SignedIn:
    """Find which holder calls, by an ID token of a provider that is believed. Raises: 401."""
    scheme, _, token = _header(request, b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorised("the holder's ID token is required")
    service = service_of(request)
    try:
        return await service.read(service.registry.reuse.sign_in, token.strip())
    except IdTokenRefused as error:
        raise unauthorised(error.message, error.code) from None


def require(caller: Caller, *scopes: str) -> None:
    """Demand one of some scopes. Raises: Forbidden."""
    if not caller.scopes & set(scopes):
        raise ScopeMissing(f"this needs the scope {' or '.join(scopes)}", caller)


def require_reading(caller: Caller) -> None:
    """Demand any scope to read certificates; which ones is decided for each certificate."""
    prefix = "certificates:read"
    if not any(scope == prefix or scope.startswith(prefix + ":") for scope in caller.scopes):
        message = "this needs a scope certificates:read or certificates:read:<type>"
        raise ScopeMissing(message, caller)


def check_text(name: str, value: str) -> str:
    """Check a purpose, matter or operator: one line of 1 to 200 characters. Raises: InputError."""
    if not is_line(value, MAX_TEXT):
        raise InputError(f"{name} is required: one line of at most {MAX_TEXT} characters")
    return value


def grounds_of(request: Request) -> tuple[str, str, str]:
    """Read purpose, matter and operator from the headers, percent-encoded UTF-8.

    Raises: InputError when one is missing.
    """
    return (
        ground_of(request, "Purpose"),
        ground_of(request, "Matter"),
        ground_of(request, "Operator"),
    )


def ground_of(request: Request, name: str) -> str:
    """Read one of these headers. Raises: InputError when it is missing."""
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


async def reading_actor(request: Request) -> Actor:
    """Find who reads and on what grounds. Raises: 401, Forbidden, InputError."""
    caller = await caller_of(request)
    require_reading(caller)
    purpose, matter, operator = grounds_of(request)
    return caller.actor(operator=operator, purpose=purpose, matter=matter)


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


ServiceDep = Annotated[Service, Depends(service_of)]
CallerDep = Annotated[Caller, Depends(caller_of)]
ReaderDep = Annotated[Actor, Depends(reading_actor)]
HolderDep = Annotated[SignedIn, Depends(holder_of)]
