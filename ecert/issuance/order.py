"""What is asked for: an order, what the desk needs to carry it out, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ecert.catalogue import CertificateType
from ecert.errors import EcertError
from ecert.ids import Identifier
from ecert.model import Actor, Agency, Basis, Draft, FallenFoundation, Operation, Record, civil_date


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's Idempotency-Key: kept as digests, in the same transaction as the issue.

    What was imported is kept for ever, so that an import can be restarted at any time.
    """

    client: str
    route: str
    key_digest: bytes
    body_digest: bytes


@dataclass(frozen=True, slots=True)
class Succession:
    """Which certificate the new one takes over from, by which operation, and why."""

    previous: str
    operation: Operation
    basis: Basis


@dataclass(frozen=True, slots=True)
class Order:
    """One certificate to issue: a draft that was checked, for an agency, by somebody."""

    kind: CertificateType
    draft: Draft
    agency: Agency
    by: Actor
    idempotency: Idempotency | None = None
    succession: Succession | None = None
    identifier: Identifier | None = None  # brought by an import of older certificates


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was issued, or found again under the same Idempotency-Key."""

    record: Record
    is_replay: bool = False

    def to_json(self) -> dict[str, Any]:
        """Give the ``issued`` shape: the certificate, its credential and its seal."""
        return {
            **self.record.to_json(),
            "credential": self.record.credential,
            "seal": self.record.seal,
        }


@dataclass
class Work:
    """One order on its way through the transaction."""

    order: Order
    issued_on: date
    previous: Record | None = None
    number: str = ""
    local_number: str | None = None
    place: tuple[int, int] = (0, 0)
    fallen: tuple[FallenFoundation, ...] = ()  # of what it rests on
    salt: bytes = b""
    record: Record | None = None
    error: EcertError | None = None
    is_replay: bool = False


def issued_on_of(order: Order, now: datetime) -> date:
    """Give the issue date: the draft's, or today in the agency's time zone."""
    return order.draft.issued_on or civil_date(now, order.agency.time_zone)


def made(work: Work) -> Record:
    """Give the record of a work that was carried out."""
    assert work.record is not None  # noqa: S101 - make or replay ran before
    return work.record


def each(check: Callable[[Work], None], works: Iterable[Work]) -> None:
    """Run a check for each order; a refusal stays with its own order."""
    for work in works:
        try:
            check(work)
        except EcertError as error:
            work.error = error
