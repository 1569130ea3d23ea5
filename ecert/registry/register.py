"""The register 名录: which agency may issue which type, since when and on what basis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from ecert.errors import CompetenceOverlaps, InputError, IssuedAfter, NotFound
from ecert.formats.receipt import Receipt
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.log import make_receipts
from ecert.ledger.register import (
    Ending,
    Registrar,
    check_basis,
    check_types,
    end_competence,
    enter,
    granted,
    registered,
    transferred,
)
from ecert.ledger.trail import AuditEntry
from ecert.model import PAPER, Actor, Agency, Competence, civil_date
from ecert.registry.settlement import Settlement
from ecert.registry.transfer import Transfer, hand_over
from ecert.store import Transaction, agencies, register, settings, trees

MAX_PAGE = 100
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Term:
    """From which civil day to which, both included; None: today, and open. ``only`` is ``paper``."""

    from_day: date | None = None
    to_day: date | None = None
    only: str | None = None


@dataclass(frozen=True, slots=True)
class RegisterEntry:
    """One signed act upon the register, with the proof that it is in the log."""

    statement: str
    receipt: Receipt

    def to_json(self) -> dict[str, Any]:
        """Give the shape of an item of ``GET /register``."""
        return {"statement": self.statement, "receipt": str(self.receipt)}


class Register(Verbs):
    """Gives and ends competences: the operator's yearly acts, signed with the registry's key."""

    def __init__(self, desk: Desk, settlement: Settlement) -> None:
        super().__init__(desk)
        self._settlement = settlement

    def competences(self, agency: str | None = None) -> list[Competence]:
        """List competences, past ones too: of one agency or of all, by agency, type and first day."""
        with self.desk.store.reading() as reading:
            codes = None if agency is None else [agency]
            return register.competences(reading, agencies=codes)

    def entries(self, after: int = -1, limit: int = 20) -> tuple[list[RegisterEntry], int | None]:
        """Give the signed acts behind a log index, in the order of the log; and where to go on.

        What no checkpoint covers yet is left for later.
        """
        size = max(1, min(limit, MAX_PAGE))
        with self.desk.store.snapshot() as reading:
            newest = trees.newest_checkpoint(reading)
            rows = register.statements(reading, after, size + 1)
            published = [row for row in rows if newest is not None and row.log_index < newest[1]]
            shown = published[:size]
            receipts = make_receipts(reading, [row.log_index for row in shown])
        items = [RegisterEntry(row.token, receipts[row.log_index]) for row in shown]
        return items, shown[-1].log_index if len(published) > size else None

    @needs(None)
    def allow(
        self,
        agency: str,
        slugs: Sequence[str],
        *,
        basis: str,
        by: Actor,
        term: Term | None = None,
    ) -> list[Competence]:
        """Let an agency issue types, on a basis such as 穗编办〔2019〕1号; each is a signed act.

        A first day in the past is allowed: the statement shows when it was said.
        Raises: InputError, NotFound, CompetenceOverlaps, KeyUnavailable.
        """
        wish = term or Term()
        entry = AuditEntry("competence.grant", by, details={"agency": agency[:18]})
        registrar = self._registrar_for(entry, basis, slugs)

        def work(tx: Transaction, now: datetime) -> list[Competence]:
            found = _open_agency(tx, agency)
            wanted = [_wanted(found, slug, basis, wish, now) for slug in dict.fromkeys(slugs)]
            require_room(register.competences(tx, agencies=[found.code]), wanted)
            return wanted

        def log(tx: Transaction, wanted: list[Competence], index: int) -> list[Competence]:
            at = int(self.desk.clock().timestamp())
            places = enter(tx, registrar, [granted(one, at) for one in wanted], index)
            done = [
                replace(one, register_index=place)
                for one, place in zip(wanted, places, strict=True)
            ]
            for one in done:
                register.add(tx, one)
            return done

        done = self.desk.act(entry, work, lambda _done: {"types": list(slugs)}, log=log)
        if wish.to_day is not None:
            self._settlement.prepare_key(agency, by=by)
        return done

    @needs(None)
    def disallow(
        self,
        agency: str,
        slugs: Sequence[str],
        *,
        basis: str,
        by: Actor,
        from_day: date | None = None,
    ) -> list[Competence]:
        """Let an agency issue types no longer from a day on (None: tomorrow); each is a signed act.

        What was wrongly granted is withdrawn one by one: a day before the newest issue is refused.
        Raises: InputError, NotFound, IssuedAfter, KeyUnavailable.
        """
        entry = AuditEntry("competence.end", by, details={"agency": agency[:18]})
        registrar = self._registrar_for(entry, basis, slugs)

        def work(tx: Transaction, now: datetime) -> list[Ending]:
            found = _open_agency(tx, agency)
            today = civil_date(now, found.time_zone)
            last = (from_day or today + DAY) - DAY
            held = register.competences(tx, agencies=[found.code])
            if moved := sorted({one.slug for one in held if one.successor} & set(slugs)):
                raise InputError(f"{moved[0]} is to be transferred: nothing else ends it")
            ended = [end_competence(tx, found, held, slug, last) for slug in dict.fromkeys(slugs)]
            if last < today:  # the count of what was issued since is in the refusal above
                raise IssuedAfter(
                    f"a competence ends today at the earliest: --from {today + DAY} "
                    "(0 certificates were issued since)"
                )
            return ended

        def log(tx: Transaction, ended: list[Ending], index: int) -> list[Ending]:
            at = int(self.desk.clock().timestamp())
            enter(tx, registrar, [act for one in ended for act in one.acts(basis, at)], index)
            for one in ended:
                one.put(tx)
            return ended

        done = self.desk.act(entry, work, lambda _done: {"types": list(slugs)}, log=log)
        self._settlement.prepare_key(agency, by=by)
        return [one for ending in done for one in (ending.cut, *ending.void) if one is not None]

    @needs(None)
    def transfer(
        self, agency: str, slugs: Sequence[str], *, to: str, from_day: date, basis: str, by: Actor
    ) -> list[Competence]:
        """Transfer types to a successor 承继 from a day on: it issues them, and acts upon what there is.

        Gives the competences that end. The old agency may stay open. Raises: NotFound, InputError,
        IssuedAfter, CompetenceOverlaps, NumberTaken for numbers that both carry, KeyUnavailable.
        """
        told = {"agency": agency[:18], "to": to[:18]}
        entry = AuditEntry("competence.transfer", by, details=told)
        registrar = self._registrar_for(entry, basis, slugs)

        def work(tx: Transaction, now: datetime) -> list[Transfer]:
            known = agencies.lock(tx, [one.code for one in agencies.listed(tx)])
            old, new = _open_one(known, agency), _open_one(known, to)
            if from_day <= civil_date(now, old.time_zone):
                raise IssuedAfter("a transfer takes effect tomorrow, or on a later day")
            return [
                hand_over(tx, old, new, slug, from_day=from_day, basis=basis)
                for slug in dict.fromkeys(slugs)
            ]

        def log(tx: Transaction, done: list[Transfer], index: int) -> list[Transfer]:
            at = int(self.desk.clock().timestamp())
            acts = [transferred(one.ended, from_day, basis, at) for one in done]
            void = [act for one in done for act in Ending(None, one.void).acts(basis, at)]
            for one, place in zip(done, enter(tx, registrar, [*acts, *void], index), strict=False):
                Ending(one.ended, one.void).put(tx)
                if one.begun is not None:
                    register.add(tx, replace(one.begun, register_index=place))
            return done

        done = self.desk.act(entry, work, lambda _done: {"types": list(slugs)}, log=log)
        self._settlement.prepare_key(agency, by=by)
        return [one.ended for one in done]

    @needs(None)
    def sign_taken_over(self, *, by: Actor) -> list[Competence]:
        """Sign what an older version had no register for: agencies, and the types they have issued.

        Raises: KeyUnavailable.
        """
        registrar = self._registrar()

        def work(tx: Transaction, _now: datetime) -> list[Competence]:
            agencies.lock(tx, [one.code for one in agencies.listed(tx)])
            return [one for one in register.competences(tx) if one.register_index is None]

        def log(tx: Transaction, waiting: list[Competence], index: int) -> list[Competence]:
            at = int(self.desk.clock().timestamp())
            places = (
                enter(tx, registrar, [granted(one, at) for one in waiting], index)
                if waiting
                else []
            )
            signed = [
                replace(one, register_index=place)
                for one, place in zip(waiting, places, strict=True)
            ]
            for one in signed:
                register.put(tx, one)
            return signed

        entry = AuditEntry("register.upgrade", by)
        return self.desk.act(entry, work, lambda found: {"count": str(len(found))}, log=log)

    @needs(None)
    def say_again(self, moved: Mapping[str, str], *, by: Actor) -> None:
        """Take over a changed address before anything was published, and sign the whole register anew.

        What was signed under the old address stays in the log, and says nothing about the new one.
        """
        registrar = self._registrar()

        def work(tx: Transaction, _now: datetime) -> list[Agency]:
            for name, value in moved.items():
                settings.put(tx, name, value)
            return agencies.listed(tx)

        def log(tx: Transaction, known: list[Agency], index: int) -> list[Agency]:
            at, versions = int(self.desk.clock().timestamp()), agencies.versions(tx)
            first = {one.agency: one.from_day for one in reversed(versions)}
            acts = [registered(one, at, first[one.code], registrar.base) for one in known]
            held = register.competences(tx)
            places = enter(tx, registrar, [*acts, *(granted(one, at) for one in held)], index)
            for one, place in zip(held, places[len(acts) :], strict=True):
                register.put(tx, replace(one, register_index=place))
            return known

        self.desk.act(AuditEntry("register.resign", by), work, log=log)

    def _registrar_for(self, entry: AuditEntry, basis: str, slugs: Sequence[str]) -> Registrar:
        """Check what an act upon some types rests on, and give the registrar; a refusal is a row."""
        with self.desk.audited(entry):
            check_basis(basis)
            check_types(self.desk.catalogue, slugs)
            if not slugs:
                raise InputError("name at least one type, such as construction-permit")
            return self._registrar()

    def _registrar(self) -> Registrar:
        return Registrar(self.desk.keys.registry_key(), self.desk.base, self.desk.randomness)


def require_room(held: Iterable[Competence], wanted: Sequence[Competence]) -> None:
    """Refuse periods of one type that overlap, or were transferred. Raises: CompetenceOverlaps, InputError."""
    for one in wanted:
        for other in held:
            if other.slug == one.slug and other.successor is not None:
                raise InputError(
                    f"{one.slug} was transferred to {other.successor}: it issues it now"
                )
            if other.slug == one.slug and other.overlaps(one):
                raise CompetenceOverlaps(
                    f"{one.agency} holds {one.slug} from {other.from_day} to {other.to_day or 'open'} already"
                )


def _open_agency(tx: Transaction, code: str) -> Agency:
    return _open_one(agencies.lock(tx, [code]), code)


def _open_one(known: Mapping[str, Agency], code: str) -> Agency:
    found = known.get(code)
    if found is None:
        raise NotFound("this agency is not registered")
    if found.closed_on is not None:
        raise InputError(f"this agency is closed from {found.closed_on} on")
    return found


def _wanted(agency: Agency, slug: str, basis: str, wish: Term, now: datetime) -> Competence:
    first = wish.from_day or civil_date(now, agency.time_zone)
    if wish.to_day is not None and wish.to_day < first:
        raise InputError("the last day lies before the first")
    if wish.only not in {None, PAPER}:
        raise InputError(f"a competence is whole, or only for {PAPER}")
    return Competence(agency.code, slug, first, basis, wish.to_day, wish.only)
