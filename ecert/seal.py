"""The seal 签章码: the compact signed payload of the QR code, a CWT in COSE_Sign1 (RFC 8392, RFC 9052).

It travels in the fragment of ``HTTPS://HOST/V#<base32>``, which browsers do not send to a server.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2

from ecert.errors import SealError, SignatureError
from ecert.keys import EDDSA, ES256, PublicKey, Signer, suite_of, verify
from ecert.model import Certificate, mask_name

COSE_SIGN1 = 18
MAX_SEAL_BYTES = 2048
MAX_TEXT = 4096
NAME_CHARACTERS = 12
DIGEST_BYTES = 16
SUB, EXP, NBF, IAT, STATUS = 2, 4, 5, 6, 65535
_ALGORITHMS = {ES256: -7, EDDSA: -8}
_PROTECTED = {suite: cbor2.dumps({1: number}) for suite, number in _ALGORITHMS.items()}
_PATH = "/V#"


@dataclass(frozen=True, slots=True)
class UnverifiedSeal:
    """A seal taken apart; nothing in it has been checked."""

    origin: str | None  # the scheme and host it was printed with, lower case; None for a bare seal
    protected: bytes
    payload: bytes
    signature: bytes
    algorithm: int
    claims: Mapping[int | str, Any]


def shorten(name: str) -> str:
    """Cut a name to twelve characters, the last an ellipsis when something is missing."""
    return name if len(name) <= NAME_CHARACTERS else name[: NAME_CHARACTERS - 1] + "…"


def seal_claims(
    certificate: Certificate,
    *,
    digest: bytes,
    status: tuple[int, str],
    seconds: tuple[int, int | None],
    masks: frozenset[str],
) -> dict[int | str, Any]:
    """Assemble what the QR code says; ``status`` is (index, list address), ``seconds`` nbf and exp.

    Only names of natural persons are masked, and only where the type says so.
    """
    tail = certificate.id.split(".", 5)[5]
    claims: dict[int | str, Any] = {SUB: tail, IAT: int(certificate.created_at.timestamp())}
    claims[NBF] = seconds[0]
    if seconds[1] is not None:
        claims[EXP] = seconds[1]
    claims[STATUS] = {"status_list": {"idx": status[0], "uri": status[1]}}
    claims["n"] = certificate.number
    holder = certificate.holders[0]
    is_masked = "holder_name" in masks and holder.is_person
    claims["h"] = shorten(mask_name(holder.name) if is_masked else holder.name)
    if isinstance(project := certificate.fields.get("project_name"), str):
        claims["p"] = shorten(mask_name(project) if "project_name" in masks else project)
    claims["c"] = digest[:DIGEST_BYTES]
    return claims


def sign_seal(claims: Mapping[int | str, Any], signer: Signer, base: str) -> str:
    """Sign a seal and give the text of its QR code."""
    protected = _PROTECTED[signer.suite]
    payload = cbor2.dumps(dict(claims))
    signature = signer.sign(_to_be_signed(protected, payload))
    message = cbor2.dumps(cbor2.CBORTag(COSE_SIGN1, [protected, {}, payload, signature]))
    return seal_text(message, base)


def seal_text(message: bytes, base: str) -> str:
    """Write a seal as the address that the QR code holds."""
    return base.upper() + _PATH + base64.b32encode(message).decode("ascii").rstrip("=")


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    return cbor2.dumps(["Signature1", protected, b"", payload])


def parse_seal(text: str) -> UnverifiedSeal:
    """Read the text of a QR code: the whole address, or only what follows the ``#``.

    Raises: SealError.
    """
    text = text.strip()
    if len(text) > MAX_TEXT:
        raise SealError("the text is too long for a seal")
    origin, separator, code = text.rpartition(_PATH)
    if not separator:
        origin, separator, code = text.rpartition("/v#")
    if not separator and "#" in text:
        raise SealError("the address is not one of a seal")
    message = _parse_base32(code)
    try:
        tag = _loads(message)
    except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError) as error:
        raise SealError("the seal is not CBOR") from error
    return _take_apart(tag, origin.lower() if separator else None)


def _loads(data: bytes) -> Any:
    """Decode exactly one item: anything behind it is refused."""
    stream = io.BytesIO(data)
    value = cbor2.load(stream)
    if stream.read(1):
        raise ValueError("data behind the item")
    return value


def _parse_base32(code: str) -> bytes:
    try:
        data = base64.b32decode(code + "=" * (-len(code) % 8))
    except (binascii.Error, ValueError) as error:
        raise SealError("a seal is written in base32, capitals and 2 to 7") from error
    if len(data) > MAX_SEAL_BYTES or base64.b32encode(data).decode().rstrip("=") != code:
        raise SealError("the seal is too long, or its base32 has left-over bits")
    return data


def _take_apart(tag: Any, origin: str | None) -> UnverifiedSeal:
    if not isinstance(tag, cbor2.CBORTag) or tag.tag != COSE_SIGN1:
        raise SealError("a seal is a COSE_Sign1 message")
    match tag.value:
        case [
            bytes() as protected,
            dict() as unprotected,
            bytes() as payload,
            bytes() as signature,
        ]:
            pass
        case _:
            raise SealError("a seal has four parts")
    try:
        header, claims = _loads(protected), _loads(payload)
    except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError) as error:
        raise SealError("the seal's contents are not CBOR") from error
    if unprotected or not isinstance(header, dict) or header.keys() != {1}:
        raise SealError("a seal's header names its algorithm and nothing else")
    if not isinstance(claims, dict):
        raise SealError("a seal's payload is a map")
    _check_claims(claims)
    return UnverifiedSeal(origin, protected, payload, signature, header[1], claims)


def _check_claims(claims: Mapping[Any, Any]) -> None:
    status = claims.get(STATUS)
    match status:
        case {"status_list": {"idx": int(), "uri": str()}}:
            pass
        case _:
            raise SealError("a seal points to its status")
    whole = all(type(claims.get(name)) is int for name in (IAT, NBF))
    texts = all(isinstance(claims.get(name), str) for name in (SUB, "n", "h"))
    digest = claims.get("c")
    if not whole or not texts or not isinstance(digest, bytes) or len(digest) != DIGEST_BYTES:
        raise SealError("the seal lacks a claim")
    if EXP in claims and type(claims[EXP]) is not int:
        raise SealError("the seal's exp is not a number")


def verify_seal(seal: UnverifiedSeal, key: PublicKey) -> None:
    """Check a seal under one key; the algorithm is the key's. Raises: SignatureError."""
    suite = suite_of(key)
    if seal.algorithm != _ALGORITHMS[suite]:
        raise SignatureError("the seal names another algorithm than the key's")
    verify(suite, key, seal.signature, _to_be_signed(seal.protected, seal.payload))
