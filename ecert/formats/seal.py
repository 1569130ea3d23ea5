"""The seal 签章码: the compact signed payload of the QR code, a CWT in COSE_Sign1 (RFC 8392, RFC 9052).

It travels in the fragment of ``HTTPS://HOST/V#<base32>``, which browsers do not send to a server.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2

from ecert._encoding import LAST_SECOND
from ecert.errors import SealError, SignatureError
from ecert.formats.annotation import Copy
from ecert.keys import EDDSA, ES256, PublicKey, Signer, suite_of, verify
from ecert.model import Certificate, mask_name

COSE_SIGN1 = 18
MAX_SEAL_BYTES = 2048
MAX_TEXT = 4096
NAME_CHARACTERS = 12
DIGEST_BYTES = 16
SUB, EXP, NBF, IAT, STATUS = 2, 4, 5, 6, 65535
RECIPIENT = "r"  # only in the seal of an annotated copy
_ALGORITHMS = {ES256: -7, EDDSA: -8}
_TAG = b"\xd2"  # tag 18, COSE_Sign1 (RFC 9052 §4.2)
_PROTECTED = {suite: cbor2.dumps({1: number}) for suite, number in _ALGORITHMS.items()}
_PATH = "/V#"
_BASE32 = re.compile("[A-Z2-7]+")
_DIGITS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789abcdefghijklmnopqrstuv")


@dataclass(frozen=True, slots=True)
class UnverifiedSeal:
    """A seal taken apart; nothing in it has been checked."""

    origin: str | None  # the scheme and host it was printed with, lower case; None for a bare seal
    protected: bytes
    payload: bytes
    signature: bytes
    algorithm: int
    claims: Mapping[int | str, Any]

    @property
    def is_copy(self) -> bool:
        """Tell whether it is an annotated copy's: it names whom the copy was lent to."""
        return RECIPIENT in self.claims


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
    copy: Copy | None = None,
) -> dict[int | str, Any]:
    """Assemble what the QR code says; ``status`` is (index, list address), ``seconds`` nbf and exp.

    Only names of natural persons are masked, and only where the type says so. The seal of an
    annotated copy names the recipient instead of the project and ends when the copy lapses.
    """
    tail = certificate.id.split(".", 5)[5]
    made_at = int(certificate.created_at.timestamp()) if copy is None else copy.made_at
    claims: dict[int | str, Any] = {SUB: tail, IAT: made_at}
    claims[NBF] = seconds[0]
    if seconds[1] is not None:
        claims[EXP] = seconds[1]
    claims[STATUS] = {"status_list": {"idx": status[0], "uri": status[1]}}
    claims["n"] = certificate.number
    holder = certificate.holders[0]
    is_masked = "holder_name" in masks and holder.is_person
    claims["h"] = shorten(mask_name(holder.name) if is_masked else holder.name)
    if copy is not None:
        claims[RECIPIENT] = shorten(copy.recipient)
    elif isinstance(project := certificate.fields.get("project_name"), str):
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
    if not message.startswith(_TAG):
        raise SealError("a seal is a COSE_Sign1 message")
    parts = _loads(message[1:])
    if _TAG + cbor2.dumps(parts) != message:
        raise SealError("the seal is not written in the shortest form")
    return _take_apart(parts, origin.lower() if separator else None)


def _loads(data: bytes) -> Any:
    """Decode exactly one plain item. Raises: SealError."""
    if _skip(data, 0, 0) != len(data):
        raise SealError("the seal holds something else than plain CBOR")
    try:
        return cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError, TypeError) as error:
        raise SealError("the seal is not CBOR") from error


_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_SIMPLE = frozenset({20, 21, 22})  # false, true, null
_MAX_DEPTH = 8


