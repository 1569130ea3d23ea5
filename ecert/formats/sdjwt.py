"""Selective disclosure (RFC 9901): disclosures and digests. Knows nothing of certificates.

Issuing: a :class:`Concealer` turns members and elements into digests and keeps their disclosures.
Reading: :func:`parse_sd_jwt`, then :func:`reveal` with all the checks of RFC 9901 §7.1.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ecert._encoding import Randomness, b64url, parse_bound_b64url
from ecert.errors import InputError, TokenError

MAX_DISCLOSURES = 5000
MAX_DEPTH = 16
SALT_BYTES = 16
_DRAW = 32

Path = tuple[str | int, ...]


def digest_of(disclosure: bytes) -> str:
    """Give the digest of an encoded disclosure: base64url of SHA-256 over its ASCII (§4.2.3)."""
    return b64url(hashlib.sha256(disclosure).digest())


def _digests_of(disclosures: Iterable[bytes]) -> list[str]:
    """Give the digests of many disclosures with one call of base64 instead of one each.

    A filled byte makes each digest a whole number of base64 groups: 33 bytes, 44 characters.
    """
    text = b64url(b"".join(hashlib.sha256(one).digest() + b"\x00" for one in disclosures))
    return [text[start : start + 43] for start in range(0, len(text), 44)]


def _salts(randomness: Randomness) -> Iterator[str]:
    """Draw salts of 128 bits (§9.3), many at a time: a system call costs more than a salt."""
    while True:
        drawn = randomness(SALT_BYTES * _DRAW)
        for start in range(0, len(drawn), SALT_BYTES):
            yield b64url(drawn[start : start + SALT_BYTES])


class Concealer:
    """Hides values behind digests and collects the disclosures, parents before children."""

    def __init__(self, randomness: Randomness = os.urandom) -> None:
        self._salts = _salts(randomness)
        self.disclosures: list[str] = []

    def member(self, name: str, value: Any) -> str:
        """Hide an object's member (§4.2.1); the digest belongs into its ``_sd``."""
        return self._hide([next(self._salts), name, value])

    def element(self, value: Any) -> dict[str, str]:
        """Hide an array's element (§4.2.2); what is returned stands in its place."""
        return {"...": self._hide([next(self._salts), value])}

    def members(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Hide all members of an object; the digests are sorted, so their order says nothing."""
        return {"_sd": sorted(self.member(name, value) for name, value in values.items())}

    def _hide(self, parts: list[Any]) -> str:
        disclosure = b64url(orjson.dumps(parts))
        self.disclosures.append(disclosure)
        return digest_of(disclosure.encode("ascii"))


@dataclass(frozen=True, slots=True)
class UnverifiedSdJwt:
    """An SD-JWT taken apart at its tildes: the issuer-signed JWT, disclosures, key binding."""

    jwt: str
    disclosures: tuple[str, ...]
    key_binding: str | None = None

    def __str__(self) -> str:
        return "~".join((self.jwt, *self.disclosures, self.key_binding or ""))


def parse_sd_jwt(text: str) -> UnverifiedSdJwt:
    """Take an SD-JWT apart (§4). Raises: TokenError."""
    jwt, separator, rest = text.partition("~")
    if not separator:
        raise TokenError("an SD-JWT has a tilde after its JWT")
    *disclosures, last = rest.split("~")
    if len(disclosures) > MAX_DISCLOSURES:
        raise TokenError(f"more than {MAX_DISCLOSURES} disclosures")
    if not jwt or not all(disclosures):
        raise TokenError("an empty part between tildes")
    return UnverifiedSdJwt(jwt, tuple(disclosures), last or None)


@dataclass(frozen=True, slots=True)
class Revealed:
    """The processed payload: claims, where each disclosure went, and how many digests stay closed."""

    claims: dict[str, Any]
    places: tuple[tuple[Path, str], ...]
    hidden: int


def reveal(payload: Mapping[str, Any], disclosures: Iterable[str]) -> Revealed:
    """Put disclosed values in their places, refusing whatever RFC 9901 §7.1 refuses.

    Raises: TokenError for a digest or disclosure that is repeated, unreferenced or misplaced, a
    name that is already there, and for another hash algorithm than SHA-256.
    """
    if payload.get("_sd_alg", "sha-256") != "sha-256":
        raise TokenError("only SHA-256 digests are supported")
    reader = _Reader(disclosures)
    claims = reader.object({name: payload[name] for name in payload if name != "_sd_alg"}, ())
    if reader.closed:
        raise TokenError("a disclosure belongs to no digest")
    return Revealed(claims, tuple(reader.places), reader.hidden)


class _Reader:
    """Walks a payload once, opening digests as it meets them.

    Values that are neither object nor list are taken as they are without a further call: most are.
    """

    def __init__(self, disclosures: Iterable[str]) -> None:
        encoded = [disclosure.encode("utf-8", "replace") for disclosure in disclosures]
        self.closed = dict(zip(_digests_of(encoded), encoded, strict=True))
        if len(self.closed) != len(encoded):
            raise TokenError("a disclosure is repeated")
        self.seen: set[str] = set()
        self.places: list[tuple[Path, str]] = []
        self.hidden = 0

    def object(self, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
        if len(path) > MAX_DEPTH:
            raise TokenError(f"nested deeper than {MAX_DEPTH} levels")
        if "..." in value or "_sd_alg" in value:
            raise TokenError("a reserved name stands where it may not")
        found = dict(value)
        digests = found.pop("_sd", ())
        for name, item in found.items():
            if isinstance(item, (dict, list)):
                found[name] = self.inside(item, (*path, name))
        if not isinstance(digests, (list, tuple)):
            raise TokenError("_sd is not a list")
        for digest in digests:
            raw = self._take(digest)
            if raw is None:
                continue
            _, name, item = self._content(raw, 3)
            if not isinstance(name, str) or name in found or name in {"_sd", "..."}:
                raise TokenError("a disclosure has a name that may not stand there")
            place = (*path, name)
            self.places.append((place, raw.decode()))
            found[name] = self.inside(item, place) if isinstance(item, (dict, list)) else item
        return found

    def inside(self, value: dict[str, Any] | list[Any], path: Path) -> Any:
        return self.object(value, path) if isinstance(value, dict) else self.array(value, path)

    def array(self, value: list[Any], path: Path) -> list[Any]:
        if len(path) > MAX_DEPTH:
            raise TokenError(f"nested deeper than {MAX_DEPTH} levels")
        found: list[Any] = []
        for item in value:
            place = (*path, len(found))
            if not isinstance(item, (dict, list)):
                found.append(item)
            elif isinstance(item, list) or "..." not in item:
                found.append(self.inside(item, place))
            elif len(item) != 1:
                raise TokenError("a hidden element has other members")
            elif (raw := self._take(item["..."])) is not None:
                self.places.append((place, raw.decode()))
                _, content = self._content(raw, 2)
                is_plain = not isinstance(content, (dict, list))
                found.append(content if is_plain else self.inside(content, place))
        return found

    def _take(self, digest: Any) -> bytes | None:
        """Give the disclosure of a digest, once; None when it was not shown."""
        if not isinstance(digest, str) or digest in self.seen:
            raise TokenError("a digest is repeated or is not a text")
        self.seen.add(digest)
        raw = self.closed.pop(digest, None)
        self.hidden += raw is None
        return raw

    @staticmethod
    def _content(raw: bytes, parts: int) -> list[Any]:
        """Decode a disclosure: salt, then name and value, or a value alone."""
        try:
            content = orjson.loads(parse_bound_b64url(raw))
        except (InputError, ValueError) as error:
            raise TokenError("a disclosure is malformed") from error
        is_list = isinstance(content, list) and len(content) == parts
        if not is_list or not isinstance(content[0], str):
            raise TokenError("a disclosure has the wrong form for its place")
        return content  # type: ignore[no-any-return]  # a list, as was just checked


def select(
    sd_jwt: UnverifiedSdJwt, revealed: Revealed, wanted: Callable[[Path], bool]
) -> UnverifiedSdJwt:
    """Keep only the disclosures whose place is wanted; a child needs its parents (§7.2)."""
    kept = {path: disclosure for path, disclosure in revealed.places if wanted(path)}
    concealed = {path for path, _ in revealed.places}
    chosen = tuple(
        disclosure
        for path, disclosure in kept.items()
        if all(path[:end] in kept for end in range(1, len(path)) if path[:end] in concealed)
    )
    return UnverifiedSdJwt(sd_jwt.jwt, chosen)
