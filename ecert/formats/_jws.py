"""Compact JWS: signed over a Signer, read by a strict reader.

Every kind of token has its own ``typ``, and the algorithm follows from the key: a header that says
otherwise is refused, and no key is ever taken from a token unless its chain leads to an anchor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ecert._encoding import (
    LAST_SECOND,
    b64,
    parse_b64,
    parse_b64url,
    parse_bound_b64url,
    parse_signed_json,
)
from ecert.errors import InputError, SignatureError, TokenError
from ecert.keys import SUITES, PublicKey, Signer, leaf_thumbprint, suite_of, verify

CREDENTIAL = "dc+sd-jwt"
STATEMENT = "ecert-statement+jwt"
COPY = "ecert-copy+jwt"
DOSSIER = "ecert-dossier+jwt"
CHANGES = "ecert-changes+jwt"
REGISTER = "ecert-register+jwt"
STATUS_LIST = "statuslist+jwt"
STATUS_DETAILS = "ecert-status-details+jwt"
ACCESS_TOKEN = "at+jwt"  # noqa: S105 - a media type, not a secret
CLIENT_ASSERTION = "client-authentication+jwt"
DPOP_PROOF = "dpop+jwt"

MAX_TOKEN_BYTES = 8 << 20
MAX_HEADER_BYTES = 32 << 10


def sign_jws(
    payload: bytes,
    signer: Signer,
    *,
    typ: str,
    chain: tuple[bytes, ...] = (),
    kid: str | None = None,
    jwk: Mapping[str, str] | None = None,
) -> str:
    """Sign a payload as a compact JWS (RFC 7515), naming the key by its chain, its kid, or itself.

    With a chain the kid stands beside it: the RFC 7638 thumbprint of the leaf's key.
    """
    headers: dict[str, Any] = {"typ": typ}
    if jwk is not None:
        headers["jwk"] = dict(jwk)
    if chain:
        headers["x5c"] = _x5c(chain)
        kid = kid or signer.kid
    if kid is not None:
        headers["kid"] = kid
    from ecert.formats import _pyjwt  # noqa: PLC0415 - slow to load, and whoever verifies signs nothing

    return _pyjwt.encode(payload, signer, headers)


@lru_cache(maxsize=256)
def _x5c(chain: tuple[bytes, ...]) -> list[str]:
    return [b64(der) for der in chain]


@dataclass(frozen=True, slots=True)
class Header:
    """A protected header that was read strictly."""

    alg: str
    typ: str
    kid: str | None
    chain: tuple[bytes, ...]
    jwk: Mapping[str, Any] | None = None
    leaf_kid: str | None = None  # the thumbprint of the leaf's key, which ``kid`` must be


@dataclass(frozen=True, slots=True)
class UnverifiedJws:
    """A compact JWS taken apart; nothing in it has been checked."""

    header: Header
    payload: bytes
    signature: bytes
    signing_input: bytes

    def unverified_claims(self) -> Mapping[str, Any]:
        """Read the payload as a JSON object. Raises: TokenError."""
        try:
            return parse_signed_json(self.payload)
        except InputError as error:
            raise TokenError(f"the token's payload is {error.message}") from error


def text_claim(claims: Mapping[str, Any], name: str) -> str:
    """Read a claim that is a text. Raises: KeyError, TypeError: the reader of the token says more."""
    value = claims[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is a text")
    return value


def seconds_claim(claims: Mapping[str, Any], name: str) -> int:
    """Read a claim that is a moment in Unix seconds, within the calendar. Raises: KeyError, TypeError."""
    value = claims[name]
    if type(value) is not int or not 0 <= value <= LAST_SECOND:
        raise TypeError(f"{name} is a moment in seconds")
    return value


def parse_compact(token: str, *, typ: str) -> UnverifiedJws:
    """Take a compact JWS apart and demand its kind. Raises: TokenError."""
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenError("the token is too long")
    try:
        raw = token.encode("ascii")
        head, payload, signature = raw.split(b".")
        header = _parse_header(head)
        body = parse_bound_b64url(payload)
        jws = UnverifiedJws(header, body, parse_b64url(signature), head + b"." + payload)
    except TokenError:
        raise
    except (InputError, ValueError) as error:
        raise TokenError("the token is not a compact JWS") from error
    if header.typ != typ:
        raise TokenError(f"the token is of another kind: expected typ {typ}")
    return jws


@lru_cache(maxsize=1024)
def _parse_header(segment: bytes) -> Header:
    if len(segment) > MAX_HEADER_BYTES:
        raise TokenError("the token's header is too long")
    header = parse_signed_json(parse_b64url(segment))
    alg, typ, kid = header.get("alg"), header.get("typ"), header.get("kid")
    allowed = {"alg", "typ", "jwk"} if typ == DPOP_PROOF else {"alg", "typ", "kid", "x5c"}
    if header.keys() - allowed:
        raise TokenError("the token's header has members that are not allowed")
    if not isinstance(alg, str) or alg not in SUITES:
        raise TokenError("the token's algorithm is not allowed")
    if not isinstance(typ, str) or not isinstance(kid, str | None):
        raise TokenError("the token's header is malformed")
    x5c = header.get("x5c", [])
    if not isinstance(x5c, list) or not all(isinstance(item, str) for item in x5c):
        raise TokenError("the token's x5c is malformed")
    chain = tuple(parse_b64(item) for item in x5c)
    leaf_kid = leaf_thumbprint(chain[0]) if chain and kid is not None else None
    return Header(alg, typ, kid, chain, header.get("jwk"), leaf_kid)


def verify_jws(jws: UnverifiedJws, key: PublicKey) -> None:
    """Check a JWS under a key; the suite is the key's, and the header must agree.

    Beside a chain the kid is the leaf key's or absent: the chain decides. Raises: SignatureError.
    """
    suite = suite_of(key)
    leaf_kid = jws.header.leaf_kid
    if leaf_kid is not None and jws.header.kid != leaf_kid:
        raise SignatureError("the token's kid is not that of its certificate's key")
    if jws.header.alg != suite:
        raise SignatureError("the token names another algorithm than its key's")
    verify(suite, key, jws.signature, jws.signing_input)
