"""Tokens 访问令牌: a department's system proves its key, gets a short token, and acts with scopes.

``private_key_jwt`` (RFC 7523 and its revision) in, access tokens (RFC 9068) out: bearer tokens, or
bound to a key that each call proves to have (DPoP, RFC 9449). A token that was checked once is
remembered until it expires: a check costs as much as the rest of a request.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecert._encoding import b64url, sha256, to_json
from ecert.audit import AuditEntry
from ecert.errors import AddressNotAllowed, EcertError, KeyUnavailable, SignatureError
from ecert.formats._jws import (
    ACCESS_TOKEN,
    CLIENT_ASSERTION,
    DPOP_PROOF,
    UnverifiedJws,
    parse_compact,
    sign_jws,
    verify_jws,
)
from ecert.keys import Role, parse_jwk, thumbprint
from ecert.model import Actor
from ecert.registry import Registry
from ecert.registry.clients import is_allowed_from
from ecert.registry.keyring import COMPROMISED, public_key_of
from ecert.store import ClientRow, KeyRow

TOKEN_SECONDS = 300
MAX_ASSERTION_SECONDS = 300
CLOCK_SKEW_SECONDS = 30
PROOF_SECONDS = 60
MAX_TOKEN_CHARACTERS = 8192
_MAX_REMEMBERED = 10_000
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class OAuthError(Exception):
    """A refusal of the token endpoint (RFC 6749 §5.2)."""

    def __init__(
        self, error: str, description: str, status: int = 400, code: str | None = None
    ) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status
        self.code = code or error


class TokenExpired(Exception):
    """The token was ours, and its time is over; ``caller`` is whose it was."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self.caller = caller


class ProofError(Exception):
    """A DPoP proof that is not acceptable (RFC 9449 §4.3)."""

    def __init__(self, message: str, code: str = "invalid_dpop_proof") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a client of an agency, with the scopes of its token."""

    client: str
    agency: str
    scopes: frozenset[str]
    jkt: str | None = None  # the thumbprint of the key that the token is bound to

    def actor(self, *, operator: str, purpose: str, matter: str) -> Actor:
        """Say who acts, for the audit trail."""
        return Actor(operator, self.agency, self.client, purpose, matter, self.scopes)


def _verify_by_any(jws: UnverifiedJws, client: ClientRow) -> None:
    """Check an assertion under each of a client's keys. Raises: SignatureError."""
    for jwk in client.keys.values():
        try:
            verify_jws(jws, parse_jwk(dict(jwk)))
        except SignatureError:
            continue
        return
    raise SignatureError("no key of the client signed this")


def check_proof(
    registry: Registry, proof: str, method: str, address: str, token: str | None = None
) -> str:
    """Check a DPoP proof for one call (RFC 9449 §4.3), once; give its key's thumbprint.

    ``address`` is the called one without query; with ``token`` the proof must name it.
    Raises: ProofError.
    """
    try:
        jws = parse_compact(proof[:MAX_TOKEN_CHARACTERS], typ=DPOP_PROOF)
        key = parse_jwk(jws.header.jwk)
        verify_jws(jws, key)
        claims = jws.unverified_claims()
    except EcertError as error:
        raise ProofError("the DPoP proof is malformed, or its signature does not hold") from error
    now, at, jti = int(registry.clock().timestamp()), claims.get("iat"), claims.get("jti")
    if claims.get("htm") != method or claims.get("htu") != address:
        raise ProofError("the DPoP proof is for another call")
    if type(at) is not int or abs(now - at) > PROOF_SECONDS:
        raise ProofError("the DPoP proof is not of this moment")
    if not isinstance(jti, str) or not 8 <= len(jti) <= 256:
        raise ProofError("the DPoP proof's jti has 8 to 256 characters")
    if token is not None and claims.get("ath") != b64url(sha256(token.encode())):
        raise ProofError("the DPoP proof is for another token")
    jkt = thumbprint(key)
    if not registry.use_assertion(f"dpop {jkt}", jti, at + 2 * PROOF_SECONDS):
        raise ProofError("this DPoP proof was used before", "dpop_proof_replayed")
    return jkt


def _caller(claims: Mapping[str, Any]) -> Caller:
    scopes, bound = frozenset(str(claims["scope"]).split()), claims.get("cnf")
    jkt = str(bound.get("jkt")) if isinstance(bound, dict) else None
    return Caller(str(claims["client_id"]), str(claims["agency"]), scopes, jkt)


