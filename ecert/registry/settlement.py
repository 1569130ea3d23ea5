"""The settlement 到期办结: what comes due by the calendar is done before anything else is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from ecert.errors import EcertError, ForkGuard, HomeError, ReadOnly
from ecert.keys import Role
from ecert.ledger.access import pick
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.directory import Directory
from ecert.ledger.trail import AuditEntry
from ecert.model import Actor, AgencyVersion, Competence, civil_date
from ecert.registry.keyring import ACTIVE, PENDING, RETIRED, KeyMaker, KeyRing
from ecert.store import (
    LOG,
    ClientRow,
    KeyRow,
    Reading,
    Transaction,
    agencies,
    clients,
    keys,
    register,
    trees,
)

SUSPENDED = "suspended"  # of a client


class Settlement(Verbs):
    """Lets new versions of agencies take effect, and closes competences that have ended."""

    def __init__(self, desk: Desk, ring: KeyRing, maker: KeyMaker, directory: Directory) -> None:
        super().__init__(desk)
        self._ring, self._maker, self._directory = ring, maker, directory
        self._settled = -1

    def settle(self) -> None:
        """Do what has come due: new versions of agencies take effect, ended periods are closed.

        Every act asks before it writes, and a service looks by itself; the store is looked at once a
        quarter of an hour, for all midnights fall on one. Raises: StoreBusy.
        """
        now = self.desk.clock()
        quarter = int(now.timestamp()) // 900
        if quarter == self._settled:
            return
        self._settled = quarter  # before the work, which asks again before it writes
        with self.desk.store.reading() as reading:
            due = (_due, _versions_due, _of_closed)
            waits = any(look(reading, now) for look in due)
        if waits:
            try:
                self._settle(now)
            except (ForkGuard, HomeError, ReadOnly):
                self._settled = -1  # nothing is written meanwhile; the next one tries again
            except BaseException:
                self._settled = -1
                raise

    def _settle(self, now: datetime) -> None:
        def work(tx: Transaction, _now: datetime) -> list[KeyRow]:
            agencies.lock(tx, [one.code for one in agencies.listed(tx)])
            for version in _versions_due(tx, now):
                agencies.take_version(tx, version)
            for client in _of_closed(tx, now):
                clients.put(tx, replace(client, state=SUSPENDED))
            codes = sorted({one.agency for one in _due(tx, now)})
            return [row for code in codes for row in _turn_keys(tx, code, now)]

        def log(tx: Transaction, old: list[KeyRow], _index: int) -> list[KeyRow]:
            size = trees.lock_head(tx, LOG).size
            for one in _due(tx, now):
                register.put(tx, replace(one, to_entry=size))
            return old

        entry = AuditEntry("register.settle", Actor("ecert"))
        for row in self.desk.act(entry, work, log=log):
            self._maker.destroy(row)
        self._ring.forget()
        self._directory.forget()

    def unproven(self) -> list[Competence]:
        """List ended periods that were closed without a new key: their proof is the receipt alone."""
        rows = self._ring.rows()
        with self.desk.store.reading() as reading:
            zones = {one.code: one.time_zone for one in agencies.listed(reading)}
            held = register.competences(reading)
        closed = [one for one in held if one.to_entry is not None]
        return [one for one in closed if not _was_turned(one, zones[one.agency], rows)]

    @needs(None)
    def prepare_key(self, code: str, *, by: Actor) -> None:
        """Make the agency's next key, certified by the root, for the day its period ends.

        It waits as ``pending``. A brought certificate, or a root that is not at hand: none is made.
        """
        with self.desk.store.reading() as reading:
            agency = pick(agencies.listed(reading), code)
            held = register.competences(reading, agencies=[code])
        ends = {one.to_day for one in held if one.to_entry is None and one.to_day is not None}
        ends -= {one.to_day for one in held if one.is_followed(held)}
        rows = [row for row in self._ring.rows() if row.agency == code]
        if sum(map(_is_next, rows)) >= len(ends) or not self._ring.signs_under_root(code):
            return
        entry = AuditEntry("key.prepare", by)
        try:
            made = self._maker.next(agency)
        except EcertError:
            return  # the root is not at hand: the period will be closed without a new key
        with self._maker.unless_undone(made):
            self.desk.act(
                entry,
                lambda tx, _now: keys.add(tx, made.row),
                lambda _done: {"kid": made.row.kid, "agency": code},
            )
        self._ring.forget()


def _due(reading: Reading, now: datetime) -> list[Competence]:
    """List periods that have ended and are not closed yet."""
    zones = {one.code: one.time_zone for one in agencies.listed(reading)}
    held = register.competences(reading)
    return [
        one
        for one in held
        if one.to_entry is None
        and one.is_due(civil_date(now, zones[one.agency]))
        and not one.is_followed(held)
    ]


def _versions_due(reading: Reading, now: datetime) -> list[AgencyVersion]:
    """List the versions that are in force by the calendar and not yet in the agencies' rows."""
    known = {one.code: one for one in agencies.listed(reading)}
    newest = {
        one.agency: one
        for one in agencies.versions(reading)
        if one.from_day <= civil_date(now, known[one.agency].time_zone)
    }
    return [one for one in newest.values() if not one.is_shown_by(known[one.agency])]


def _of_closed(reading: Reading, now: datetime) -> list[ClientRow]:
    """List the clients of closed agencies that still could call."""
    gone = {
        one.code
        for one in agencies.listed(reading)
        if one.is_closed(civil_date(now, one.time_zone))
    }
    if not gone:
        return []
    known = clients.listed(reading)
    return [one for one in known if one.agency in gone and one.state != SUSPENDED]


def _is_next(row: KeyRow) -> bool:
    return row.state == PENDING and row.certificate is not None


def _turn_keys(tx: Transaction, code: str, now: datetime) -> list[KeyRow]:
    """Let the waiting key sign from now on, and retire the others; give those."""
    rows = keys.lock(tx, Role.AGENCY, code)
    waiting = next((row for row in rows if _is_next(row)), None)
    if waiting is None:
        return []
    old = [row for row in rows if row.state == ACTIVE]
    for row in old:
        keys.put(tx, row.kid, state=RETIRED, retired_at=int(now.timestamp()))
    keys.put(tx, waiting.kid, state=ACTIVE)
    return old


def _was_turned(one: Competence, zone: str, rows: Iterable[KeyRow]) -> bool:
    """Tell whether the agency's key was changed soon enough to prove what was signed before."""
    return any(
        row.agency == one.agency
        and row.retired_at is not None
        and one.end(zone) <= row.retired_at <= one.proof_deadline(zone)
        for row in rows
    )
