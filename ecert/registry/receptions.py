"""Receptions 综合受理、委托: which agency receives applications for another, or issues in its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from ecert.errors import InputError, NotFound
from ecert.ledger.acting import Verbs, needs
from ecert.ledger.receptions import ACTS, ISSUE_FOR, RECEIVE
from ecert.ledger.register import check_basis
from ecert.ledger.trail import AuditEntry
from ecert.model import DEFAULT_ZONE, Actor, civil_date
from ecert.reuse.matter import find_matter
from ecert.store import ReceptionRow, Transaction, agencies, receptions


@dataclass(frozen=True, slots=True)
class ReceptionWish:
    """Who receives for whom: one matter, or all of the principal's (None); days are inclusive."""

    agency: str
    principal: str
    basis: str
    matter: str | None = None
    acts: Sequence[str] = (RECEIVE,)
    from_day: date | None = None
    to_day: date | None = None


class Receptions(Verbs):
    """Adds and ends receptions: the operator's acts, each with its basis."""

    @needs(None)
    def add(self, wish: ReceptionWish, *, by: Actor) -> ReceptionRow:
        """Let an agency receive for another, and with ``issue`` issue in its name 委托.

        Raises: InputError, also for a reception of a reception; NotFound for an agency or matter.
        """

        def work(tx: Transaction, now: datetime) -> ReceptionRow:
            row = _row_of(tx, wish, self.desk.new_id(now), now)
            receptions.add(tx, row)
            return row

        told = {"agency": wish.agency[:18], "principal": wish.principal[:18]}
        entry = AuditEntry("reception.add", by, details=told)
        return self.desk.act(entry, work, lambda row: {"reception": row.id})

    @needs(None)
    def end(self, reception: str, *, by: Actor) -> ReceptionRow:
        """End a reception, from now on. Raises: NotFound."""

        def work(tx: Transaction, now: datetime) -> ReceptionRow:
            if len(reception) > 26 or receptions.find(tx, reception) is None:
                raise NotFound("there is no such reception")
            receptions.end(tx, reception, int(now.timestamp()))
            found = receptions.find(tx, reception)
            assert found is not None  # noqa: S101 - it was there a moment ago
            return found

        return self.desk.act(
            AuditEntry("reception.end", by), work, lambda row: {"reception": row.id}
        )

    @needs(None)
    def all(self, *, by: Actor) -> list[ReceptionRow]:
        """List the receptions, ended ones too, oldest first."""
        del by
        with self.desk.store.reading() as reading:
            return receptions.listed(reading)


def _row_of(tx: Transaction, wish: ReceptionWish, identifier: str, now: datetime) -> ReceptionRow:
    check_basis(wish.basis)
    acts = tuple(dict.fromkeys(wish.acts))
    if RECEIVE not in acts or set(acts) - set(ACTS):
        raise InputError(f"acts are {RECEIVE}, or {RECEIVE} and {ISSUE_FOR}: --acts receive,issue")
    if wish.agency == wish.principal:
        raise InputError("an agency receives for another, not for itself")
    known = {one.code: one for one in agencies.listed(tx)}
    for code in (wish.agency, wish.principal):
        if code not in known:
            raise NotFound("this agency is not registered")
        if known[code].closed_on is not None:
            raise InputError(f"agency {code} is closed from {known[code].closed_on} on")
    first = wish.from_day or civil_date(now, DEFAULT_ZONE)
    if wish.to_day is not None and wish.to_day < first:
        raise InputError("the last day lies before the first")
    return ReceptionRow(
        id=identifier,
        agency=wish.agency,
        principal=wish.principal,
        matter=wish.matter,
        acts=acts,
        slugs=_slugs(tx, wish),
        basis=wish.basis,
        from_day=first.isoformat(),
        to_day=None if wish.to_day is None else wish.to_day.isoformat(),
        ended_at=None,
        created_at=int(now.timestamp()),
    )


def _slugs(tx: Transaction, wish: ReceptionWish) -> tuple[str, ...]:
    """Give the types that a matter results in; it is the principal's own: nobody passes on a reception."""
    if wish.matter is None:
        return ()
    matter = find_matter(tx, wish.matter)
    if matter.agency != wish.principal:
        raise InputError(
            f"{matter.code} is not a matter of {wish.principal}: a reception is not passed on"
        )
    if ISSUE_FOR in wish.acts and not matter.issues:
        raise InputError(f"{matter.code} results in no certificate: there is nothing to issue")
    return matter.issues
