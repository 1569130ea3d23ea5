"""The trust file: which registries, agencies, status keys and logs a verifier believes.

It is obtained out of band (``ecert trust export``). An agency counts only under the anchors that
are listed for its code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import jsonschema_rs

from ecert._encoding import b64, instant, parse_b64, parse_json, parse_rfc3339, rfc3339
from ecert.errors import EcertError, InputError, SignatureError
from ecert.keys.chain import (
    MAX_CHAIN,
    Role,
    VerifiedKey,
    organisation_code,
    parse_certificate,
    verify_chain,
)
from ecert.model import DEFAULT_ZONE, check_time_zone

MAX_TRUST_BYTES = 8 << 20
_MAX_CACHED_CHAINS = 4096
_TEXTS = {"type": "array", "items": {"type": "string"}, "maxItems": 1000}
_KEY_EVENT = {
    "type": "object",
    "properties": {"kid": {"type": "string"}, "at": {"type": "string"}},
    "required": ["kid", "at"],
    "additionalProperties": False,
}
_COMPROMISE = {
    "type": "object",
    "properties": {
        "kid": {"type": "string"},
        "since": {"type": "string"},
        "log_size": {"type": "integer", "minimum": 0},
    },
    "required": ["kid", "since", "log_size"],
    "additionalProperties": False,
}
_SCHEMA = {
    "type": "object",
    "properties": {
        "v": {"const": 1},
        "registries": {
            "type": "array",
            "maxItems": 1000,
            "items": {
                "type": "object",
                "properties": {
                    "base_url": {"type": "string", "pattern": "^https?://[a-z0-9.:\\[\\]-]+$"},
                    "agencies": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "properties": {
                                "name": {"type": "string"},
                                "anchors": _TEXTS,
                                "certificates": _TEXTS,
                                "time_zone": {"type": "string"},
                            },
                            "required": ["name", "anchors", "certificates"],
                            "additionalProperties": False,
                        },
                    },
                    "status_anchors": _TEXTS,
                    "logs": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "vkey": {"type": "string"},
                                "witnesses": _TEXTS,
                                "quorum": {"type": "integer", "minimum": 0},
                            },
                            "required": ["vkey", "witnesses", "quorum"],
                            "additionalProperties": False,
                        },
                    },
                    "retired": {"type": "array", "items": _KEY_EVENT},
                    "compromised": {"type": "array", "items": _COMPROMISE},
                    "require_log": {"type": "boolean"},
                },
                "required": ["base_url", "agencies", "status_anchors", "logs"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["v", "registries"],
    "additionalProperties": False,
}
_VALIDATOR = jsonschema_rs.Draft202012Validator(_SCHEMA)


@dataclass(frozen=True, slots=True)
class TrustedAgency:
    """An agency that may sign, under its own anchors only (DER)."""

    code: str
    name: str
    anchors: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    time_zone: str = DEFAULT_ZONE

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
class TrustedLog:
    """A log's verification key (C2SP vkey) and the witnesses that must have signed beside it."""

    vkey: str
    witnesses: tuple[str, ...] = ()
    quorum: int = 0


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
    _chains: dict[tuple[Role, str | None, tuple[bytes, ...]], VerifiedKey] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def agency_key(self, code: str, chain: Sequence[bytes], at: int) -> VerifiedKey:
        """Check that a chain speaks for an agency at a signing time (Unix seconds).

        Raises: SignatureError, InputError.
        """
        agency = self.agencies.get(code)
        if agency is None:
            raise SignatureError("the agency is not in the trust file")
        return self._key(Role.AGENCY, code, tuple(chain), agency.anchors, at)

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
        found = self._chains.get((role, code, chain))
        if found is None or not found.not_before <= at <= found.not_after:
            found = verify_chain(chain, anchors, role=role, code=code, at=instant(at))
            if len(self._chains) >= _MAX_CACHED_CHAINS:
                self._chains.clear()
            self._chains[role, code, chain] = found
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

    def to_json(self) -> dict[str, Any]:
        """Give the registry's entry of a trust file."""
        return {
            "base_url": self.base_url,
            "agencies": {code: _agency_json(one) for code, one in self.agencies.items()},
            "status_anchors": [b64(der) for der in self.status_anchors],
            "logs": [
                {"vkey": log.vkey, "witnesses": list(log.witnesses), "quorum": log.quorum}
                for log in self.logs
            ],
            "retired": [{"kid": kid, "at": rfc3339(at)} for kid, at in self.retired.items()],
            "compromised": [
                {"kid": kid, "since": rfc3339(one.since), "log_size": one.log_size}
                for kid, one in self.compromised.items()
            ],
            "require_log": self.require_log,
        }


def _agency_json(agency: TrustedAgency) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": agency.name,
        "anchors": [b64(der) for der in agency.anchors],
        "certificates": [b64(der) for der in agency.certificates],
    }
    if agency.time_zone != DEFAULT_ZONE:
        shown["time_zone"] = agency.time_zone
    return shown


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
        """Give the trust file."""
        return {"v": 1, "registries": [one.to_json() for one in self.registries]}


def parse_trust(data: bytes | str) -> Trust:
    """Read a trust file. Raises: InputError, naming the place that is wrong."""
    value = parse_json(data, max_bytes=MAX_TRUST_BYTES)
    for error in _VALIDATOR.iter_errors(value):
        place = "/".join(map(str, error.instance_path)) or "top"
        raise InputError(f"trust file: {place}: {error.message}")
    return Trust(tuple(_registry(one) for one in value["registries"]))


def _registry(one: Mapping[str, Any]) -> TrustedRegistry:
    try:
        return TrustedRegistry(
            base_url=one["base_url"],
            agencies={code: _agency(code, item) for code, item in one["agencies"].items()},
            status_anchors=_ders(one["status_anchors"]),
            logs=tuple(
                TrustedLog(log["vkey"], tuple(log["witnesses"]), log["quorum"])
                for log in one["logs"]
            ),
            retired={item["kid"]: parse_rfc3339(item["at"]) for item in one.get("retired", ())},
            compromised={
                item["kid"]: Compromise(parse_rfc3339(item["since"]), item["log_size"])
                for item in one.get("compromised", ())
            },
            require_log=one.get("require_log", False),
        )
    except EcertError as error:
        raise InputError(f"trust file: {one['base_url']}: {error.message}") from error


def _agency(code: str, item: Mapping[str, Any]) -> TrustedAgency:
    zone = check_time_zone(item.get("time_zone", DEFAULT_ZONE))
    return TrustedAgency(
        code, item["name"], _ders(item["anchors"]), _ders(item["certificates"]), zone
    )


def _ders(texts: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(parse_b64(text) for text in texts)
