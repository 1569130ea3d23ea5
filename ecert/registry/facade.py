"""The registry as one object: one verb a method, each delegating."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from ecert import audit, issuance, log
from ecert._encoding import Clock, Randomness, instant, rfc3339
from ecert.catalogue import Catalogue, check_draft
from ecert.errors import (
    AlreadyExists,
    DraftError,
    EcertError,
    Forbidden,
    InputError,
    NotFound,
    NotPublished,
    QuotaExceeded,
)
from ecert.fonts import unprintable
from ecert.formats import credential
from ecert.formats.annotation import parse_copy
from ecert.formats.merkle import Edge
from ecert.formats.note import log_key
from ecert.formats.qr import check_image
from ecert.formats.receipt import Receipt
from ecert.ids import check_credit_code, check_division, parse_identifier
from ecert.issuance import Desk, Idempotency, Issued, Order, Succession, lifecycle
from ecert.issuance.lifecycle import Act
from ecert.keys import Role, Trust, TrustedRegistry, derive
from ecert.model import (
    DEFAULT_ZONE,
    SUCCESSIONS,
    Actor,
    Agency,
    Basis,
    Event,
    Operation,
    Record,
    Status,
    check_time_zone,
    civil_date,
    effective_status,
    is_line,
)
from ecert.registry.clients import READ_OWN, ClientDesk, ClientWish
from ecert.registry.documents import NO_STAMPING, CopyWish, DocumentDesk, TimeStamping
from ecert.registry.evidence import bundle
from ecert.registry.keyring import KeyRing, MadeKey
from ecert.registry.reuse import Reuse
from ecert.registry.status_desk import StatusDesk
from ecert.reuse.checklist import Checklist
from ecert.reuse.desk import ReuseDesk
from ecert.reuse.fulfilment import Application, Fulfilled, wants_copy
from ecert.reuse.graph import Graph
from ecert.reuse.objection import answer_objection
from ecert.store import (
    LOG,
    TRAIL,
    ClientRow,
    CopyRow,
    DocumentRow,
    Filter,
    KeyRow,
    ObjectionRow,
    Reading,
    Store,
    Transaction,
    Tree,
    Visibility,
    agencies,
    assertions,
    certificates,
    documents,
    keys,
    quotas,
    settings,
    statements,
    trail,
    trees,
    types,
)
from ecert.store.trail import SHOWN
from ecert.verification import Report, Verifier

COPY_DAYS = 30
MAX_PAGE = 100
MAX_REASON = 500
MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Query:
    """What to search certificates by; everything given must fit."""

    holder_code: str | None = None
    project_code: str | None = None
    slug: str | None = None
    number: str | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search; ``after`` continues it, None at the end."""

    records: tuple[Record, ...]
    after: int | None