def _skip(data: bytes, place: int, depth: int) -> int:
    """Walk over one item and give where it ends; -1 for whatever a seal never holds.

    Tags, indefinite lengths and floats are refused before the library meets them: it would build
    dates, decimals and regular expressions from a stranger's tags (RFC 8949 §3).
    """
    if not 0 <= place < len(data) or depth > _MAX_DEPTH:
        return -1
    major, low = data[place] >> 5, data[place] & 31
    size = _ARGUMENT_BYTES.get(low, 0)
    if low > 27 or major == 6 or (major == 7 and low not in _SIMPLE):
        return -1
    place += 1 + size
    argument = int.from_bytes(data[place - size : place], "big") if size else low
    if argument >> 53:  # beyond what every reader counts exactly
        return -1
    if major in {2, 3}:
        return place + argument if place + argument <= len(data) else -1
    items = {4: argument, 5: 2 * argument}.get(major, 0)
    if items > len(data) or place > len(data):
        return -1
    for _ in range(items):
        place = _skip(data, place, depth + 1)
        if place < 0:
            return -1
    return place


def _parse_base32(code: str) -> bytes:
    """Decode base32 that has exactly one spelling: no padding and no left-over bits."""
    if not _BASE32.fullmatch(code):
        raise SealError("a seal is written in base32, capitals and 2 to 7")
    size, left_over = divmod(5 * len(code), 8)
    value = int(code.translate(_DIGITS), 32)  # one call in C: the library loops in Python
    if size > MAX_SEAL_BYTES or left_over >= 5 or value & ((1 << left_over) - 1):
        raise SealError("the seal is too long, or its base32 has left-over bits")
    return (value >> left_over).to_bytes(size, "big")


def _take_apart(message: Any, origin: str | None) -> UnverifiedSeal:
    match message:
        case [
            bytes() as protected,
            dict() as unprotected,
            bytes() as payload,
            bytes() as signature,
        ]:
            pass
        case _:
            raise SealError("a seal has four parts")
    header, claims = _loads(protected), _loads(payload)
    if cbor2.dumps(header) != protected or cbor2.dumps(claims) != payload:
        raise SealError("the seal is not written in the shortest form, or says something twice")
    if unprotected or not isinstance(header, dict) or header.keys() != {1}:
        raise SealError("a seal's header names its algorithm and nothing else")
    if not isinstance(claims, dict):
        raise SealError("a seal's payload is a map")
    _check_claims(claims)
    return UnverifiedSeal(origin, protected, payload, signature, header[1], claims)


def _check_claims(claims: Mapping[Any, Any]) -> None:
    match claims.get(STATUS):
        case {"status_list": {"idx": index, "uri": str()}} if (
            type(index) is int and 0 <= index < 1 << 31
        ):
            pass
        case _:
            raise SealError("a seal points to its status")
    texts = all(isinstance(claims.get(name), str) for name in (SUB, "n", "h"))
    digest = claims.get("c")
    if not texts or not isinstance(digest, bytes) or len(digest) != DIGEST_BYTES:
        raise SealError("the seal lacks a claim")
    if not all(_is_instant(claims.get(name)) for name in (IAT, NBF)):
        raise SealError("the seal's iat or nbf is no instant")
    if not _is_instant(claims.get(EXP, 0)):
        raise SealError("the seal's exp is no instant")
    if not all(isinstance(claims.get(name, ""), str) for name in ("p", RECIPIENT)):
        raise SealError("the seal's project or recipient is no text")
    if RECIPIENT in claims and EXP not in claims:
        raise SealError("the seal of a copy says when it lapses")


def _is_instant(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LAST_SECOND


def verify_seal(seal: UnverifiedSeal, key: PublicKey) -> None:
    """Check a seal under one key; the algorithm is the key's. Raises: SignatureError."""
    suite = suite_of(key)
    if seal.algorithm != _ALGORITHMS[suite]:
        raise SignatureError("the seal names another algorithm than the key's")
    verify(suite, key, seal.signature, _to_be_signed(seal.protected, seal.payload))
