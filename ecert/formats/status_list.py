"""Status lists (draft-ietf-oauth-status-list-20): who is no longer valid, without saying who is asked about.

A list is packed from the least significant bit of each byte, compressed with zlib, and signed by
the status key. A second list over the same places, ``warned``, says whose foundations have fallen
(design §10.3). The details tokens beside it, one for each 4,096 places, name for every index that ever
changed the exact status, since when, and the successor; and what fell of that which it rests on.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecert._encoding import b64url, parse_b64url, to_json
from ecert.errors import InputError, SignatureError, TokenError
from ecert.formats._jws import STATUS_DETAILS, STATUS_LIST, parse_compact, sign_jws, verify_jws
from ecert.keys import Signer, TrustedRegistry
from ecert.model import FALLEN, FOUNDATION_FALLEN, Status

BITS = 2
LIST_BITS = 16
LIST_SIZE = 1 << LIST_BITS  # 65,536 certificates share a list: 16 KiB before compression
PART_BITS = 12  # details come in parts of 4,096 places: 16 of a list
PARTS = LIST_SIZE >> PART_BITS
TTL = 60
LIFETIME = 24 * 3600
MAX_LIST_BYTES = 4 << 20
_ROUNDS = 8

VALID, ENDED, SUSPENDED, SUPERSEDED = range(4)
VALUES = {
    Status.VALID: VALID,
    Status.CANCELLED: ENDED,
    Status.WITHDRAWN: ENDED,
    Status.REVOKED: ENDED,
    Status.SUSPENDED: SUSPENDED,
    Status.SUPERSEDED: SUPERSEDED,
}


def shuffle(counter: int, key: bytes, number: int) -> int:
    """Turn the n-th place of list ``number`` into an index that cannot be guessed without the key.

    A balanced Feistel network over 16 bits with a keyed BLAKE2s as round function: a permutation,
    so no two certificates meet and no retry is needed.
    """
    salt = number.to_bytes(8, "big")
    half = LIST_BITS // 2
    mask = (1 << half) - 1
    left, right = counter >> half, counter & mask
    for turn in range(_ROUNDS):
        digest = hashlib.blake2s(bytes((turn, right)), key=key, salt=salt, digest_size=1).digest()
        left, right = right, left ^ digest[0] & mask
    return left << half | right


@dataclass(frozen=True, slots=True)
class StatusList:
    """An uncompressed status list: ``bits`` an entry, packed from the low end of each byte."""

    bits: int
    data: bytes

    def __getitem__(self, index: int) -> int:
        """Give the value at an index. Raises: InputError when it is outside the list."""
        per_byte = 8 // self.bits
        if not 0 <= index < len(self.data) * per_byte:
            raise InputError("the index lies outside the status list")
        byte = self.data[index // per_byte]
        return byte >> index % per_byte * self.bits & (1 << self.bits) - 1

    def to_json(self) -> dict[str, Any]:
        """Give the ``status_list`` claim (§4.2)."""
        return {"bits": self.bits, "lst": b64url(zlib.compress(self.data, 9))}


def pack(values: Mapping[int, int], *, size: int = LIST_SIZE, bits: int = BITS) -> StatusList:
    """Pack the values that are not zero into a list of ``size`` entries (§4.1)."""
    per_byte = 8 // bits
    data = bytearray((size + per_byte - 1) // per_byte)
    for index, value in values.items():
        data[index // per_byte] |= value << index % per_byte * bits
    return StatusList(bits, bytes(data))


def parse_list(claim: Any) -> StatusList:
    """Read a ``status_list`` claim, bounded in size. Raises: InputError."""
    bits = claim.get("bits") if isinstance(claim, dict) else None
    if type(bits) is not int or bits not in {1, 2, 4, 8}:
        raise InputError("a status list has 1, 2, 4 or 8 bits an entry")
    if not isinstance(claim.get("lst"), str):
        raise InputError("a status list has a text named lst")
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(parse_b64url(claim["lst"]), MAX_LIST_BYTES)
    except zlib.error as error:
        raise InputError("the status list is not zlib data") from error
    if not unpacker.eof or unpacker.unused_data:
        raise InputError("the status list is too long or cut off")
    return StatusList(bits, data)


@dataclass(frozen=True, slots=True)
class Detail:
    """What the details token says of one index.

    ``changes`` counts the statements so far: with it a verifier that holds statements knows
    whether it holds all of them.
    """

    status: Status
    since: int
    changes: int
    successor: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the shape inside the token."""
        shown: dict[str, Any] = {
            "status": self.status.value,
            "since": self.since,
            "changes": self.changes,
        }
        return shown if self.successor is None else {**shown, "successor": self.successor}


@dataclass(frozen=True, slots=True)
class PlaceWarning:
    """That something a certificate rests on fell: what became of it, and since which day.

    ``since`` is 00:00 of that day in Unix seconds, so that nobody tells by it which one fell.
    """

    status: Status
    since: int

    def to_json(self) -> dict[str, Any]:
        """Give the shape inside the token."""
        return {"code": FOUNDATION_FALLEN, "status": self.status.value, "since": self.since}