class Registry:
    """An electronic licence and certificate registry 电子证照库, opened.

    Get one from :func:`ecert.open` or :func:`ecert.testing.memory_registry`. It may be shared
    between threads. Every read and every act is written to the audit trail.
    """

    def __init__(
        self,
        store: Store,
        *,
        home: Path,
        base: str,
        origin: str,
        secret: bytes,
        catalogue: Catalogue,
        state: Path,
        is_trial: bool,
        allow_provisional: bool,
        defining_body: str,
        clock: Clock,
        randomness: Randomness,
        stamping: TimeStamping = NO_STAMPING,
    ) -> None:
        self.store, self.home, self.base, self.origin = store, home, base, origin
        self.catalogue, self.is_trial, self.clock = catalogue, is_trial, clock
        self._randomness = randomness
        self._holder_key = derive(secret, "holder/v1")
        host = base.partition("://")[2]
        self.keys = KeyRing(store, home=home, unlock=lambda: secret, host=host, clock=clock)
        self.status = StatusDesk(
            store, base=base, key=lambda: self.keys.signing_key(Role.STATUS), clock=clock
        )
        self._guard = self._make_guard(state, origin, LOG)
        self._trail_guard = self._make_guard(state, self.trail_origin, TRAIL)
        self.desk = Desk(
            store=store,
            base=base,
            defining_body=defining_body,
            allow_provisional=allow_provisional,
            agency_key=lambda code: self.keys.signing_key(Role.AGENCY, code),
            holder_hmac=self._hmac,
            status_key=derive(secret, "status-index/v1"),
            check_log=self._guard.check,
            clock=clock,
            randomness=randomness,
        )
        self.documents = DocumentDesk(self.desk, catalogue, stamping)
        reuse = ReuseDesk(
            store=store,
            base=base,
            catalogue=catalogue,
            holder_hmac=self._hmac,
            registry_key=self.keys.registry_key,
            client_quota=self._client_quota,
            clock=clock,
            randomness=randomness,
        )
        self.reuse, self.client_desk = Reuse(reuse), ClientDesk(reuse)

    def _hmac(self, code: str) -> bytes:
        return hmac.digest(self._holder_key, code.encode(), sha256)

    def _client_quota(self, client_id: str) -> int | None:
        return self.client_desk.quota(client_id)

    def close(self) -> None:
        """Give back the database's connections."""
        self.store.close()

    def set_up(self, agency: Agency | None, *, by: Actor) -> None:
        """Make a new registry's keys, its first agency and its fixed settings, in one transaction."""
        made = self.keys.make_all(agency)
        now = self.clock()
        entry = audit.AuditEntry("registry.init", by, details={"base_url": self.base})

        def work(tx: Transaction) -> None:
            if agency is not None:
                agencies.add(tx, agency, int(now.timestamp()))
            for one in made:
                keys.add(tx, one.row)
            settings.put(tx, "base_url", self.base)
            settings.put(tx, "origin", self.origin)
            audit.record(tx, [entry], now=now, randomness=self._randomness)

        self.store.write(work)
        self.keys.forget()

    # -- agencies, clients, keys -----------------------------------------------------------------

    def add_agency(
        self, agency: Agency, *, by: Actor, brings_certificate: bool = False
    ) -> bytes | None:
        """Register an agency and make its signing key.

        With ``brings_certificate`` the key waits for a certificate of another authority and the
        request (PEM) is given back. Raises: IdentifierError, AlreadyExists, NotFound (parent).
        """
        try:
            self._check_new(agency)
        except EcertError as error:
            self.write_audit([audit.AuditEntry("agency.add", by, error.code)])
            raise
        now = self.clock()
        made = (
            self.keys.make_pending(agency)
            if brings_certificate
            else self.keys.make_certified(agency)
        )
        entry = audit.AuditEntry("agency.add", by, details={"agency": agency.code})

        def work(tx: Transaction) -> None:
            agencies.add(tx, agency, int(now.timestamp()))
            keys.add(tx, made.row)
            audit.record(tx, [entry], now=now, randomness=self._randomness)

        self.store.write(work)
        self.keys.forget()
        return made.request

    def _check_new(self, agency: Agency) -> None:
        check_agency(agency)
        with self.store.reading() as reading:
            if agencies.find(reading, agency.code) is not None:
                raise AlreadyExists("this agency is registered already")
            if agency.parent is not None and agencies.find(reading, agency.parent) is None:
                raise NotFound("the parent agency is not registered")

    def agencies(self) -> list[Agency]:
        """List the registered agencies."""
        with self.store.reading() as reading:
            return agencies.listed(reading)

    def agency(self, code: str | None) -> Agency:
        """Find an agency; None means the only one. Raises: InputError, NotFound."""
        return _pick(self.agencies(), code)

    def add_client(
        self,
        name: str,
        *,
        agency: str,
        scopes: Iterable[str],
        jwk: Mapping[str, Any],
        by: Actor,
        addresses: Iterable[str] = (),
        daily_quota: int | None = None,
    ) -> ClientRow:
        """Register a department's system by its public key; give its client identifier.

        Raises: InputError for an unknown scope, key or address, NotFound for the agency.
        """
        wish = ClientWish(name, agency, frozenset(scopes), tuple(addresses), daily_quota)
        return self.client_desk.add(wish, jwk, by=by)

    def clients(self) -> list[ClientRow]:
        """List the registered clients, oldest first."""
        self.client_desk.forget()
        return list(self.client_desk.rows().values())

    def client(self, client_id: str) -> ClientRow | None:
        """Find a client by its identifier as it is now, or None."""
        return self.client_desk.fresh(client_id)

    def use_assertion(self, client: str, jti: str, expires_at: int) -> bool:
        """Use a client assertion once; False when it was used before, on any node."""
        now = int(self.clock().timestamp())
        digest = sha256(jti.encode()).digest()
        return self.store.write(lambda tx: assertions.use(tx, client, digest, expires_at, now))

    def rotate_key(self, role: Role, agency: str | None, *, by: Actor) -> tuple[str, str | None]:
        """Make a new key in a role and retire the old one; give (new kid, old kid or None)."""
        found = self.agency(agency) if role is Role.AGENCY else None
        new, old = self.keys.rotate(role, found)
        self.write_audit([audit.AuditEntry("key.rotate", by, details={"new": new, "old": old})])
        return new, old

    def new_key(self, agency: Agency, *, by: Actor, brings_certificate: bool = False) -> MadeKey:
        """Make a further signing key for an agency, or one that waits for its certificate."""
        made = (
            self.keys.make_pending(agency)
            if brings_certificate
            else self.keys.make_certified(agency)
        )
        self.keys.add(made)
        details = {"kid": made.row.kid, "agency": agency.code}
        self.write_audit([audit.AuditEntry("key.new", by, details=details)])
        return made

    def certify_key(self, agency: Agency, pem: bytes, *, by: Actor) -> str:
        """Take the certificate of an agency's pending key; give the kid."""
        kid = self.keys.certify_pending(agency, pem)
        details = {"kid": kid, "agency": agency.code}
        self.write_audit([audit.AuditEntry("key.certify", by, details=details)])
        return kid

    def retire_key(self, kid: str, *, by: Actor) -> KeyRow:
        """Retire a key: its private half is destroyed, what it signed until now stays good."""
        row = self.keys.find(kid)
        self.keys.retire(row.kid)
        self.write_audit([audit.AuditEntry("key.retire", by, details={"kid": row.kid})])
        return self.keys.find(row.kid)

    def compromise_key(self, kid: str, since: datetime, *, by: Actor) -> KeyRow:
        """Mark a key as being in wrong hands since a moment; entries logged before stay provable."""
        row = self.keys.find(kid)
        with self.store.reading() as reading:
            size = log.size_before(reading, since)
        self.keys.compromise(row.kid, since, size)
        self.write_audit([audit.AuditEntry("key.compromise", by, details={"kid": row.kid})])
        return self.keys.find(row.kid)

    # -- issuing and the life of certificates ------------------------------------------------------

    def issue(
        self,
        slug: str,
        draft: Any,
        *,
        by: Actor,
        agency: str | None = None,
        idempotency: Idempotency | None = None,
    ) -> Issued:
        """Issue one certificate from a draft (JSON) under the newest version of a type.

        Raises: DraftError with everything that does not fit, NotInForce, NumberTaken,
        CounterFull, TypeNotIssuable, TypeChanged, NotFound, Forbidden, KeyUnavailable.
        """
        (result,) = self.issue_many([IssueRequest(slug, draft, by, agency, idempotency)])
        if isinstance(result, EcertError):
            raise result
        return result

    def issue_many(self, requests: Sequence[IssueRequest]) -> list[Issued | EcertError]:
        """Issue many certificates in one transaction; each request gets its result or refusal."""
        agencies = self.agencies()
        prepared = [self._order(request, agencies) for request in requests]
        orders = [order for order in prepared if isinstance(order, Order)]
        refused = [
            audit.AuditEntry("issue", request.by, error.code, details=self._type_of(request))
            for request, error in zip(requests, prepared, strict=True)
            if isinstance(error, EcertError)
        ]
        self.write_audit(refused)
        results = iter(issuance.issue_many(self.desk, orders))
        return [order if isinstance(order, EcertError) else next(results) for order in prepared]

    def _type_of(self, request: IssueRequest) -> dict[str, str]:
        """Name the type for the trail if it is one: another text might be a holder's code."""
        known = any(kind.slug == request.slug for kind in self.catalogue)
        return {"type": request.slug} if known else {}

    def _order(self, request: IssueRequest, agencies: list[Agency]) -> Order | EcertError:
        try:
            kind = self.catalogue.newest(request.slug)
            agency = _pick(agencies, _acting_for(request.agency, request.by))
            draft = check_draft(kind, request.draft)
            brought = None if request.identifier is None else parse_identifier(request.identifier)
        except EcertError as error:
            return error
        return Order(kind, draft, agency, request.by, request.idempotency, identifier=brought)

    def operate(
        self,
        identifier: str,
        operation: Operation,
        *,
        basis: Basis,
        by: Actor,
        draft: Any = None,
    ) -> Record:
        """Suspend, resume, cancel, withdraw, revoke; or change, renew, replace with a draft.

        Raises: TransitionRefused naming what is allowed, NotFound, InputError without a reason
        and a basis, and for the last three whatever ``issue`` raises.
        """
        _check_basis(basis)
        if operation in SUCCESSIONS:
            return self._succeed(identifier, operation, basis=basis, by=by, draft=draft).record
        if draft is not None:
            raise InputError(f"{operation.value} takes no draft")
        return self._shown(lifecycle.operate(self.desk, Act(identifier, operation, basis), by))

    def succeed(
        self, identifier: str, operation: Operation, draft: Any, *, basis: Basis, by: Actor
    ) -> Issued:
        """Change, renew or replace: issue the next version and supersede this one, at once."""
        _check_basis(basis)
        return self._succeed(identifier, operation, basis=basis, by=by, draft=draft)

    def _succeed(
        self, identifier: str, operation: Operation, *, basis: Basis, by: Actor, draft: Any
    ) -> Issued:
        with self.store.reading() as reading:
            previous = certificates.find(reading, identifier)
        if previous is None or (by.scopes is not None and by.agency != previous.issuer):
            self._refuse(operation.value, by, identifier)
        kind = self.catalogue.newest(previous.slug)
        agency = self.agency(previous.issuer)
        try:
            checked = check_draft(kind, draft)
        except DraftError as error:
            self.write_audit([audit.AuditEntry(operation.value, by, error.code, identifier)])
            raise
        succession = Succession(identifier, operation, basis)
        return issuance.issue(self.desk, Order(kind, checked, agency, by, succession=succession))

    def _refuse(self, action: str, by: Actor, identifier: str) -> NoReturn:
        self.write_audit([audit.AuditEntry(action, by, NotFound.code, audit.named(identifier))])
        raise NotFound("there is no such certificate")

    # -- reading -----------------------------------------------------------------------------------

    def look_up(
        self, identifier: str, by: Actor, action: str = "read"
    ) -> tuple[Record | None, audit.AuditEntry]:
        """Find a certificate without writing the audit row yet; the caller must write it first.

        What the actor may not see is None, exactly as what is not there.
        """
        with self.store.reading() as reading:
            record = certificates.find(reading, identifier) if len(identifier) <= 128 else None
            if record is not None and not _may_read(by, record):
                record = None
            if record is not None:
                record = self._shown(record, reading)
        outcome = NotFound.code if record is None else audit.DONE
        named = identifier if record is not None else audit.named(identifier)
        return record, audit.AuditEntry(action, by, outcome, named)

    def show(self, identifier: str, *, by: Actor, action: str = "read") -> Record:
        """Give a certificate with its present status and warnings. Raises: NotFound."""
        record, entry = self.look_up(identifier, by, action)
        self.write_audit([entry])
        if record is None:
            raise NotFound("there is no such certificate")
        return record

    def _shown(self, record: Record, reading: Reading | None = None) -> Record:
        """Compute what is shown: the effective status, and warnings about what it rests on."""
        now = self.clock().timestamp()
        status = effective_status(record.status, record.exp, now)
        rests_on = record.body["rests_on"] if record.has_foundations else ()
        warnings: tuple[Mapping[str, Any], ...] = ()
        if rests_on and reading is not None:
            warnings = _fallen(rests_on, reading, now)
        elif rests_on:
            with self.store.reading() as opened:
                warnings = _fallen(rests_on, opened, now)
        if status is record.status and not warnings:
            return record
        return replace(record, status=status, warnings=(*record.warnings, *warnings))

    def search(
        self, query: Query, by: Actor, *, after: int | None = None, limit: int = 20
    ) -> tuple[Page, list[audit.AuditEntry]]:
        """Search without writing the audit rows yet; the caller must write them first.

        What was found is a read of each certificate: its holder sees it, its client hears of changes.
        """
        size = max(1, min(limit, MAX_PAGE))
        wanted = Filter(
            holder_hmac=None if query.holder_code is None else self._hmac(query.holder_code),
            project_code=query.project_code,
            slug=query.slug,
            number=query.number,
            status=query.status,
        )
        with self.store.reading() as reading:
            found = certificates.search(
                reading,
                wanted,
                visible=_visibility(by),
                after=-1 if after is None else after,
                limit=size + 1,
                now=int(self.clock().timestamp()),
            )
            records = tuple(self._shown(record, reading) for record in found[:size])
        more = records[-1].log_index if len(found) > size else None
        details: dict[str, Any] = {"certificates": [record.id for record in records]}
        if wanted.holder_hmac is not None:
            details["holder_hmac"] = wanted.holder_hmac.hex()
        entries = [audit.AuditEntry("read", by, certificate=record.id) for record in records]
        return Page(records, more), [*entries, audit.AuditEntry("search", by, details=details)]

    def find(self, query: Query, *, by: Actor, after: int | None = None, limit: int = 20) -> Page:
        """Find certificates by holder, project, type, number or status, oldest first."""
        page, entries = self.search(query, by, after=after, limit=limit)
        self.write_audit(entries)
        return page

    def history(self, identifier: str, *, by: Actor) -> list[Event]:
        """List the signed acts upon a certificate, oldest first. Raises: NotFound."""
        self.show(identifier, by=by, action="history")
        return self.events(identifier)

    def events(self, identifier: str) -> list[Event]:
        """List the signed acts upon a certificate, for a caller that was audited already."""
        with self.store.reading() as reading:
            return statements.history(reading, identifier)

    def receipt(self, identifier: str, *, by: Actor) -> Receipt:
        """Give the proof that a certificate is in the log, publishing a checkpoint if needed.

        Raises: NotFound, ForkGuard.
        """
        record = self.show(identifier, by=by, action="receipt")
        return self.receipt_at(record.log_index)

    def receipt_at(self, log_index: int, *, publishes: bool = True) -> Receipt:
        """Give the receipt of a log entry, publishing if no checkpoint covers it yet.

        Raises: NotFound, ForkGuard; NotPublished instead of publishing when told not to.
        """
        return self.receipts_at([log_index], publishes=publishes)[log_index]

    def receipts_at(
        self, log_indexes: Iterable[int], *, publishes: bool = True
    ) -> dict[int, Receipt]:
        """Give the receipts of several log entries under one checkpoint; raises as ``receipt_at``."""
        wanted = list(log_indexes)
        try:
            return self._receipts(wanted)
        except NotPublished:
            if not publishes:
                raise
        self.publish()
        return self._receipts(wanted)

    def _receipts(self, log_indexes: Sequence[int]) -> dict[int, Receipt]:
        with self.store.snapshot() as reading:
            return log.make_receipts(reading, log_indexes)

    def evidence(self, identifier: str, *, by: Actor) -> bytes:
        """Give everything that proves a certificate, as a ZIP that verifies offline."""
        return self.bundle(self.show(identifier, by=by, action="evidence"))

    def bundle(self, record: Record, *, publishes: bool = True) -> bytes:
        """Pack the evidence of a certificate, for a caller that was audited already."""

        def proof(log_index: int) -> str:
            return str(self.receipt_at(log_index, publishes=publishes))

        number = record.status_list
        lists = tuple(self.status.token(number, is_details=details) for details in (False, True))
        statements = [(event.token, proof(event.log_index)) for event in self.events(record.id)]
        return bundle(
            credential=record.credential,
            receipt=proof(record.log_index),
            seal=record.seal,
            lists=(lists[0], lists[1]),
            statements=statements,
        )

    # -- documents ---------------------------------------------------------------------------------

    def document(self, identifier: str, *, by: Actor) -> DocumentRow:
        """Give a certificate's signed PDF, made now if it never was 证照文件.

        Raises: NotFound, RenderError, TypeChanged, TimeStampUnavailable, ForkGuard.
        """
        return self.document_of(self.show(identifier, by=by, action="document"))

    def document_of(self, record: Record, *, publishes: bool = True) -> DocumentRow:
        """Give the signed PDF of a certificate, for a caller that was audited already."""
        return self.documents.original(record, self._proof(publishes=publishes))

    def copy(self, identifier: str, wish: CopyWish, *, by: Actor) -> tuple[DocumentRow, Record]:
        """Make an annotated copy 加注件 for one recipient, one purpose, until one day.

        Asked again for the same, it is the same copy.
        Raises: NotFound, NotInForce, Refused, InputError, and what ``document`` raises.
        """
        row, record = self.lend(identifier, wish, by=by)
        return self.copy_of(row, record, by=by), record

    def lend(self, identifier: str, wish: CopyWish, *, by: Actor) -> tuple[CopyRow, Record]:
        """Record an annotated copy in the log; ``copy_of`` then makes its file."""
        record, _ = self.look_up(identifier, by)
        if record is None:
            self._refuse("copy", by, identifier)
        try:
            return self.documents.lend(record.id, wish, by), record
        except EcertError as error:
            self.write_audit([audit.AuditEntry("copy", by, error.code, record.id)])
            raise

    def copy_of(self, row: CopyRow, record: Record, *, by: Actor) -> DocumentRow:
        """Give the file of a copy that was recorded; that it could not be made is audited."""
        try:
            return self.documents.copy_file(row, record, self._proof(publishes=True))
        except EcertError as error:
            self.write_audit([audit.AuditEntry("copy.file", by, error.code, record.id)])
            raise

    def copies(self, identifier: str, *, by: Actor) -> list[dict[str, Any]]:
        """List the annotated copies that were made of a certificate. Raises: NotFound."""
        return self.copies_of(self.show(identifier, by=by, action="copies"))

    def copies_of(self, record: Record) -> list[dict[str, Any]]:
        """List the copies of a certificate, for a caller that was audited already."""
        now = self.clock().timestamp()
        with self.store.reading() as reading:
            found = [parse_copy(row.token).copy for row in documents.copies(reading, record.id)]
        return [
            {
                **one.to_json(),
                "made_at": rfc3339(instant(one.made_at)),
                "lapsed": now >= one.lapses_at,
            }
            for one in found
        ]

    def pending_documents(self, *, after: int = -1, limit: int = 100) -> tuple[list[str], int]:
        """List certificates whose signed PDF was not made yet; give the cursor that continues.

        The list is empty at the end.
        """
        with self.store.reading() as reading:
            records = documents.pending(reading, after, limit)
        return [one.id for one in records], records[-1].log_index if records else after

    def count_pending_documents(self) -> int:
        """Count the certificates whose signed PDF was not made yet."""
        with self.store.reading() as reading:
            return documents.count_pending(reading)

    def build_documents(self, identifiers: Sequence[str]) -> dict[str, EcertError | None]:
        """Make the signed PDFs of several certificates at once; give each its fault, or None.

        Raises: ForkGuard, StoreBusy.
        """
        with self.store.reading() as reading:
            found = [certificates.find(reading, identifier) for identifier in identifiers]
        records = [record for record in found if record is not None]
        faults = self.documents.build(records, self._proof(publishes=True))
        return {record.id: fault for record, fault in zip(records, faults, strict=True)}

    def _proof(self, *, publishes: bool) -> Callable[[int], str]:
        return lambda log_index: str(self.receipt_at(log_index, publishes=publishes))

    def set_agency_image(self, code: str, image: bytes | None, *, by: Actor) -> None:
        """Set up (or remove) the picture of an agency's seal that its documents will show.

        Documents made before keep what they have. Raises: NotFound, InputError.
        """
        agency = self.agency(code)
        if image is not None:
            check_image(image)
        self.store.write(lambda tx: agencies.put_image(tx, agency.code, image))
        action = "agency.image" if image is not None else "agency.image.remove"
        self.write_audit([audit.AuditEntry(action, by, details={"agency": agency.code})])

    def present(self, identifier: str, disclose: Iterable[str], *, by: Actor) -> str:
        """Give a credential that discloses only the named values. Raises: NotFound, InputError."""
        record = self.show(identifier, by=by, action="present")
        return credential.present(record.credential, disclose)

    def type_metadata(self, slug: str, version: int) -> bytes | None:
        """Give the Type Metadata of a version that was issued under, as it was then."""
        with self.store.reading() as reading:
            return types.metadata(reading, slug, version)

    # -- verifying -----------------------------------------------------------------------------------

    def trust(self) -> Trust:
        """Give the trust file of this registry."""
        return Trust((self.trusted(),))

    def trusted(self) -> TrustedRegistry:
        """Give what a verifier needs to believe this registry."""
        return self.keys.trusted(self.base, self.origin, self.agencies())

    def verifier(self, *, is_offline: bool = False) -> Verifier:
        """Give a verifier that believes this registry and takes status from its own store."""
        source = None if is_offline else self.status
        return Verifier(self.trust(), status=source, catalogue=self.catalogue, clock=self.clock)

    def verify(
        self,
        presented: bytes | str,
        *,
        at: datetime | date | None = None,
        receipt: str | None = None,
    ) -> Report:
        """Verify anything presented, against this registry's own keys and status."""
        return self.verifier().verify(presented, at=at, receipt=receipt)

    # -- reuse ---------------------------------------------------------------------------------------

    def checklist(self, application: Application, *, by: Actor) -> Checklist:
        """Say of each material that a matter asks for what the registry holds already 材料清单.

        It needs the same sharing rule or grant as a dossier, and is audited as a read.
        Raises: NotFound, GrantNotValid, ConsentOfAnother, FieldNotAllowed, InputError.
        """
        checklist, entries, error = self.reuse.draw(application, by)
        self.write_audit(entries)
        if checklist is None:
            raise error or NotFound("there is no such matter")
        return checklist

    def fulfil(self, application: Application, *, by: Actor) -> dict[str, Any]:
        """Answer an application 用证: only the fields it needs, receipts, and a signed statement.

        Asked again for the same case it is the same dossier, checked afresh.
        Raises: what ``checklist`` raises, QuotaExceeded, IdempotencyMismatch, ForkGuard.
        """
        return self.dossier_json(self.reuse.fulfil(application, by=by))

    def dossier_json(self, fulfilled: Fulfilled, *, publishes: bool = True) -> dict[str, Any]:
        """Give a dossier as JSON with its receipts. Raises: NotPublished when told not to publish."""
        places = {one.record.id: one.record.log_index for one in fulfilled.presented}
        found = self.receipts_at(places.values(), publishes=publishes)
        return fulfilled.to_json({name: str(found[place]) for name, place in places.items()})

    def graph(self, identifier: str, *, by: Actor) -> Graph:
        """Show what comes before and after a certificate, each step with its state.

        Raises: NotFound, also where no matter issues its type.
        """
        return self.graph_of(self.show(identifier, by=by, action="check"), by=by)

    def graph_of(self, record: Record, *, by: Actor) -> Graph:
        """Show the graph around a certificate, for a caller that was audited already."""
        return self.reuse.graph_of(record, lambda one: _may_read(by, one))

    def dossier_copies(self, fulfilled: Fulfilled, *, by: Actor) -> dict[str, bytes]:
        """Make the annotated copies 加注件 that a dossier's materials want, by certificate.

        A copy shows the whole face, so there is one only where a sharing rule opens all fields.
        Raises: what ``copy`` raises.
        """
        agency = self.agency(by.agency)
        last = civil_date(self.clock(), agency.time_zone) + timedelta(days=COPY_DAYS)
        purpose = fulfilled.checklist.matter.name["zh"][:100]
        copies: dict[str, bytes] = {}
        for one in fulfilled.presented:
            if not wants_copy(one.item):
                continue
            end = one.record.body["valid_to"]
            until = last if end is None else min(last, date.fromisoformat(end))
            row = self.documents.lend(one.record.id, CopyWish(agency.name, purpose, until), by)
            copies[one.record.id] = self.copy_of(row, one.record, by=by).data
        return copies

    def answer_objection(
        self,
        objection: str,
        *,
        by: Actor,
        answer: str,
        basis: Basis,
        draft: Any = None,
        is_corrected: bool = False,
    ) -> ObjectionRow:
        """Answer an objection 异议: with a draft by a correction, a change; without by a reason.

        ``is_corrected``: the next version that is there already answers it.
        Raises: NotFound, Refused when it was answered already, and what ``operate`` raises.
        """

        def correct(certificate: str) -> str:
            if is_corrected:
                successor = self.show(certificate, by=by).superseded_by
                if successor is None:
                    raise InputError("the certificate has no next version yet")
                return successor
            done = self.succeed(certificate, Operation.CHANGE, draft, basis=basis, by=by)
            return done.record.id

        return answer_objection(
            self.reuse.desk,
            objection,
            by,
            answer=answer,
            correct=correct if is_corrected or draft is not None else None,
        )

    # -- log and audit -------------------------------------------------------------------------------

    def publish(self) -> str:
        """Sign checkpoints over all that is committed, of log and trail; give the log's newest.

        Raises: ForkGuard.
        """
        signer, now = self.keys.signer(Role.LOG), self.clock()
        note = log.Publisher(self.store, self.origin, signer, self._guard).publish(now)
        trail = log.Publisher(self.store, self.trail_origin, signer, self._trail_guard)
        trail.publish(now)
        return note

    def _make_guard(self, state: Path, name: str, tree: Tree) -> log.Guard:
        note = log.LastNote(state, name)
        return log.Guard(name, lambda: log_key(name, self.keys.signer(Role.LOG)), note, tree)

    @property
    def trail_origin(self) -> str:
        """The audit trail's name in its own checkpoints: never one of the logs that prove issues."""
        host, _, name = self.origin.rpartition("/")
        return f"{host}/audit{name.removeprefix('log')}"

    def log_head(self) -> Edge:
        """Give the log's size and root."""
        with self.store.reading() as reading:
            return trees.head(reading)

    def trail_head(self) -> Edge:
        """Give the audit trail's size and root."""
        with self.store.reading() as reading:
            return trees.head(reading, TRAIL)

    def newest_trail_checkpoint(self) -> str | None:
        """Give the audit trail's newest signed checkpoint, or None."""
        with self.store.reading() as reading:
            newest = trees.newest_checkpoint(reading, TRAIL)
        return None if newest is None else newest[2]

    def newest_checkpoint(self) -> str | None:
        """Give the newest published checkpoint, or None."""
        with self.store.reading() as reading:
            newest = trees.newest_checkpoint(reading)
        return None if newest is None else newest[2]

    def check_log(self) -> Edge:
        """Recompute the whole log and compare it with what is stored. Raises: SignatureError."""
        with self.store.snapshot() as reading:
            return log.check_log(reading)

    def check_trail(self) -> Edge:
        """Recompute the whole audit trail from its rows. Raises: SignatureError."""
        with self.store.snapshot() as reading:
            return audit.check_trail(reading)

    def export_log(self, folder: Path) -> Iterator[tuple[int, int]]:
        """Write the published log as a static tlog-tiles directory, telling progress as it goes."""
        with self.store.snapshot() as reading:
            yield from log.export_tiles(reading, folder)

    def write_audit(self, entries: Sequence[audit.AuditEntry]) -> None:
        """Write rows to the audit trail, durable when this returns."""
        if entries:
            now = self.clock()
            self.store.write(
                lambda tx: audit.record(tx, entries, now=now, randomness=self._randomness)
            )

    def write_reads(self, calls: Sequence[Sequence[audit.AuditEntry]]) -> list[EcertError | None]:
        """Write the rows of several calls; one beyond its client's quota is refused as a whole.

        Such a call counts nothing, and its rows say that it was refused.
        """
        if not self.client_desk.has_quotas():
            self.write_audit([entry for call in calls for entry in call])
            return [None] * len(calls)
        now = self.clock()
        day = civil_date(now, DEFAULT_ZONE).isoformat()

        def work(tx: Transaction) -> list[EcertError | None]:
            results = [self._use_quota(tx, call, day) for call in calls]
            rows = [
                entry if result is None else replace(entry, outcome=result.code)
                for call, result in zip(calls, results, strict=True)
                for entry in call
            ]
            audit.record(tx, rows, now=now, randomness=self._randomness)
            return results

        return self.store.write(work)

    def _use_quota(
        self, tx: Transaction, call: Sequence[audit.AuditEntry], day: str
    ) -> EcertError | None:
        client = call[0].by.client or ""
        most = self.client_desk.quota(client)
        count = sum(one.outcome == audit.DONE and one.action in SHOWN for one in call)
        scope = f"client:{client}"
        if most is None or not count or quotas.use(tx, scope, day, count, most):
            return None
        return QuotaExceeded("the client's quota of this day is used up")

    def audit_rows(self, *, after: int = -1, limit: int = 100) -> list[dict[str, Any]]:
        """List the audit trail, oldest first."""
        with self.store.reading() as reading:
            return trail.rows(reading, after, max(1, min(limit, 1000)))


