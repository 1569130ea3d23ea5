"""Agencies 机构: departments that issue or use certificates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ecert.errors import AlreadyExists, InputError, NotFound
from ecert.fonts import unprintable
from ecert.formats.picture import check_image
from ecert.ids import check_credit_code, check_division
from ecert.ledger.access import ANYBODY, CLIENTS, managed, pick
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.directory import Directory
from ecert.ledger.register import Newcomer, Pen, check_basis, check_types, enter_agency
from ecert.ledger.trail import AuditEntry
from ecert.model import Actor, Agency, check_time_zone, is_line
from ecert.registry.keyring import KeyMaker, KeyRing
from ecert.store import Reading, Transaction, agencies, keys

MAX_NAME = 100
REGISTERED = "registered by the operator"  # what competences rest on when nothing else is said


class Agencies(Verbs):
    """Registers agencies and changes what is known of them."""

    def __init__(self, desk: Desk, directory: Directory, ring: KeyRing, maker: KeyMaker) -> None:
        super().__init__(desk)
        self._directory, self._ring, self._maker = directory, ring, maker

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
                _check_new(reading, agency)
            pen = Pen(self.desk.keys.registry_key(), self.desk.base, self.desk.randomness)
            made = self._maker.for_agency(agency, brings_certificate=brings_certificate)

        def work(tx: Transaction, now: datetime) -> None:
            _check_new(tx, agency)
            agencies.add(tx, agency, int(now.timestamp()))
            keys.add(tx, made.row)

        def log(tx: Transaction, _done: None, index: int) -> None:
            enter_agency(tx, pen, Newcomer(agency, may_issue, basis), self.desk.clock(), index)

        with self._maker.unless_undone(made):
            self.desk.act(entry, work, lambda _done: {"agency": agency.code}, log=log)
        self._ring.forget()
        self._directory.forget()
        return made.request

    @needs(CLIENTS)
    def require_dpop(self, code: str, *, requires: bool, by: Actor) -> Agency:
        """Demand that an agency's clients, and those below it, bind their calls to a key (DPoP).

        Raises: NotFound.
        """

        def work(tx: Transaction, _now: datetime) -> Agency:
            if code not in managed(tx, by):
                raise NotFound("this agency is not registered")
            agencies.put_requires_dpop(tx, code, requires=requires)
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


def _check_new(reading: Reading, agency: Agency) -> None:
    check_agency(agency)
    if agencies.find(reading, agency.code) is not None:
        raise AlreadyExists("this agency is registered already")
    if agency.parent is not None and agencies.find(reading, agency.parent) is None:
        raise NotFound("the parent agency is not registered")


def check_agency(agency: Agency) -> Agency:
    """Check an agency's code, division and time zone. Raises: IdentifierError, InputError."""
    check_credit_code(agency.code)
    check_division(agency.division)
    for what, text in (("name", agency.name), ("short name", agency.short_name)):
        if text is not None and not is_line(text, MAX_NAME):
            raise InputError(f"the agency's {what} is one line of at most {MAX_NAME} characters")
        if (one := unprintable(text or "")) is not None:
            raise InputError(f"the agency's {what}: {one} (U+{ord(one):04X}) cannot be printed")
    check_time_zone(agency.time_zone)
    return agency
