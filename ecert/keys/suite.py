"""Signature suites: which algorithms exist, how a signature is checked, how a key is named.

A suite is always derived from the key, never read from a token: a header that disagrees with its
key is refused. SM2-SM3 will be one more row.
"""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ecert._encoding import b64url, canonical, parse_b64url, sha256
from ecert.errors import InputError, SignatureError

ES256 = "ES256"
EDDSA = "EdDSA"
SUITES = (ES256, EDDSA)
SIGNATURE_BYTES = 64

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
_ECDSA = ec.ECDSA(hashes.SHA256())


def suite_of(key: object) -> str:
    """Name the suite of a public key: ``ES256`` for P-256, ``EdDSA`` for Ed25519.

    Raises: InputError for any other kind of key.
    """
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return ES256
    if isinstance(key, ed25519.Ed25519PublicKey):
        return EDDSA
    raise InputError("only P-256 and Ed25519 keys are supported")


def verify(suite: str, key: PublicKey, signature: bytes, data: bytes) -> None:
    """Check a signature (64 bytes: r and s, or Ed25519) over data.

    Raises: SignatureError when it does not hold, or the key is not of that suite.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureError("a signature has 64 bytes")
    try:
        if suite == ES256 and isinstance(key, ec.EllipticCurvePublicKey):
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            key.verify(encode_dss_signature(r, s), data, _ECDSA)
            return
        if suite == EDDSA and isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
            return
    except InvalidSignature as error:
        raise SignatureError("the signature does not hold") from error
    raise SignatureError("the key is not of this suite")


def public_jwk(key: PublicKey) -> dict[str, str]:
    """Write a public key as a JWK with its required members only (RFC 7517, RFC 8037)."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        numbers = key.public_numbers()
        x, y = (b64url(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    return {"crv": "Ed25519", "kty": "OKP", "x": b64url(key.public_bytes_raw())}


def parse_jwk(jwk: Any) -> PublicKey:
    """Read a public JWK of a supported suite. Raises: InputError; a private key is refused."""
    if not isinstance(jwk, dict) or "d" in jwk:
        raise InputError("expected a public key as a JWK")
    try:
        if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256":
            x, y = (_coordinate(jwk[name]) for name in ("x", "y"))
            return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(parse_b64url(jwk["x"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError("the JWK is not a valid public key") from error
    raise InputError("only EC P-256 and OKP Ed25519 keys are supported")


def _coordinate(text: str) -> int:
    data = parse_b64url(text)
    if len(data) != 32:  # RFC 7518 §6.2.1.2: the full size, so that a key has one spelling
        raise ValueError("a coordinate has 32 bytes")
    return int.from_bytes(data, "big")


def thumbprint(key: PublicKey) -> str:
    """Name a key: its RFC 7638 thumbprint, base64url of SHA-256; this is our ``kid``."""
    return b64url(sha256(canonical(public_jwk(key))))
