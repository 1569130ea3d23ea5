"""What reuse 用证 works with: the store, the types, the registry's key, and refusals that are audited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from ecert import audit
from ecert._encoding import Clock, Randomness, parse_signed_json
from ecert.catalogue import Catalogue
from ecert.errors import EcertError, InputError, NotFound
from ecert.ids import make_serial
from ecert.keys import SigningKey
from ecert.model import Actor
from ecert.reuse.matter import Matter, parse_matter
from ecert.reuse.sharing import NO_MATTER, lineage
from ecert.store import Reading, Store, Transaction, agencies, matters

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReuseDesk:
    """Everything that reuse needs of a registry."""

    store: Store
    base: str
    catalogue: Catalogue
    holder_hmac: Callable[[str], bytes]
    registry_key: Callable[[], SigningKey]
    client_quota: Callable[[str], int | None]
    clock: Clock
    randomness: Randomness

    def new_id(self, now: datetime) -> str:
        """Make an identifier: 26 characters, in the order of time."""
        return make_serial(int(now.timestamp() * 1000), self.randomness(10))

    def record(self, tx: Transaction, entry: audit.AuditEntry, now: datetime) -> None:
        """Write one audit row inside a transaction."""
        audit.record(tx, [entry], now=now, randomness=self.randomness)

    def act(
        self,
        entry: audit.AuditEntry,
        work: Callable[[Transaction, datetime], T],
        names: Callable[[T], Mapping[str, Any]] = lambda _result: {},
    ) -> T:
        """Do something in one transaction and audit it; a refusal is audited too.

        ``names`` says what of the result goes into the trail. What the work wrote before it refused
        stays, so it writes then only what a refusal needs. Raises: what the work raises, when its
        audit row is durable.
        """
        now = self.clock()
        refusal: list[EcertError] = []

        def run(tx: Transaction) -> T | None:
            refusal.clear()
            try:
                result = work(tx, now)
            except EcertError as error:
                refusal.append(error)
                refused = audit.AuditEntry(
                    entry.action, entry.by, error.code, entry.certificate, entry.details
                )
                self.record(tx, refused, now)
                return None
            details = {**entry.details, **names(result)}
            done = audit.AuditEntry(entry.action, entry.by, audit.DONE, entry.certificate, details)
            self.record(tx, done, now)
            return result

        result = self.store.write(run)
        if refusal:
            raise refusal[0]
        return result  # type: ignore[return-value]  # None only beside a refusal, or when T is None

    def matter(self, reading: Reading, code: str) -> Matter:
        """Find the newest version of a matter. Raises: NotFound."""
        found = matters.newest(reading, code) if len(code) <= 64 else None
        if found is None:
            raise NotFound(NO_MATTER)
        return self.read_matter(found)

    @staticmethod
    def read_matter(definition: bytes) -> Matter:
        """Read a stored definition; a few hundred are remembered, for one never changes."""
        return _parsed(definition)


def acting_agency(by: Actor) -> str:
    """Say for which agency somebody acts. Raises: InputError when that was left out."""
    if by.agency is None:
        raise InputError("say for which agency you act")
    return by.agency


def line_of(reading: Reading, by: Actor) -> list[str]:
    """Name the agency that acts and those above it. Raises: InputError, NotFound."""
    line = lineage(agencies.listed(reading), acting_agency(by))
    if not line:
        raise NotFound("this agency is not registered")
    return line


_REMEMBERED: dict[bytes, Matter] = {}
_MOST = 2000


def _parsed(definition: bytes) -> Matter:
    found = _REMEMBERED.get(definition)
    if found is None:
        found = parse_matter(parse_signed_json(definition), None)
        if len(_REMEMBERED) >= _MOST:
            _REMEMBERED.clear()
        _REMEMBERED[definition] = found
    return found
