"""Tokens 访问令牌: a department's system proves its key, gets a short token, and acts with scopes.

``private_key_jwt`` (RFC 7523 and its revision) in, access tokens (RFC 9068) out: bearer tokens, or
bound to a key that each call proves to have (DPoP, RFC 9449). A token that was checked once is
remembered until it expires: a check costs as much as the rest of a request.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ecert._encoding import b64url, to_json
from ecert.errors import AddressNotAllowed, EcertError, KeyUnavailable, SignatureError
from ecert.formats._jws import (
    ACCESS_TOKEN,
    CLIENT_ASSERTION,
    UnverifiedJws,
    parse_compact,
    sign_jws,
    verify_jws,
)
from ecert.keys import Role, parse_jwk
from ecert.ledger.access import narrowed
from ecert.ledger.acting import Desk
from ecert.ledger.directory import Directory
from ecert.ledger.trail import AuditEntry
from ecert.model import Actor
from ecert.registry.clients import ACTIVE, is_allowed_from
from ecert.registry.dpop import ProofError, Proofs
from ecert.registry.keyring import COMPROMISED, KeyRing, public_key_of
from ecert.store import ClientRow, KeyRow

TOKEN_SECONDS = 300
MAX_ASSERTION_SECONDS = 300
CLOCK_SKEW_SECONDS = 30
MAX_TOKEN_CHARACTERS = 8192
_MAX_REMEMBERED = 10_000
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
INVALID_CLIENT = "invalid_client"


class TokenRefused(Exception):
    """A refusal of the token endpoint: ``error`` is of RFC 6749 §5.2, ``code`` is ours."""

    def __init__(self, error: str, description: str, code: str | None = None) -> None:
        super().__init__(description)
        self.error, self.description = error, description
        self.code = code or error


class TokenExpired(Exception):
    """The token was ours, and its time is over; ``caller`` is whose it was."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self.caller = caller


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a client of an agency, as an actor that has no operator and no purpose yet.

    ``jkt`` is the thumbprint of the key that the token is bound to.
    """

    by: Actor
    client: str
    agency: str
    jkt: str | None = None

    def within(self, allowed: frozenset[str]) -> Caller:
        """Give the caller with no more scopes than its client has now."""
        by = narrowed(self.by, allowed)
        return self if by is self.by else replace(self, by=by)

    def actor(self, *, operator: str = "", purpose: str = "", matter: str = "") -> Actor:
        """Say who acts, for the audit trail; the client itself unless an operator is named."""
        named = operator or f"client {self.client[:12]}"
        return replace(self.by, operator=named, purpose=purpose, matter=matter)


class Tokens:
    """Gives tokens to clients and checks the tokens that come back."""

    def __init__(self, desk: Desk, ring: KeyRing, directory: Directory) -> None:
        self._desk, self._ring, self._directory = desk, ring, directory
        self.proofs = Proofs(desk.store, desk.clock)
        self._remembered: dict[str, tuple[Caller, int, str]] = {}
        self._rows: list[KeyRow] | None = None
        self._keys: dict[str, KeyRow] = {}

    def _now(self) -> int:
        return int(self._desk.clock().timestamp())

    # -- giving -----------------------------------------------------------------------------------

    def grant(
        self, form: Mapping[str, str], proofs: Sequence[str] = (), address: str = ""
    ) -> dict[str, Any]:
        """Answer a token request from an address; with a DPoP proof the token is bound to its key.

        Raises: TokenRefused.
        """
        self._desk.agenda.come_due()  # clients of an agency that was closed today are suspended
        if "grant_type" not in form:
            raise TokenRefused("invalid_request", "grant_type is missing")
        if form["grant_type"] != "client_credentials":
            raise TokenRefused("unsupported_grant_type", "only client_credentials is supported")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise TokenRefused(INVALID_CLIENT, f"client_assertion_type must be {ASSERTION_TYPE}")
        client = self._authenticate(form.get("client_assertion", ""), address)
        if form.get("client_id", client.id) != client.id:  # RFC 7521 §4.2
            raise TokenRefused(INVALID_CLIENT, "client_id is another than the assertion's")
        wanted = frozenset(form.get("scope", "").split()) or client.allowed
        if not wanted <= client.allowed:
            raise TokenRefused("invalid_scope", "a scope was not granted to this client")
        return self._issue(client, wanted, self._bind(client, proofs))

    def _bind(self, client: ClientRow, proofs: Sequence[str]) -> str | None:
        """Check the DPoP proof of a token request; give the thumbprint of its key."""
        if len(proofs) > 1:
            raise TokenRefused("invalid_dpop_proof", "one DPoP proof belongs to a call")
        if not proofs:
            if self._directory.requires_dpop(client.agency):
                raise TokenRefused("invalid_dpop_proof", "this agency's tokens are bound: DPoP")
            return None
        try:
            return self.proofs.check(proofs[0], "POST", f"{self._desk.base}/oauth/token")
        except ProofError as error:
            raise TokenRefused("invalid_dpop_proof", str(error), error.code) from error

    def _authenticate(self, assertion: str, address: str) -> ClientRow:
        refusal = TokenRefused(INVALID_CLIENT, "the client assertion is not acceptable")
        try:
            jws = parse_compact(assertion[:MAX_TOKEN_CHARACTERS], typ=CLIENT_ASSERTION)
            claims = jws.unverified_claims()
            client = self._client(claims.get("sub"))
            if client is None or client.state != ACTIVE:
                raise refusal
            _verify_by_any(jws, client)
        except EcertError as error:
            raise refusal from error
        if not is_allowed_from(client, address):
            self._note(client, AddressNotAllowed.code)
            raise TokenRefused(INVALID_CLIENT, "not from this address", AddressNotAllowed.code)
        self._check_claims(client, claims)
        return client

    def _note(self, client: ClientRow, code: str) -> None:
        """Put into the trail that a client that proved its key was refused a token."""
        by = Actor(f"client {client.id[:12]}", client.agency, client.id, "POST /oauth/token")
        self._desk.trail.write([AuditEntry("call", by, code)])

    def _client(self, client_id: Any) -> ClientRow | None:
        return self._directory.fresh(client_id) if isinstance(client_id, str) else None

    def _check_claims(self, client: ClientRow, claims: Mapping[str, Any]) -> None:
        now, expires, jti = self._now(), claims.get("exp"), claims.get("jti")
        if claims.get("iss") != client.id or claims.get("aud") != self._desk.base:
            raise TokenRefused(INVALID_CLIENT, "iss is the client; aud is exactly the registry")
        last = now + MAX_ASSERTION_SECONDS
        if type(expires) is not int or not now - CLOCK_SKEW_SECONDS < expires <= last:
            raise TokenRefused(INVALID_CLIENT, "exp lies at most five minutes ahead")
        for name in ("iat", "nbf"):
            moment = claims.get(name, now)
            if type(moment) is not int or moment > now + CLOCK_SKEW_SECONDS:
                raise TokenRefused(INVALID_CLIENT, f"{name} lies in the future")
        if not isinstance(jti, str) or not 8 <= len(jti) <= 256:
            raise TokenRefused(INVALID_CLIENT, "jti has 8 to 256 characters")
        if not self.proofs.use_once(client.id, jti, expires + CLOCK_SKEW_SECONDS):
            self._note(client, "assertion_replayed")
            raise TokenRefused(
                INVALID_CLIENT, "this assertion was used before", "assertion_replayed"
            )

    def _issue(self, client: ClientRow, scopes: frozenset[str], jkt: str | None) -> dict[str, Any]:
        now, scope = self._now(), " ".join(sorted(scopes))
        claims: dict[str, Any] = {
            "iss": self._desk.base,
            "aud": self._desk.base,
            "sub": client.id,
            "client_id": client.id,
            "agency": client.agency,
            "scope": scope,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "jti": b64url(os.urandom(16)),
        }
        if jkt is not None:
            claims["cnf"] = {"jkt": jkt}
        row = self._ring.active(Role.TOKEN)
        signer = self._ring.signer(Role.TOKEN)
        token = sign_jws(to_json(claims), signer, typ=ACCESS_TOKEN, kid=row.kid)
        return {
            "access_token": token,
            "token_type": "Bearer" if jkt is None else "DPoP",
            "expires_in": TOKEN_SECONDS,
            "scope": scope,
        }

    # -- checking ---------------------------------------------------------------------------------

    @staticmethod
    def is_ours(authorization: str) -> bool:
        """Tell whether a header carries one of our access tokens, good or not, and no ID token."""
        try:
            parse_compact(authorization.partition(" ")[2].strip(), typ=ACCESS_TOKEN)
        except EcertError:
            return False
        return True

    def check(self, token: str) -> Caller | None:
        """Give the caller of a token; None when it is not acceptable. Raises: TokenExpired."""
        now, remembered = self._now(), self._remembered.get(token)
        if remembered is not None:
            caller, expires, kid = remembered
            if now >= expires:
                raise TokenExpired(caller)
            return caller if kid in self._good_keys() else None
        try:
            claims, kid = self._verified(token)
        except EcertError:
            return None
        if not self._is_current(claims, now):
            return None
        caller = _caller(claims)
        if now >= claims["exp"]:
            raise TokenExpired(caller)
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[token] = caller, claims["exp"], kid
        return caller

    def _good_keys(self) -> Mapping[str, KeyRow]:
        """Give the token keys whose tokens count: retired ones until their tokens expire."""
        rows = self._ring.rows()
        if rows is not self._rows:  # the ring reads its rows afresh every few seconds
            self._rows = rows
            self._keys = {
                row.kid: row
                for row in rows
                if row.role == Role.TOKEN.value and row.state != COMPROMISED
            }
        return self._keys

    def _verified(self, token: str) -> tuple[Mapping[str, Any], str]:
        jws = parse_compact(token[:MAX_TOKEN_CHARACTERS], typ=ACCESS_TOKEN)
        row = self._good_keys().get(jws.header.kid or "")
        if row is None:
            raise KeyUnavailable("no token key has this name")
        verify_jws(jws, public_key_of(row))
        return jws.unverified_claims(), row.kid

    def _is_current(self, claims: Mapping[str, Any], now: int) -> bool:
        base = self._desk.base
        texts = all(isinstance(claims.get(name), str) for name in ("client_id", "agency", "scope"))
        times = all(type(claims.get(name)) is int for name in ("iat", "exp"))
        if not texts or not times or claims.get("iss") != base or claims.get("aud") != base:
            return False
        return bool(claims["iat"] <= now + CLOCK_SKEW_SECONDS)


def _verify_by_any(jws: UnverifiedJws, client: ClientRow) -> None:
    """Check an assertion under each of a client's keys. Raises: SignatureError."""
    for jwk in client.keys.values():
        try:
            verify_jws(jws, parse_jwk(dict(jwk)))
        except SignatureError:
            continue
        return
    raise SignatureError("no key of the client signed this")


def _caller(claims: Mapping[str, Any]) -> Caller:
    client, agency = str(claims["client_id"]), str(claims["agency"])
    scopes, bound = frozenset(str(claims["scope"]).split()), claims.get("cnf")
    jkt = str(bound.get("jkt")) if isinstance(bound, dict) else None
    return Caller(Actor("", agency, client, scopes=scopes), client, agency, jkt)
