"""A registry, opened: every noun with its verbs, ``registry.<noun>.<verb>``. It only composes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from ecert._encoding import Clock, Randomness, instant
from ecert.catalogue import Catalogue
from ecert.errors import EcertError, ForkGuard, HomeError, ReadOnly
from ecert.inspection.signatures import SignaturePart
from ecert.keys import Trust, TrustedRegistry
from ecert.ledger.acting import Charter, Desk, Secrets
from ecert.ledger.directory import Directory
from ecert.ledger.log import Log, Places
from ecert.ledger.pen import Pen
from ecert.ledger.register import Newcomer, Registrar, check_types, enter_agency, read_roll
from ecert.ledger.trail import AuditEntry, AuditTrail
from ecert.model import Actor, Agency
from ecert.registry.agencies import Agencies
from ecert.registry.backups import Backups
from ecert.registry.certificates import Certificates
from ecert.registry.changes import Changes
from ecert.registry.checks import Checks
from ecert.registry.clients import Clients
from ecert.registry.document_maker import NO_STAMPING, DocumentMaker, TimeStamping
from ecert.registry.documents import Documents
from ecert.registry.dossiers import Dossiers
from ecert.registry.evidence import Evidence
from ecert.registry.grants import Grants
from ecert.registry.holders import Holders
from ecert.registry.keyring import KeyMaker, KeyRing
from ecert.registry.keys import Keys
from ecert.registry.log import PublishedLog
from ecert.registry.matters import Matters
from ecert.registry.objections import Objections
from ecert.registry.own_certificates import OwnCertificates
from ecert.registry.own_lookup import OwnLookup
from ecert.registry.providers import Providers
from ecert.registry.receptions import Receptions
from ecert.registry.register import Register
from ecert.registry.rules import Rules
from ecert.registry.settlement import Settlement
from ecert.registry.status import StatusLists
from ecert.registry.supervision import Supervision
from ecert.registry.tokens import Tokens
from ecert.registry.trail import AuditedTrail
from ecert.registry.types import Types
from ecert.registry.webhooks import Webhooks
from ecert.store import TRAIL, Reading, Store, Transaction, agencies, keys, settings
from ecert.store.settings import IDENTITY
from ecert.verification import Report, Verifier

FOUNDED, TRIAL = "registered with the registry", "trial home"


@dataclass(frozen=True, slots=True)
class Premises:
    """Where a registry is, and what it is opened with.

    ``home`` holds the private keys, ``state`` the newest notes (never under the home); ``secret``
    are the 32 bytes that open the keys. ``mirrors`` are folders that get each note, too.
    """

    home: Path
    state: Path
    secret: bytes
    clock: Clock
    randomness: Randomness
    stamping: TimeStamping = NO_STAMPING
    mirrors: tuple[str, ...] = ()
    is_read_only: bool = False


class Registry:
    """An electronic licence and certificate registry 电子证照库, opened.

    Get one from :func:`ecert.open` or :func:`ecert.testing.temporary_registry`. It may be shared
    between threads. Every read and every act is written to the audit trail.
    """

    def __init__(
        self, store: Store, charter: Charter, catalogue: Catalogue, premises: Premises
    ) -> None:
        self.store, self.charter, self.catalogue = store, charter, catalogue
        self.home, self.clock = premises.home, premises.clock
        ring = KeyRing(store, home=premises.home, unlock=lambda: premises.secret)
        self._maker = KeyMaker(ring, charter, premises.clock)
        directory = Directory(store)
        places = Places(premises.state, premises.mirrors)
        self._log = Log(store, charter.origin, ring.log_signer, places)
        trail = Log(store, charter.trail_origin, ring.log_signer, places, TRAIL)
        self.pen = Pen(
            store, (self._log, trail), premises.state, is_read_only=premises.is_read_only
        )
        clock, randomness = premises.clock, premises.randomness
        self.desk = Desk(
            store=store,
            charter=charter,
            catalogue=catalogue,
            keys=ring,
            secrets=Secrets.of(premises.secret),
            log=self._log,
            trail=AuditTrail(store, directory, clock=clock, randomness=randomness),
            clock=clock,
            randomness=randomness,
        )
        self._compose(ring, directory, trail, premises.stamping)

    def _compose(
        self, ring: KeyRing, directory: Directory, trail: Log, stamping: TimeStamping
    ) -> None:
        desk = self.desk
        self.log = PublishedLog(desk.store, (self._log, trail), self.pen, desk.clock)
        self.trail = AuditedTrail(desk, trail)
        self.status = StatusLists(desk, ring.status_key, self._require_newest)
        self.types = Types(desk.store, desk.catalogue, desk.charter)
        self.keys = Keys(desk, ring, self._maker)
        self.clients, self.webhooks = Clients(desk, directory), Webhooks(desk)
        self.tokens = Tokens(desk, ring, directory)
        self.settlement = Settlement(desk, ring, self._maker, directory)
        desk.agenda.come_due = self.settlement.settle
        self.agencies = Agencies(desk, directory, ring, self._maker, self.settlement)
        self.register = Register(desk, self.settlement)
        self.certificates = Certificates(desk, self.log, self.settlement.settle)
        maker = DocumentMaker(desk, self.log, stamping)
        self.documents = Documents(desk, self.certificates, maker)
        self.evidence = Evidence(desk, self.certificates, self.log, self.status)
        self.matters, self.rules, self.providers = Matters(desk), Rules(desk), Providers(desk)
        self.grants, self.holders = Grants(desk), Holders(desk)
        self.own = OwnCertificates(desk, maker)
        self.dossiers = Dossiers(desk, self.log, maker)
        self.changes, self.objections = Changes(desk), Objections(desk, self.certificates)
        self.supervision, self.receptions = Supervision(desk), Receptions(desk)
        self.checks = Checks(desk, trail, self._signatures)
        self.backups = Backups(desk, self.home, (self._log, trail), self.pen)

    @property
    def base(self) -> str:
        """The registry's address."""
        return self.charter.base

    @property
    def is_trial(self) -> bool:
        """Tell whether this is a trial home."""
        return self.charter.is_trial

    def take_up(self, *, claims: bool = False) -> None:
        """Let everything that is written be asked for the pen; ``claims``: this is a new registry.

        Raises: HomeError when this machine's memory cannot be read or written.
        """
        with self.store.reading() as reading:
            if claims:
                self.pen.claim(reading)
            refusal = self.pen.refusal(reading)
        self.store.guard = self.pen.check
        if refusal is None:
            self.keys.complete(by=Actor("ecert open"))

    def refusal(self) -> EcertError | None:
        """Say why nothing is written or signed here; None where this is the registry."""
        with self.store.reading() as reading:
            try:
                self._require_newest(reading)
            except (ReadOnly, ForkGuard, HomeError) as error:
                return error
        return None

    def _require_newest(self, reading: Reading) -> None:
        """Refuse to speak of statuses from a copy, or from behind what was published."""
        self.pen.check(reading)
        self._log.check(reading)

    def close(self) -> None:
        """Give back the database's connections."""
        self.store.close()

    def set_up(
        self, agency: Agency | None, *, by: Actor, may_issue: Sequence[str] | None = None
    ) -> None:
        """Make a new registry's keys, its first agency and its fixed settings, in one transaction.

        A trial home's first agency may issue everything unless its types are named.
        Raises: NotFound for a type that is not known.
        """
        check_types(self.catalogue, may_issue or ())
        made, charter = self._maker.make_all(agency), self.charter

        def work(tx: Transaction, now: datetime) -> None:
            if agency is not None:
                agencies.add(tx, agency, int(now.timestamp()))
            for one in made:
                keys.add(tx, one.row)
            settings.put(tx, "base_url", charter.base)
            settings.put(tx, "origin", charter.origin)
            settings.put(tx, "founded_at", str(int(now.timestamp())))
            settings.put(tx, IDENTITY, self.desk.randomness(16).hex())

        def log(tx: Transaction, _done: None, index: int) -> None:
            if agency is None:
                return
            key = self.keys.ring.key_of(one.row for one in made)
            registrar = Registrar(key, charter.base, self.desk.randomness)
            enter_agency(tx, registrar, self._founder(agency, may_issue), self.clock(), index)

        entry = AuditEntry("registry.init", by, details={"base_url": charter.base})
        self.desk.act(entry, work, log=log)
        self.keys.ring.forget()

    def _founder(self, agency: Agency, may_issue: Sequence[str] | None) -> Newcomer:
        if may_issue is not None or not self.is_trial:
            return Newcomer(agency, may_issue or (), FOUNDED)
        return Newcomer(agency, [one.slug for one in self.catalogue], TRIAL)

    def _signatures(self, share: int | None) -> SignaturePart:
        return SignaturePart(self.verifier(is_offline=True), self.trusted(), share)

    # -- verifying -----------------------------------------------------------------------------------

    def trust(self) -> Trust:
        """Give the trust file of this registry."""
        return Trust((self.trusted(),))

    def trusted(self) -> TrustedRegistry:
        """Give what a verifier needs to believe this registry."""
        self.settlement.settle()
        with self.store.snapshot() as reading:
            founded = instant(int(settings.get(reading, "founded_at") or 0))
            roll, rows = read_roll(reading, founded), keys.listed(reading)
        return self.keys.ring.trusted(self.charter, roll, rows)

    def verifier(self, *, is_offline: bool = False, trust: Trust | None = None) -> Verifier:
        """Give a verifier that believes this registry, takes status from its own store and looks up there.

        ``trust`` is what ``trust()`` gave a moment ago.
        """
        source = None if is_offline else self.status
        return Verifier(
            trust or self.trust(),
            status=source,
            catalogue=self.catalogue,
            clock=self.clock,
            lookup=OwnLookup(self.desk),
        )

    def verify(
        self,
        presented: bytes | str,
        *,
        at: datetime | date | None = None,
        receipt: str | None = None,
    ) -> Report:
        """Verify anything presented, against this registry's own keys and status."""
        return self.verifier().verify(presented, at=at, receipt=receipt)
