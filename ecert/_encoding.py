"""Bytes and text: base64url, canonical JSON, strict JSON, digests, UTC instants."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

import orjson
import rfc8785

from ecert.errors import InputError, JsonError, TooLarge

LAST_SECOND = 253402128000  # two days before the year 10000, so that every time zone has the date
Clock = Callable[[], datetime]
Randomness = Callable[[int], bytes]

MAX_JSON_BYTES = 1 << 20
MAX_JSON_DEPTH = 32
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # possessive: linear, closed or not


def utc_now() -> datetime:
    """Give the present instant in UTC: the default clock."""
    return datetime.now(UTC)


_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")  # what base64url lacks becomes an error


def b64url(data: bytes) -> str:
    """Write bytes as base64url without padding (RFC 7515 §2)."""
    return binascii.b2a_base64(data).translate(_TO_URL, b"=\n").decode("ascii")


def parse_b64url(text: str | bytes) -> bytes:
    """Read base64url without padding, refusing anything that has a second spelling.

    Raises: InputError for padding, other characters or left-over bits.
    """
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    data = parse_bound_b64url(raw)
    if len(raw) % 4 and binascii.b2a_base64(data, newline=False).rstrip(b"=") != raw.translate(
        _FROM_URL
    ):
        raise InputError("base64url with left-over bits")
    return data


def parse_bound_b64url(raw: bytes) -> bytes:
    """Read base64url whose very characters are signed or hashed, so that left-over bits cannot hide.

    Raises: InputError for padding or other characters.
    """
    try:
        padded = raw.translate(_FROM_URL) + _PADDING[len(raw) % 4]
        return binascii.a2b_base64(padded, strict_mode=True)
    except binascii.Error as error:
        raise InputError("not base64url without padding") from error


_PADDING = (b"", b"===", b"==", b"=")


def b64(data: bytes) -> str:
    """Write bytes as padded standard base64 (RFC 4648 §4), as C2SP notes and x5c want it."""
    return base64.b64encode(data).decode("ascii")


def parse_b64(text: str | bytes) -> bytes:
    """Read padded standard base64 strictly. Raises: InputError."""
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    try:
        data = base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("not standard base64") from error
    if base64.b64encode(data) != raw:
        raise InputError("base64 with left-over bits")
    return data


def sha256(data: bytes) -> bytes:
    """Give the SHA-256 digest, 32 bytes."""
    return hashlib.sha256(data).digest()


def to_json(value: Any) -> bytes:
    """Write compact JSON as UTF-8."""
    return orjson.dumps(value)


def canonical(value: Any) -> bytes:
    """Write canonical JSON (RFC 8785): one value, one spelling, so that it can be hashed."""
    return rfc8785.dumps(value)


def canonical_plain(value: dict[str, Any]) -> bytes:
    """Write canonical JSON of an object with ASCII names and no fractions, ten times faster.

    For these RFC 8785 and sorted compact JSON are the same bytes; a property test holds it so.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def parse_signed_json(data: bytes) -> dict[str, Any]:
    """Read a JSON object out of a signed token; of a repeated key the last one counts (RFC 7515 §4).

    Raises: InputError.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError("not JSON") from error
    if not isinstance(value, dict):
        raise InputError("not a JSON object")
    return value


def parse_json(data: bytes | str, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Read JSON from outside: bounded in size and depth, without repeated keys, NaN or Infinity.

    Raises: JsonError, TooLarge.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > max_bytes:
        raise TooLarge(f"the JSON is longer than {max_bytes} bytes")
    _check_depth(raw)
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        raise JsonError(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise JsonError(f"not JSON: {error.msg} at {where}") from error
    except ValueError as error:  # an integer of thousands of digits
        raise JsonError("not JSON: a number is too long") from error
    if _SURROGATE.search(raw):
        _check_surrogates(value)
    return value


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise JsonError("a string holds half of a surrogate pair") from error


def _check_depth(raw: bytes) -> None:
    depth = 0
    for byte in re.findall(rb"[\[\]{}]", _STRINGS.sub(b"", raw)):
        depth += 1 if byte in b"[{" else -1
        if depth > MAX_JSON_DEPTH:
            raise TooLarge(f"the JSON is nested deeper than {MAX_JSON_DEPTH} levels")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonError(f"the member {_first_repeated(pairs)[:40]!r} stands twice in one object")
    return found


def _first_repeated(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    raise AssertionError("the caller found one")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise JsonError("a number is too large")
    return value


def _no_constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not JSON")


def instant(seconds: int) -> datetime:
    """Turn Unix seconds into a UTC instant. Raises: InputError where no such date exists."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise InputError("not an instant") from error


def rfc3339(moment: datetime) -> str:
    """Write an instant as RFC 3339 in UTC, whole seconds: ``2026-03-01T08:00:00Z``."""
    shown = moment.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    return shown.isoformat() + "Z"


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 instant (§5.6), with its offset or Z. Raises: InputError."""
    if not _INSTANT.fullmatch(text):
        raise InputError("not an RFC 3339 instant")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError("not an RFC 3339 instant") from error
