"""What a verifier believes 信任: which registries, agencies, status keys and logs.

It comes from a trust file that is obtained out of band (``ecert trust export``). An agency counts
only under the anchors that are listed for its code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from ecert._encoding import b64, instant, rfc3339, to_json
from ecert.errors import InputError, SignatureError
from ecert.keys.chain import (
    MAX_CHAIN,
    Role,
    VerifiedKey,
    organisation_code,
    parse_certificate,
    verify_chain,
)
from ecert.model import DEFAULT_ZONE, Competence, civil_date

_MAX_CACHED_CHAINS = 4096
# Chains that led to an anchor, whichever trust file listed it: a chain proves the same every time.
_CHECKED: dict[tuple[Role, str | None, tuple[bytes, ...], tuple[bytes, ...]], VerifiedKey] = {}


@dataclass(frozen=True, slots=True)
class TrustedAgency:
    """An agency that may sign, under its own anchors only (DER), and what it may issue.

    ``names`` are those it had, each from its first day, oldest first; ``may_issue`` None says that
    the trust file (v1) does not list it.
    """

    code: str
    name: str
    anchors: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    time_zone: str = DEFAULT_ZONE
    names: tuple[tuple[date, str], ...] = ()
    may_issue: tuple[Competence, ...] | None = None
    closed_on: date | None = None

    def is_closed(self, at: int) -> bool:
        """Tell whether it was no more at a moment (Unix seconds)."""
        return self.closed_on is not None and self.closed_on <= civil_date(
            instant(at), self.time_zone
        )

    def name_on(self, day: date) -> str | None:
        """Give its name on a day, or None before it had one."""
        return next((name for start, name in reversed(self.names) if start <= day), None)

    def competence(self, slug: str, day: date) -> Competence | None:
        """Find its competence to issue a type on a day, or None."""
        return next((one for one in self._held(slug) if one.covers(day)), None)

    def was_competent(self, slug: str, day: date) -> bool:
        """Tell whether it could issue a type on a day or earlier."""
        return any(one.from_day <= day for one in self._held(slug))

    def _held(self, slug: str) -> list[Competence]:
        return [one for one in self.may_issue or () if (one.slug, one.only) == (slug, None)]

    def successor(self, slug: str, day: date) -> str | None:
        """Name the agency that a type was transferred to by a day, or None."""
        found = (one for one in self.may_issue or () if one.slug == slug)
        return next((one.successor for one in found if one.successor and one.is_due(day)), None)

    def chains(self) -> tuple[tuple[bytes, ...], ...]:
        """Give each listed leaf with the intermediate certificates that are listed beside it."""
        return _chains(self.code, self.certificates)


@lru_cache(maxsize=1024)
def _chains(code: str, certificates: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], ...]:
    leaves = [der for der in certificates if _speaks_for(der, code)]
    between = tuple(der for der in certificates if der not in leaves)[: MAX_CHAIN - 1]
    return tuple((leaf, *between) for leaf in leaves)


def _speaks_for(der: bytes, code: str) -> bool:
    try:
        return organisation_code(parse_certificate(der)) == code
    except InputError:
        return False


@dataclass(frozen=True, slots=True)
class ClosedLog:
    """How long a log was when it was closed, and its root then (32 bytes): nothing entered it since."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A log's verification key (C2SP vkey) and the witnesses that must have signed beside it."""

    vkey: str
    witnesses: tuple[str, ...] = ()
    quorum: int = 0
    closed: ClosedLog | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Of when a trust file is: the time of the newest entry of a log that was so long.

    Never a wall clock: two exports of the same state are the same bytes.
    """

    at: datetime
    log: str
    size: int


class KeyStanding(StrEnum):
    """What a key counts for: retired keys for what they signed before, compromised ones by proof only."""

    GOOD = "good"
    RETIRED = "retired"
    COMPROMISED = "compromised"


@dataclass(frozen=True, slots=True)
class Compromise:
    """Since when a key is in wrong hands, and how long the log was at that moment."""

    since: datetime
    log_size: int


@dataclass(frozen=True)
class TrustedRegistry:
    """One registry that a verifier believes, and what it believes about its keys."""

    base_url: str
    agencies: Mapping[str, TrustedAgency]
    status_anchors: tuple[bytes, ...]
    logs: tuple[TrustedLog, ...] = ()
    retired: Mapping[str, datetime] = field(default_factory=dict)
    compromised: Mapping[str, Compromise] = field(default_factory=dict)
    require_log: bool = False
    as_of: Snapshot | None = field(
        default=None, compare=False
    )  # of the same register, at any moment
    kept: frozenset[str] = frozenset()  # retired, but a private half may lie in a backup

    def agency_key(self, code: str, chain: Sequence[bytes], at: int) -> VerifiedKey:
        """Check that a chain speaks for an agency at a signing time (Unix seconds).

        Raises: SignatureError, InputError.
        """
        agency = self.agencies.get(code)
        if agency is None:
            raise SignatureError("the agency is not in the trust file")
        return self._key(Role.AGENCY, code, tuple(chain), agency.anchors, at)

    def responsible(self, issuer: str, slug: str, at: int) -> str:
        """Name the agency that answers, at a moment (Unix seconds), for what another issued."""
        found = [issuer]
        while (agency := self.agencies.get(found[-1])) is not None:
            following = agency.successor(slug, civil_date(instant(at), agency.time_zone))
            if following is None or following in found:
                break
            found.append(following)
        return found[-1]

    def status_key(self, chain: Sequence[bytes], at: int) -> VerifiedKey:
        """Check that a chain may sign status lists at a signing time. Raises: SignatureError."""
        return self._key(Role.STATUS, None, tuple(chain), self.status_anchors, at)

    def registry_key(self, chain: Sequence[bytes], at: int) -> VerifiedKey:
        """Check that a chain may sign dossiers, under the anchors of the registry's own keys.

        Raises: SignatureError, InputError.
        """
        return self._key(Role.REGISTRY, None, tuple(chain), self.status_anchors, at)

    def _key(
        self,
        role: Role,
        code: str | None,
        chain: tuple[bytes, ...],
        anchors: tuple[bytes, ...],
        at: int,
    ) -> VerifiedKey:
        named = (role, code, chain, anchors)
        found = _CHECKED.get(named)
        if found is None or not found.not_before <= at <= found.not_after:
            found = verify_chain(chain, anchors, role=role, code=code, at=instant(at))
            if len(_CHECKED) >= _MAX_CACHED_CHAINS:
                _CHECKED.clear()
            _CHECKED[named] = found
        return found

    def standing(self, key: VerifiedKey, at: int) -> KeyStanding:
        """Say what a key counts for that was used by ``at`` (Unix seconds) at the latest."""
        retired = self.retired.get(key.kid)
        if retired is not None and at >= int(retired.timestamp()):
            return KeyStanding.RETIRED
        return KeyStanding.COMPROMISED if key.kid in self.compromised else KeyStanding.GOOD

    def require_good(self, key: VerifiedKey, at: int) -> None:
        """Check that a key counted at a moment, with no proof from elsewhere. Raises: SignatureError."""
        if (standing := self.standing(key, at)) is not KeyStanding.GOOD:
            raise SignatureError(f"the key that signed this is {standing.value}")


@dataclass(frozen=True, slots=True)
class Trust:
    """All registries that a verifier believes, by the address they are known under."""

    registries: tuple[TrustedRegistry, ...]

    def find(self, base_url: str) -> TrustedRegistry | None:
        """Find the registry of an address exactly, or None."""
        return next((one for one in self.registries if one.base_url == base_url), None)

    def of_address(self, address: str) -> TrustedRegistry | None:
        """Find the registry below whose ``base_url`` an address lies, or None."""
        for one in self.registries:
            if address.startswith(one.base_url + "/"):
                return one
        return None

    def to_json(self) -> dict[str, Any]:
        """Give the trust file: version 2, unless a registry of it was read from version 1."""
        version = 2 if all(one.as_of is not None for one in self.registries) else 1
        shown = [_registry_json(one, version) for one in self.registries]
        return {"v": version, "registries": shown}

    def to_bytes(self) -> bytes:
        """Give the trust file as it is handed out, by hand and over HTTP: the same bytes."""
        return to_json(self.to_json())


def _registry_json(registry: TrustedRegistry, version: int) -> dict[str, Any]:
    shown = {
        "base_url": registry.base_url,
        "agencies": {code: _agency_json(one, version) for code, one in registry.agencies.items()},
        "status_anchors": [b64(der) for der in registry.status_anchors],
        "logs": [_log_json(log) for log in registry.logs],
        "retired": [
            {"kid": kid, "at": rfc3339(at)} | ({"destroyed": False} if kid in registry.kept else {})
            for kid, at in registry.retired.items()
        ],
        "compromised": [
            {"kid": kid, "since": rfc3339(one.since), "log_size": one.log_size}
            for kid, one in registry.compromised.items()
        ],
        "require_log": registry.require_log,
    }
    as_of = registry.as_of
    if version == 1 or as_of is None:
        return shown
    return {**shown, "as_of": {"at": rfc3339(as_of.at), "log": as_of.log, "size": as_of.size}}


def _log_json(log: TrustedLog) -> dict[str, Any]:
    shown = {"vkey": log.vkey, "witnesses": list(log.witnesses), "quorum": log.quorum}
    if log.closed is None:
        return shown
    return {**shown, "closed": {"size": log.closed.size, "root": b64(log.closed.root)}}


def _agency_json(agency: TrustedAgency, version: int) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "anchors": [b64(der) for der in agency.anchors],
        "certificates": [b64(der) for der in agency.certificates],
    }
    if agency.time_zone != DEFAULT_ZONE:
        keys["time_zone"] = agency.time_zone
    if version == 1:
        return {"name": agency.name, **keys}
    names = [{"name": name, "from": start.isoformat()} for start, name in agency.names]
    closed = {} if agency.closed_on is None else {"closed_on": agency.closed_on.isoformat()}
    held = [_competence_json(one) for one in agency.may_issue or ()]
    return {"names": names, **keys, "may_issue": held, **closed}


def _competence_json(one: Competence) -> dict[str, Any]:
    shown = {
        "type": one.slug,
        "from": one.from_day.isoformat(),
        "to": None if one.to_day is None else one.to_day.isoformat(),
        "to_entry": one.to_entry,
        "only": one.only,
        "successor": one.successor,
    }
    return {name: value for name, value in shown.items() if value is not None}