@dataclass(frozen=True, slots=True)
class SignedList:
    """A status list whose signature was checked, with its age; ``warned`` None: it does not say."""

    uri: str
    statuses: StatusList
    issued_at: int
    expires_at: int
    warned: StatusList | None = None


@dataclass(frozen=True, slots=True)
class SignedDetails:
    """Details whose signature was checked, with their age."""

    uri: str
    details: Mapping[int, Detail]
    issued_at: int
    expires_at: int
    warned: Mapping[int, PlaceWarning] = field(default_factory=dict)


def part_of(index: int) -> int:
    """Say in which part of the details a place is."""
    return index >> PART_BITS


def details_uri(uri: str, part: int) -> str:
    """Give the address of a part of a list's details."""
    return f"{uri}/details/{part}"


def sign_list(
    uri: str,
    values: Mapping[int, int],
    signer: Signer,
    *,
    chain: tuple[bytes, ...],
    now: int,
    warned: Iterable[int] = (),
) -> str:
    """Sign a Status List Token (§5.1) that is fresh for 24 hours and cached for 60 seconds."""
    claims = {
        "status_list": pack(values).to_json(),
        "warned": pack(dict.fromkeys(warned, 1), bits=1).to_json(),
        "ttl": TTL,
    }
    return _sign(uri, claims, signer, chain=chain, now=now, typ=STATUS_LIST)


def sign_details(
    uri: str,
    details: Mapping[int, Detail],
    signer: Signer,
    *,
    chain: tuple[bytes, ...],
    now: int,
    warned: Mapping[int, PlaceWarning] | None = None,
) -> str:
    """Sign a part of a list's details; ``uri`` is that of ``details_uri``."""
    claims = {"details": _by_index(details), "warned": _by_index(warned or {}), "ttl": TTL}
    return _sign(uri, claims, signer, chain=chain, now=now, typ=STATUS_DETAILS)


def _by_index(told: Mapping[int, Detail | PlaceWarning]) -> dict[str, Any]:
    return {str(index): told[index].to_json() for index in sorted(told)}


def _sign(
    uri: str,
    claims: dict[str, Any],
    signer: Signer,
    *,
    chain: tuple[bytes, ...],
    now: int,
    typ: str,
) -> str:
    payload = to_json({"sub": uri, "iat": now, "exp": now + LIFETIME, **claims})
    return sign_jws(payload, signer, typ=typ, chain=chain)


def verify_list(token: str, *, uri: str, registry: TrustedRegistry) -> SignedList:
    """Check a Status List Token: its chain, its signature, and that it is the list asked for.

    Whether it is still fresh is for the caller to judge. Raises: TokenError, SignatureError.
    """
    claims = _verify(token, uri, registry, STATUS_LIST)
    try:
        statuses = parse_list(claims.get("status_list"))
        warned = parse_list(claims["warned"]) if "warned" in claims else None
    except InputError as error:
        raise TokenError(error.message) from error
    return SignedList(uri, statuses, claims["iat"], claims["exp"], warned)


def verify_details(token: str, *, uri: str, registry: TrustedRegistry) -> SignedDetails:
    """Check a details token like a list. Raises: TokenError, SignatureError."""
    claims = _verify(token, uri, registry, STATUS_DETAILS)
    try:
        details = {int(index): _detail(one) for index, one in claims["details"].items()}
        warned = {int(index): _warned(one) for index, one in claims.get("warned", {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TokenError("the details token is malformed") from error
    return SignedDetails(uri, details, claims["iat"], claims["exp"], warned)


def _warned(one: Mapping[str, Any]) -> PlaceWarning:
    status = Status(one["status"])
    if one["code"] != FOUNDATION_FALLEN or status not in FALLEN or type(one["since"]) is not int:
        raise ValueError("a foundation fell into one of four states, on a day")
    return PlaceWarning(status, one["since"])


def _detail(one: Mapping[str, Any]) -> Detail:
    successor = one.get("successor")
    if successor is not None and not isinstance(successor, str):
        raise TypeError("a successor is a text")
    if type(one["changes"]) is not int or one["changes"] < 1:
        raise ValueError("an entry counts at least one change")
    return Detail(Status(one["status"]), int(one["since"]), one["changes"], successor)


def _verify(token: str, uri: str, registry: TrustedRegistry, typ: str) -> Mapping[str, Any]:
    jws = parse_compact(token, typ=typ)
    claims = jws.unverified_claims()
    issued, expires = claims.get("iat"), claims.get("exp")
    if type(issued) is not int or type(expires) is not int:
        raise TokenError("a status token needs iat and exp")
    key = registry.status_key(jws.header.chain, issued)
    verify_jws(jws, key.key)
    registry.require_good(key, issued)
    if claims.get("sub") != uri:
        raise SignatureError("the status token speaks of another list")
    return claims