@dataclass(frozen=True, slots=True)
class IssueRequest:
    """One certificate to issue: a type, a draft as JSON, and who asks."""

    slug: str
    draft: Any
    by: Actor
    agency: str | None = None
    idempotency: Idempotency | None = None
    identifier: str | None = None


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


def _pick(agencies: list[Agency], code: str | None) -> Agency:
    if code is None:
        if len(agencies) != 1:
            raise InputError("there is not exactly one agency: say which one")
        return agencies[0]
    for agency in agencies:
        if agency.code == code:
            return agency
    raise NotFound("this agency is not registered")


def _acting_for(code: str | None, by: Actor) -> str | None:
    """Find for whom an actor acts: over HTTP that is its own agency and no other."""
    if by.scopes is None:
        return code
    if code not in {None, by.agency}:
        raise Forbidden("a client issues for its own agency only")
    return by.agency


def _check_basis(basis: Basis) -> None:
    for name in ("reason", "basis", "operator"):
        if not is_line(getattr(basis, name), MAX_REASON):
            raise InputError(f"{name} is required: one line of at most {MAX_REASON} characters")


def _may_read(by: Actor, record: Record) -> bool:
    if by.scopes is None or by.may(f"{READ_OWN}:{record.slug}"):
        return True
    return by.agency == record.issuer and by.may(READ_OWN)


def _visibility(by: Actor) -> Visibility | None:
    if by.scopes is None:
        return None
    prefix = READ_OWN + ":"
    slugs = frozenset(one.removeprefix(prefix) for one in by.scopes if one.startswith(prefix))
    return Visibility(by.agency if by.may(READ_OWN) else None, slugs)


def _fallen(rests_on: Sequence[str], reading: Reading, now: float) -> tuple[Mapping[str, Any], ...]:
    """Warn of foundations that are no longer in force."""
    statuses = certificates.statuses(reading, rests_on)
    warnings = []
    for foundation in rests_on:
        stored, exp = statuses.get(foundation, (Status.WITHDRAWN, None))
        status = effective_status(stored, exp, now)
        if status not in {Status.VALID, Status.EXPIRED}:
            warnings.append(_fallen_warning(foundation, status))
    return tuple(warnings)


def _fallen_warning(foundation: str, status: Status) -> dict[str, Any]:
    reason = {
        "zh": "所依据的证照已不在有效状态",
        "en": f"a certificate that this one rests on is {status.value}",
    }
    return {"code": "foundation_fell", "id": foundation, "status": status.value, "reason": reason}