class Tokens:
    """Gives tokens to clients and checks the tokens that come back."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._remembered: dict[str, tuple[Caller, int, str]] = {}
        self._rows: list[KeyRow] | None = None
        self._keys: dict[str, KeyRow] = {}

    # -- giving -----------------------------------------------------------------------------------

    def grant(
        self, form: Mapping[str, str], proofs: Sequence[str] = (), address: str = ""
    ) -> dict[str, Any]:
        """Answer a token request from an address; with a DPoP proof the token is bound to its key.

        Raises: OAuthError.
        """
        if "grant_type" not in form:
            raise OAuthError("invalid_request", "grant_type is missing")
        if form["grant_type"] != "client_credentials":
            raise OAuthError("unsupported_grant_type", "only client_credentials is supported")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise OAuthError(
                "invalid_client", f"client_assertion_type must be {ASSERTION_TYPE}", 401
            )
        client = self._authenticate(form.get("client_assertion", ""), address)
        if form.get("client_id", client.id) != client.id:  # RFC 7521 §4.2
            raise OAuthError("invalid_client", "client_id is another than the assertion's", 401)
        wanted = frozenset(form.get("scope", "").split()) or client.scopes
        if not wanted <= client.scopes:
            raise OAuthError("invalid_scope", "a scope was not granted to this client")
        return self._issue(client, wanted, self._bind(client, proofs))

    def _bind(self, client: ClientRow, proofs: Sequence[str]) -> str | None:
        """Check the DPoP proof of a token request; give the thumbprint of its key."""
        if len(proofs) > 1:
            raise OAuthError("invalid_dpop_proof", "one DPoP proof belongs to a call")
        if not proofs:
            if self._registry.client_desk.requires_dpop(client.agency):
                raise OAuthError("invalid_dpop_proof", "this agency's tokens are bound: DPoP")
            return None
        try:
            address = f"{self._registry.base}/oauth/token"
            return check_proof(self._registry, proofs[0], "POST", address)
        except ProofError as error:
            raise OAuthError("invalid_dpop_proof", str(error), code=error.code) from error

    def _authenticate(self, assertion: str, address: str) -> ClientRow:
        refusal = OAuthError("invalid_client", "the client assertion is not acceptable", 401)
        try:
            jws = parse_compact(assertion[:MAX_TOKEN_CHARACTERS], typ=CLIENT_ASSERTION)
            claims = jws.unverified_claims()
            client_id = claims.get("sub")
            client = self._client(client_id)
            if client is None or client.state != "active":
                raise refusal
            _verify_by_any(jws, client)
        except EcertError as error:
            raise refusal from error
        if not is_allowed_from(client, address):
            self._note(client, AddressNotAllowed.code)
            raise OAuthError("invalid_client", "not from this address", 401, AddressNotAllowed.code)
        self._check_claims(client, claims)
        return client

    def _note(self, client: ClientRow, code: str) -> None:
        """Put into the trail that a client that proved its key was refused a token."""
        by = Actor(f"client {client.id[:12]}", client.agency, client.id, "POST /oauth/token")
        self._registry.write_audit([AuditEntry("call", by, code)])

    def _client(self, client_id: Any) -> ClientRow | None:
        return self._registry.client(client_id) if isinstance(client_id, str) else None

    def _check_claims(self, client: ClientRow, claims: Mapping[str, Any]) -> None:
        now = int(self._registry.clock().timestamp())
        expires, jti = claims.get("exp"), claims.get("jti")
        if claims.get("iss") != client.id or claims.get("aud") != self._registry.base:
            raise OAuthError(
                "invalid_client", "iss is the client; aud is exactly the registry", 401
            )
        if (
            type(expires) is not int
            or not now - CLOCK_SKEW_SECONDS < expires <= now + MAX_ASSERTION_SECONDS
        ):
            raise OAuthError("invalid_client", "exp lies at most five minutes ahead", 401)
        for name in ("iat", "nbf"):
            moment = claims.get(name, now)
            if type(moment) is not int or moment > now + CLOCK_SKEW_SECONDS:
                raise OAuthError("invalid_client", f"{name} lies in the future", 401)
        if not isinstance(jti, str) or not 8 <= len(jti) <= 256:
            raise OAuthError("invalid_client", "jti has 8 to 256 characters", 401)
        if not self._registry.use_assertion(client.id, jti, expires + CLOCK_SKEW_SECONDS):
            self._note(client, "assertion_replayed")
            raise OAuthError(
                "invalid_client", "this assertion was used before", 401, "assertion_replayed"
            )

    def _issue(self, client: ClientRow, scopes: frozenset[str], jkt: str | None) -> dict[str, Any]:
        now = int(self._registry.clock().timestamp())
        scope = " ".join(sorted(scopes))
        claims: dict[str, Any] = {
            "iss": self._registry.base,
            "aud": self._registry.base,
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
        row = self._registry.keys.active(Role.TOKEN)
        signer = self._registry.keys.signer(Role.TOKEN)
        token = sign_jws(to_json(claims), signer, typ=ACCESS_TOKEN, kid=row.kid)
        return {
            "access_token": token,
            "token_type": "Bearer" if jkt is None else "DPoP",
            "expires_in": TOKEN_SECONDS,
            "scope": scope,
        }

    def is_ours(self, authorization: str) -> bool:
        """Tell whether a header carries one of our access tokens, good or not, and no ID token."""
        try:
            parse_compact(authorization.partition(" ")[2].strip(), typ=ACCESS_TOKEN)
        except EcertError:
            return False
        return True

    # -- checking -----------------------------------------------------------------------------------

    def check(self, token: str) -> Caller | None:
        """Give the caller of a token; None when it is not acceptable. Raises: TokenExpired."""
        now = int(self._registry.clock().timestamp())
        remembered = self._remembered.get(token)
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
        rows = self._registry.keys.rows()
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
        base = self._registry.base
        texts = all(isinstance(claims.get(name), str) for name in ("client_id", "agency", "scope"))
        times = all(type(claims.get(name)) is int for name in ("iat", "exp"))
        if not texts or not times or claims.get("iss") != base or claims.get("aud") != base:
            return False
        return bool(claims["iat"] <= now + CLOCK_SKEW_SECONDS)
