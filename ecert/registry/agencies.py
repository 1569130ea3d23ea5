"""Agencies 机构: departments that issue or use certificates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from ecert.errors import Forbidden, InputError, NotFound
from ecert.formats.picture import check_image
from ecert.ledger.access import ANYBODY, CLIENTS, managed, may_lift, pick, setter
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.directory import Directory
from ecert.ledger.register import (
    Ending,
    Newcomer,
    Registrar,
    changed,
    check_basis,
    check_types,
    closed,
    end_competence,
    enter,
    enter_agency,
)
from ecert.ledger.trail import AuditEntry
from ecert.model import (
    Actor,
    Agency,
    AgencyVersion,
    check_time_zone,
    civil_date,
)
from ecert.registry.agency_versions import check_new, check_version, newest_version
from ecert.registry.keyring import KeyMaker, KeyRing
from ecert.registry.settlement import Settlement
from ecert.store import Transaction, agencies, keys, register

MAX_NAME = 100
REGISTERED = "registered by the operator"  # what competences rest on when nothing else is said


class Agencies(Verbs):
    """Registers agencies and changes what is known of them."""

    def __init__(
        self,
        desk: Desk,
        directory: Directory,
        ring: KeyRing,
        maker: KeyMaker,
        settlement: Settlement,
    ) -> None:
        super().__init__(desk)
        self._directory, self._ring, self._maker = directory, ring, maker
        self._settlement = settlement

    def all(self) -> list[Agency]:
        """List the registered agencies, oldest first."""
        with self.desk.store.reading() as reading:
            return agencies.listed(reading)

    def get(self, code: str | None) -> Agency:
        """Find an agency; None means the only one. Raises: InputError, NotFound."""
        return pick(self.all(), code)

    @needs(ANYBODY)
    def managed(self, *, by: Actor) -> list[Agency]:
        """List the agencies that somebody manages: his own and those below it; an operator all."""
        with self.desk.store.reading() as reading:
            mine = managed(reading, by)
            return [one for one in agencies.listed(reading) if one.code in mine]

    @needs(None)
    def add(
        self,
        agency: Agency,
        *,
        by: Actor,
        may_issue: Sequence[str] = (),
        basis: str = REGISTERED,
        brings_certificate: bool = False,
    ) -> bytes | None:
        """Register an agency, make its signing key, and let it issue some types from today on.

        ``basis`` is the document that its competences rest on. With ``brings_certificate`` the key
        waits for a certificate of another authority and the request (PEM) is given back.
        Raises: IdentifierError, InputError, AlreadyExists, NotFound (parent, type).
        """
        entry = AuditEntry("agency.add", by)
        with self.desk.audited(entry):
            check_basis(basis)
            check_types(self.desk.catalogue, may_issue)
            with self.desk.store.reading() as reading:
                check_new(reading, agency, self._today(agency))
            registrar = self._registrar()
            made = self._maker.for_agency(agency, brings_certificate=brings_certificate)

        def work(tx: Transaction, now: datetime) -> None:
            check_new(tx, agency, civil_date(now, agency.time_zone))
            agencies.add(tx, agency, int(now.timestamp()))
            keys.add(tx, made.row)

        def log(tx: Transaction, _done: None, index: int) -> None:
            enter_agency(
                tx, registrar, Newcomer(agency, may_issue, basis), self.desk.clock(), index
            )

        with self._maker.unless_undone(made):
            self.desk.act(entry, work, lambda _done: {"agency": agency.code}, log=log)
        self._ring.forget()
        self._directory.forget()
        return made.request

    def newest(self, code: str) -> AgencyVersion:
        """Give what was last said of an agency, though it may be for a later day. Raises: NotFound."""
        with self.desk.store.reading() as reading:
            return newest_version(reading, pick(agencies.listed(reading), code))

    def _today(self, agency: Agency) -> date:
        return civil_date(self.desk.clock(), check_time_zone(agency.time_zone))

    @needs(None)
    def change(self, version: AgencyVersion, *, basis: str, by: Actor) -> Agency:
        """Let an agency have another name, short name, division or parent from a day on.

        Certificates keep the name they were issued under. A day that comes later takes effect then; the
        version says all that is true from that day on, so begin with ``newest``.
        Raises: NotFound, InputError, IdentifierError, AlreadyExists, IssuedAfter.
        """
        entry = AuditEntry("agency.change", by, details={"agency": version.agency[:18]})
        with self.desk.audited(entry):
            check_basis(basis)
            registrar = self._registrar()

        def work(tx: Transaction, _now: datetime) -> Agency:
            before = _open(tx, version.agency)
            check_version(tx, before, version)
            return before

        def log(tx: Transaction, before: Agency, index: int) -> Agency:
            now = self.desk.clock()
            act = changed(newest_version(tx, before), version, basis, int(now.timestamp()))
            enter(tx, registrar, [act], index)
            agencies.put_version(tx, version)
            if version.from_day <= civil_date(now, before.time_zone):
                agencies.take_version(tx, version)
            return before

        self.desk.act(entry, work, lambda _done: {"from": version.from_day.isoformat()}, log=log)
        self._directory.forget()
        return self.get(version.agency)

    @needs(None)
    def close(
        self, code: str, *, from_day: date, basis: str, by: Actor, ended: Sequence[str] = ()
    ) -> Agency:
        """Close an agency from a day on: it issues nothing, and its clients are suspended.

        Every type that it may issue is named in ``ended``: nobody issues it in its stead. What it
        issued stays as it is. Raises: NotFound, InputError, IssuedAfter.
        """
        entry = AuditEntry("agency.close", by, details={"agency": code[:18]})
        with self.desk.audited(entry):
            check_basis(basis)
            registrar = self._registrar()

        def work(tx: Transaction, now: datetime) -> list[Ending]:
            agency = _open(tx, code)
            if from_day <= civil_date(now, agency.time_zone):
                raise InputError("an agency is closed from tomorrow on, or from a later day")
            held = register.competences(tx, agencies=[code])
            last = from_day - timedelta(days=1)
            going = [one for one in held if one.to_day is None or one.to_day > last]
            for one in going:
                if one.successor is not None:
                    raise InputError(f"{one.slug} is transferred after {one.to_day}: close it then")
            if left := sorted({one.slug for one in going} - set(ended)):
                raise InputError(f"say what becomes of {', '.join(left)}: --ended {left[0]}")
            slugs = sorted({one.slug for one in going})
            return [end_competence(tx, agency, held, slug, last) for slug in slugs]

        def log(tx: Transaction, going: list[Ending], index: int) -> list[Ending]:
            at = int(self.desk.clock().timestamp())
            acts = [act for one in going for act in one.acts(basis, at)]
            enter(tx, registrar, [*acts, closed(code, from_day, basis, at)], index)
            for one in going:
                one.put(tx)
            agencies.put(tx, code, closed_on=from_day.isoformat())
            return going

        self.desk.act(entry, work, lambda _done: {"from": from_day.isoformat()}, log=log)
        self._directory.forget()
        self._settlement.prepare_key(code, by=by)
        return self.get(code)

    def _registrar(self) -> Registrar:
        return Registrar(self.desk.keys.registry_key(), self.desk.base, self.desk.randomness)

    @needs(CLIENTS)
    def require_dpop(self, code: str, *, requires: bool, by: Actor) -> Agency:
        """Demand that an agency's clients, and those below it, bind their calls to a key (DPoP).

        Raises: NotFound; Forbidden where a superior demands it.
        """

        def work(tx: Transaction, _now: datetime) -> Agency:
            if code not in managed(tx, by):
                raise NotFound("this agency is not registered")
            if not may_lift(tx, by, agencies.dpop_by(tx, code)):
                raise Forbidden("a superior demands this: nobody below lifts it")
            agencies.put_requires_dpop(tx, code, setter(by), requires=requires)
            return pick(agencies.listed(tx), code)

        told = {"agency": code, "dpop": "required" if requires else "optional"}
        agency = self.desk.act(AuditEntry("agency.dpop", by), work, lambda _done: told)
        self._directory.forget()
        return agency

    @needs(None)
    def set_image(self, code: str, image: bytes | None, *, by: Actor) -> None:
        """Set up (or remove) the picture of an agency's seal that its documents will show.

        Documents made before keep what they have. Raises: NotFound, InputError.
        """

        def work(tx: Transaction, _now: datetime) -> None:
            agency = pick(agencies.listed(tx), code)
            if image is not None:
                check_image(image)
            agencies.put_image(tx, agency.code, image)

        action = "agency.image" if image is not None else "agency.image.remove"
        self.desk.act(AuditEntry(action, by), work, lambda _done: {"agency": code})


def _open(tx: Transaction, code: str) -> Agency:
    """Lock all agencies, and give one that is open. Raises: NotFound, InputError."""
    known = agencies.lock(tx, [one.code for one in agencies.listed(tx)])
    found = known.get(code)
    if found is None:
        raise NotFound("this agency is not registered")
    if found.closed_on is not None:
        raise InputError(f"this agency is closed from {found.closed_on} on")
    return found
