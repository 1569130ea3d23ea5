"""An ID token 身份令牌: an identity provider says who signed in, how surely, and for which request.

OpenID Connect Core 1.0 §2 and §3.1.3.7. Providers, their keys, algorithm, halls and levels are
settings; nothing is taken from the token but its claims.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ecert.errors import EcertError, IdTokenRefused, InputError
from ecert.formats._pyjwt import FOREIGN_ALGORITHMS, check_foreign_keys, verify_foreign
from ecert.ids import check_credit_code, check_resident_number
from ecert.model import CREDIT_CODE, RESIDENT_NUMBER, is_line

MAX_AGE_SECONDS = 3600
CLOCK_SKEW_SECONDS = 30
DEFAULT_CLAIMS = {CREDIT_CODE: "credit_code", RESIDENT_NUMBER: "resident_number"}
_CHECKS: Mapping[str, Callable[[str], str]] = {
    CREDIT_CODE: check_credit_code,
    RESIDENT_NUMBER: check_resident_number,
}


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider 身份认证平台 that is believed.

    ``audiences`` are the online halls whose sign-ins count, ``levels`` the values of ``acr`` that
    are sure enough, ``claims`` where a credit code (001) or resident number (111) stands, ``keys``
    its JWK set, ``algorithm`` the one it signs with. ``portals`` are the audiences whose sign-ins
    open a holder's own pages; none named: no sign-in does.
    """

    issuer: str
    audiences: tuple[str, ...]
    levels: tuple[str, ...]
    keys: Mapping[str, Any]
    algorithm: str = "RS256"
    claims: Mapping[str, str] | None = None
    portals: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give the settings as they are kept."""
        return {
            "audiences": list(self.audiences),
            "levels": list(self.levels),
            "keys": dict(self.keys),
            "algorithm": self.algorithm,
            "claims": dict(self.claims or DEFAULT_CLAIMS),
            "portals": list(self.portals),
        }


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in: a holder's code and its type, and the nonce that the sign-in was for.

    ``is_own``: the sign-in also opens the holder's own pages. ``signed_in_at`` is when he last
    proved who he is (``auth_time``, Unix seconds); None where the provider does not say.
    """

    code: str
    code_type: str
    nonce: str | None
    is_own: bool = True
    signed_in_at: int | None = None


def check_provider(provider: Provider) -> Provider:
    """Check an identity provider's settings. Raises: InputError."""
    texts = (provider.issuer, *provider.audiences, *provider.levels, *provider.portals)
    if not provider.audiences or not provider.levels or not all(is_line(one, 200) for one in texts):
        raise InputError("a provider has an issuer, at least one audience and at least one level")
    if provider.algorithm not in FOREIGN_ALGORITHMS:
        raise InputError(f"the algorithm is one of {', '.join(FOREIGN_ALGORITHMS)}")
    if not provider.issuer.startswith(("https://", "http://")):
        raise InputError("an issuer is an address that begins with https://")
    keys = provider.keys.get("keys")
    if not isinstance(keys, list) or not 1 <= len(keys) <= 50:
        raise InputError("the JWK set has between 1 and 50 keys")
    if any(not isinstance(key, dict) or key.keys() & {"d", "k"} for key in keys):
        raise InputError("the JWK set has something that is not a public key")
    check_foreign_keys(provider.keys, provider.algorithm)
    if not (provider.claims or DEFAULT_CLAIMS).keys() <= _CHECKS.keys():
        raise InputError("claims name where a credit code (001) or resident number (111) stands")
    return provider


def to_provider(issuer: str, settings: Mapping[str, Any]) -> Provider:
    """Read a provider's settings as they were kept."""
    return Provider(
        issuer,
        tuple(settings["audiences"]),
        tuple(settings["levels"]),
        settings["keys"],
        settings["algorithm"],
        settings["claims"],
        tuple(settings["portals"]),
    )


def verify_id_token(token: str, providers: Mapping[str, Provider], now: int) -> SignedIn:
    """Check an ID token under the providers that are believed; say who signed in.

    Every provider's keys are tried: the token's own ``iss`` decides nothing before its signature
    holds. Raises: IdTokenRefused.
    """
    for provider in providers.values():
        try:
            claims = verify_foreign(token, provider.keys, provider.algorithm)
        except EcertError:
            continue
        if claims.get("iss") == provider.issuer:
            return _signed_in(claims, provider, now)
    raise IdTokenRefused("no identity provider that is believed signed this ID token")


def _signed_in(claims: Mapping[str, Any], provider: Provider, now: int) -> SignedIn:
    _check_audience(claims, provider)
    _check_times(claims, now)
    if claims.get("acr") not in provider.levels:
        raise IdTokenRefused("the level of assurance of this sign-in is too low")
    code_type, code = _holder(claims, provider)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str | None):
        raise IdTokenRefused("the nonce is a text")
    is_own = set(_named(claims)) <= set(provider.portals)
    signed_in_at = claims.get("auth_time")
    if signed_in_at is not None and type(signed_in_at) is not int:
        raise IdTokenRefused("auth_time is a number of seconds")
    return SignedIn(code, code_type, nonce, is_own, signed_in_at)


def _named(claims: Mapping[str, Any]) -> Any:
    audience = claims.get("aud")
    return [audience] if isinstance(audience, str) else audience


def _check_audience(claims: Mapping[str, Any], provider: Provider) -> None:
    named = _named(claims)
    known = {*provider.audiences, *provider.portals}
    if (
        not isinstance(named, list)
        or not named
        or not all(isinstance(one, str) and one in known for one in named)
    ):
        raise IdTokenRefused("the sign-in was for another hall")
    if "azp" in claims and claims["azp"] not in known:
        raise IdTokenRefused("the sign-in was for another hall")


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    expires, issued = claims.get("exp"), claims.get("iat")
    if type(expires) is not int or type(issued) is not int:
        raise IdTokenRefused("the ID token says no times")
    if now >= expires or now - issued > MAX_AGE_SECONDS:
        raise IdTokenRefused("the ID token has expired; sign in again")
    if issued > now + CLOCK_SKEW_SECONDS:
        raise IdTokenRefused("the ID token lies in the future")


def _holder(claims: Mapping[str, Any], provider: Provider) -> tuple[str, str]:
    """Find whose code the token names: exactly one, or nobody knows for whom it speaks."""
    named = provider.claims or DEFAULT_CLAIMS
    found = [(kind, claims[claim]) for kind, claim in named.items() if claim in claims]
    if len(found) != 1 or not isinstance(found[0][1], str):
        raise IdTokenRefused("the ID token names no holder's code, or more than one")
    kind, code = found[0]
    try:
        return kind, _CHECKS[kind](code)
    except EcertError as error:
        raise IdTokenRefused("the ID token names a code that is not one") from error
