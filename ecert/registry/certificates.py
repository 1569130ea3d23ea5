"""Certificates 证照: issue them, act upon them, and read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ecert import issuance
from ecert.catalogue import check_draft
from ecert.errors import EcertError, InputError, NotFound
from ecert.formats.presentation import present
from ecert.formats.receipt import Receipt
from ecert.ids import parse_identifier
from ecert.issuance import Idempotency, Issued, Order, Succession, lifecycle
from ecert.issuance.lifecycle import Act
from ecert.ledger.access import (
    ISSUE,
    OPERATE,
    READ,
    Seen,
    Sight,
    find_certificate,
    issuing_agency,
    no_certificate,
    pick,
    refusal,
    sight_of,
    succeeding_on,
)
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.standing import standing
from ecert.ledger.trail import AuditEntry, Trail, named
from ecert.model import (
    SUCCESSIONS,
    Actor,
    Agency,
    Basis,
    Event,
    Operation,
    Record,
    Status,
    is_line,
)
from ecert.registry.log import PublishedLog
from ecert.reuse.graph import Graph, graph_of
from ecert.store import Filter, agencies, certificates, statements

MAX_PAGE = 100
MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Query:
    """What to search certificates by; everything given must fit."""

    holder_code: str | None = None
    project_code: str | None = None
    slug: str | None = None
    number: str | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search; ``after`` continues it, None at the end."""

    records: tuple[Record, ...]
    after: int | None


@dataclass(frozen=True, slots=True)
class IssueRequest:
    """One certificate to issue: a type, a draft as JSON, and who asks."""

    slug: str
    draft: Any
    by: Actor
    agency: str | None = None
    idempotency: Idempotency | None = None
    identifier: str | None = None


