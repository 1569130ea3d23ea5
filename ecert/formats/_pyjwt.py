"""PyJWT at work: it signs our tokens over a Signer, and checks those of other authorities.

The only import of ``jwt``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jwt import PyJWK
from jwt.algorithms import Algorithm
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from ecert._encoding import parse_signed_json
from ecert.errors import InputError, SignatureError, TokenError
from ecert.keys import SUITES, Signer


class _SignerAlgorithm(Algorithm):
    """An algorithm of PyJWT whose private half is a Signer."""

    def prepare_key(self, key: Signer) -> Signer:
        return key

    def sign(self, msg: bytes, key: Signer) -> bytes:
        return key.sign(msg)

    def verify(self, msg: bytes, key: Signer, sig: bytes) -> bool:
        raise NotImplementedError("tokens are read by parse_compact and verify_jws")

    @staticmethod
    def to_jwk(key_obj: Signer, as_dict: bool = False) -> Any:
        raise NotImplementedError("a signer cannot be exported")

    @staticmethod
    def from_jwk(jwk: str | dict[str, Any]) -> Any:
        raise NotImplementedError("a signer is opened by its URI")


_JWS = PyJWS(algorithms=[])  # without PyJWT's own: only ours may sign
for _suite in SUITES:
    _JWS.register_algorithm(_suite, _SignerAlgorithm())


def encode(payload: bytes, signer: Signer, headers: dict[str, Any]) -> str:
    """Sign a payload as a compact JWS."""
    return _JWS.encode(payload, signer, algorithm=signer.suite, headers=headers)  # type: ignore[arg-type]  # a Signer, by our algorithm


# -- tokens of others -----------------------------------------------------------------------------

FOREIGN_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
MAX_FOREIGN_CHARACTERS = 16 << 10
_FOREIGN = PyJWS(algorithms=list(FOREIGN_ALGORITHMS))


def check_foreign_keys(keys: Mapping[str, Any], algorithm: str) -> None:
    """Check that every key of a JWK set can be used with an algorithm. Raises: InputError."""
    for key in keys["keys"]:
        try:
            PyJWK(key, algorithm)
        except PyJWTError as error:
            raise InputError("the JWK set has a key that does not fit the algorithm") from error


def verify_foreign(token: str, keys: Mapping[str, Any], algorithm: str) -> Mapping[str, Any]:
    """Check a token that another authority signed, under its JWK set and the algorithm pinned for it.

    Raises: TokenError when it is malformed, SignatureError when no key fits or it does not hold.
    """
    if len(token) > MAX_FOREIGN_CHARACTERS:
        raise TokenError("the token is too long")
    try:
        header = _FOREIGN.get_unverified_header(token)
        if (
            str(header.get("typ", "JWT")).upper() != "JWT"
        ):  # an access or logout token is no sign-in
            raise TokenError("the token is of another kind")
        kid = header.get("kid")
        fitting = [key for key in keys.get("keys", ()) if kid is None or key.get("kid") == kid]
        if len(fitting) != 1:
            raise SignatureError("no key of the authority has this name")
        key = PyJWK(fitting[0], algorithm)
        return parse_signed_json(_FOREIGN.decode(token, key, algorithms=[algorithm]))
    except PyJWTError as error:
        raise SignatureError("the signature of the authority does not hold") from error
    except InputError as error:
        raise TokenError("the token's payload is not a JSON object") from error