class Certificates(Verbs):
    """Issue 签发, operate, find and read certificates; everything is in the trail."""

    def __init__(self, desk: Desk, log: PublishedLog, settle: Callable[[], None]) -> None:
        super().__init__(desk)
        self._log, self._settle = log, settle

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

        Raises: DraftError with everything that does not fit, NotInForce, NumberTaken, CounterFull,
        TypeNotIssuable, TypeChanged, NotFound, Forbidden, ForkGuard, KeyUnavailable.
        """
        (result,) = self.issue_many([IssueRequest(slug, draft, by, agency, idempotency)])
        if isinstance(result, EcertError):
            raise result
        return result

    def issue_many(self, requests: Sequence[IssueRequest]) -> list[Issued | EcertError]:
        """Issue many certificates in one transaction; each request gets its result or refusal."""
        self._settle()
        with self.desk.store.reading() as reading:
            known = agencies.listed(reading)
        prepared = [self._order(request, known) for request in requests]
        refused = [
            AuditEntry("issue", request.by, details=self._type_of(request)).refused(error)
            for request, error in zip(requests, prepared, strict=True)
            if isinstance(error, EcertError)
        ]
        self.desk.trail.write(refused)
        orders = [order for order in prepared if isinstance(order, Order)]
        results = iter(issuance.issue_many(self.desk, orders))
        return [order if isinstance(order, EcertError) else next(results) for order in prepared]

    issue.scope = issue_many.scope = ISSUE  # type: ignore[attr-defined]  # asked of each request

    def _type_of(self, request: IssueRequest) -> dict[str, str]:
        """Name the type for the trail if it is one: another text might be a holder's code."""
        known = any(kind.slug == request.slug for kind in self.desk.catalogue)
        return {"type": request.slug} if known else {}

    def _order(self, request: IssueRequest, known: list[Agency]) -> Order | EcertError:
        if (forbidden := refusal(request.by, ISSUE)) is not None:
            return forbidden
        try:
            kind = self.desk.catalogue.newest(request.slug)
            agency = issuing_agency(known, request.by, request.agency)
            draft = check_draft(kind, request.draft)
            brought = None if request.identifier is None else parse_identifier(request.identifier)
        except EcertError as error:
            return error
        return Order(kind, draft, agency, request.by, request.idempotency, identifier=brought)

    @needs(OPERATE)
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

        Raises: TransitionRefused naming what is allowed, NotFound, ForkGuard, InputError without a
        reason and a basis, and for the last three whatever ``issue`` raises.
        """
        self._settle()
        if operation in SUCCESSIONS:
            return self._succeed(identifier, operation, draft, basis=basis, by=by).record
        entry = AuditEntry(operation.value, by, certificate=named(identifier))
        with self.desk.audited(entry):
            _check_basis(basis)
            if draft is not None:
                raise InputError(f"{operation.value} takes no draft")
        record = lifecycle.operate(self.desk, Act(identifier, operation, basis), by)
        with self.desk.store.reading() as reading:
            return standing(reading, [record], self.desk.clock())[0]

    @needs(OPERATE)
    def succeed(
        self, identifier: str, operation: Operation, draft: Any, *, basis: Basis, by: Actor
    ) -> Issued:
        """Change, renew or replace: issue the next version and supersede this one, at once."""
        self._settle()
        return self._succeed(identifier, operation, draft, basis=basis, by=by)

    def _succeed(
        self, identifier: str, operation: Operation, draft: Any, *, basis: Basis, by: Actor
    ) -> Issued:
        with self.desk.audited(AuditEntry(operation.value, by, certificate=named(identifier))):
            _check_basis(basis)
            with self.desk.store.reading() as reading:
                previous = certificates.find(reading, identifier)
                if previous is None:
                    raise no_certificate()
                code = succeeding_on(reading, by, previous, self.desk.clock())
                agency = pick(agencies.listed(reading), code)
            kind = self.desk.catalogue.newest(previous.slug)
            checked = check_draft(kind, draft)
        succession = Succession(identifier, operation, basis)
        order = Order(kind, checked, agency, by, succession=succession)
        return issuance.issue(self.desk, order)

    # -- reading -----------------------------------------------------------------------------------

    @needs(READ)
    def get(
        self, identifier: str, *, by: Actor, action: str = "read", trail: Trail | None = None
    ) -> Record:
        """Give a certificate with its present status and warnings. Raises: NotFound.

        ``action`` says in the trail what for it is read; ``trail`` where that is written.
        """
        entry, now = AuditEntry(action, by, certificate=identifier), self.desk.clock()
        written = trail or self.desk.trail
        try:
            with self.desk.store.reading() as reading:
                seen = find_certificate(reading, by, identifier, now)
                record = standing(reading, [seen.record], now)[0]
        except NotFound as error:
            written.write([replace(entry, certificate=named(identifier)).refused(error)])
            raise
        written.write([replace(entry, details=seen.details) if seen.details else entry])
        return record

    @needs(READ)
    def find(
        self,
        query: Query,
        *,
        by: Actor,
        after: int | None = None,
        limit: int = 20,
        trail: Trail | None = None,
    ) -> Found:
        """Find certificates by holder, project, type, number or status, oldest first.

        What was found is a read of each certificate: its holder sees it, its client hears of changes.
        """
        size = max(1, min(limit, MAX_PAGE))
        wanted, now = self._filter(query), self.desk.clock()
        with self.desk.store.reading() as reading:
            sight = sight_of(reading, by, now)
            found = certificates.search(
                reading,
                wanted,
                visible=sight.visibility(),
                after=-1 if after is None else after,
                limit=size + 1,
                now=int(now.timestamp()),
            )
            records = tuple(standing(reading, found[:size], now))
        (trail or self.desk.trail).write(_search_rows(sight, wanted, records))
        return Found(records, records[-1].log_index if len(found) > size else None)

    def _filter(self, query: Query) -> Filter:
        code = query.holder_code
        return Filter(
            holder_hmac=None if code is None else self.desk.secrets.hide(code),
            project_code=query.project_code,
            slug=query.slug,
            number=query.number,
            status=query.status,
        )

    @needs(READ)
    def history(self, identifier: str, *, by: Actor, trail: Trail | None = None) -> list[Event]:
        """List the signed acts upon a certificate, oldest first. Raises: NotFound."""
        record = self.get(identifier, by=by, action="history", trail=trail)
        with self.desk.store.reading() as reading:
            return statements.history(reading, record.id)

    @needs(READ)
    def receipt(
        self, identifier: str, *, by: Actor, trail: Trail | None = None, publishes: bool = True
    ) -> Receipt:
        """Give the proof that a certificate is in the log, publishing a checkpoint if needed.

        Raises: NotFound, ForkGuard; NotPublished instead of publishing when told not to.
        """
        record = self.get(identifier, by=by, action="receipt", trail=trail)
        return self._log.receipt(record.log_index, publishes=publishes)

    @needs(READ)
    def present(
        self,
        identifier: str,
        disclose: Iterable[str],
        *,
        by: Actor,
        trail: Trail | None = None,
    ) -> str:
        """Give a credential that discloses only the named values. Raises: NotFound, InputError."""
        record = self.get(identifier, by=by, action="present", trail=trail)
        return present(record.credential, disclose)

    @needs(READ)
    def graph(self, identifier: str, *, by: Actor, trail: Trail | None = None) -> Graph:
        """Show what comes before and after a certificate, each step with its state.

        What it rests on directly it names itself; beyond that only what the caller may see counts.
        Raises: NotFound, also where no matter issues its type.
        """
        record = self.get(identifier, by=by, action="check", trail=trail)
        now = self.desk.clock()
        with self.desk.store.reading() as reading:
            return graph_of(reading, record, sight_of(reading, by, now).sees, now)


def _check_basis(basis: Basis) -> None:
    for name in ("reason", "basis", "operator"):
        if not is_line(getattr(basis, name), MAX_REASON):
            raise InputError(f"{name} is required: one line of at most {MAX_REASON} characters")


def _search_rows(sight: Sight, wanted: Filter, records: Sequence[Record]) -> list[AuditEntry]:
    details: dict[str, Any] = {"certificates": [record.id for record in records]}
    if wanted.holder_hmac is not None:
        details["holder_hmac"] = wanted.holder_hmac.hex()
    reads = [_read_row(sight, record) for record in records]
    return [*reads, AuditEntry("search", sight.by, details=details)]


def _read_row(sight: Sight, record: Record) -> AuditEntry:
    seen = Seen(record, sight.basis(record.slug, record.issuer) or {})
    return AuditEntry("read", sight.by, certificate=record.id, details=seen.details)
