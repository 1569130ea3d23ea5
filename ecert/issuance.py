"""Issuing 签发: from a draft to a signed, stored and logged certificate, in one transaction.

``issue_many`` is the primitive and ``issue`` a batch of one. One order's fault never fails its
neighbours; nothing leaves the process before the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from ecert import audit, credential, log
from ecert._encoding import Clock, Randomness, b64url, rfc3339, to_json
from ecert.catalogue import CertificateType, NumberPattern
from ecert.errors import (
    AlreadyExists,
    CounterFull,
    DraftError,
    EcertError,
    FieldError,
    IdempotencyMismatch,
    NotFound,
    NotInForce,
    NumberTaken,
    TypeChanged,
    TypeNotIssuable,
)
from ecert.ids import Identifier, make_serial, parse_identifier
from ecert.keys import SigningKey
from ecert.model import (
    Actor,
    Agency,
    Basis,
    Certificate,
    Draft,
    Operation,
    Record,
    Status,
    TypeRef,
    certificate_json,
    check_transition,
    civil_date,
    effective_status,
)
from ecert.receipt import SALT_BYTES, commitment, log_entry
from ecert.seal import seal_claims, sign_seal
from ecert.statement import EVENTS, Statement, sign_statement
from ecert.status import shuffle
from ecert.store import IMPORT, NewCertificate, Store, Transaction

IDEMPOTENCY_SECONDS = 24 * 3600
_ROUNDS_OF_NUMBERS = 100


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


@dataclass(frozen=True)
class Desk:
    """What issuing needs besides the draft 签发台: the registry's address, keys, clock, randomness.

    ``agency_key`` gives an agency's signing key, ``holder_hmac`` hides a holder's code, and
    ``status_key`` makes status indexes unpredictable.
    """

    store: Store
    base: str
    defining_body: str
    allow_provisional: bool
    agency_key: Callable[[str], SigningKey]
    holder_hmac: Callable[[str], bytes]
    status_key: bytes
    clock: Clock
    randomness: Randomness

    def status_uri(self, number: int) -> str:
        """Give the address of a status list."""
        return f"{self.base}/status/{number}"


@dataclass
class _Work:
    """One order on its way through the transaction."""

    order: Order
    issued_on: date
    previous: Record | None = None
    number: str = ""
    local_number: str | None = None
    place: tuple[int, int] = (0, 0)
    salt: bytes = b""
    record: Record | None = None
    statement: tuple[str, bytes] | None = None  # token, salt
    error: EcertError | None = None
    is_replay: bool = False


def issue_many(desk: Desk, orders: Sequence[Order]) -> list[Issued | EcertError]:
    """Issue certificates in one transaction; give each its result or its refusal.

    Refused orders change nothing but the audit trail. Raises: StoreBusy, KeyUnavailable.
    """
    return desk.store.write(lambda tx: _issue(tx, desk, orders)) if orders else []


def issue(desk: Desk, order: Order) -> Issued:
    """Issue one certificate. Raises: the refusal."""
    (result,) = issue_many(desk, [order])
    if isinstance(result, EcertError):
        raise result
    return result


def _issue(tx: Transaction, desk: Desk, orders: Sequence[Order]) -> list[Issued | EcertError]:
    now = desk.clock()
    works = [_Work(order, _issued_on(order, now)) for order in orders]
    for step in (
        _replay,
        _check_order,
        _check_foundations,
        _mint_numbers,
        _take_over,
        _take_places,
    ):
        step(tx, desk, [work for work in works if work.error is None and work.record is None], now)
    waiting = [work for work in works if work.error is None and work.record is None]
    _each(lambda work: _make(desk, work, now), waiting)
    fresh = [work for work in waiting if work.error is None]
    _write(tx, desk, works, fresh, now)
    return [work.error or _result(work) for work in works]


def _result(work: _Work) -> Issued:
    assert work.record is not None  # noqa: S101 - every order ends as an error or a record
    return Issued(work.record, work.is_replay)


def _issued_on(order: Order, now: datetime) -> date:
    return order.draft.issued_on or civil_date(now, order.agency.time_zone)


def _each(check: Callable[[_Work], None], works: Iterable[_Work]) -> None:
    """Run a check for each order; a refusal stays with its own order."""
    for work in works:
        try:
            check(work)
        except EcertError as error:
            work.error = error


# -- the steps, in the lock order of the design ---------------------------------------------------


def _replay(tx: Transaction, _desk: Desk, works: list[_Work], now: datetime) -> None:
    """Find orders that were carried out before under the same Idempotency-Key."""
    since = int(now.timestamp()) - IDEMPOTENCY_SECONDS
    seen: dict[tuple[str, str, bytes], _Work] = {}

    def check(work: _Work) -> None:
        key = work.order.idempotency
        if key is None:
            return
        if (key.client, key.route, key.key_digest) in seen:
            raise IdempotencyMismatch("the same Idempotency-Key came twice at once; ask again")
        seen[key.client, key.route, key.key_digest] = work
        earliest = 0 if key.client == IMPORT else since
        found = tx.replayed(key.client, key.route, key.key_digest, earliest)
        if found is None:
            return
        if found[0] != key.body_digest:
            raise IdempotencyMismatch("this Idempotency-Key was used with another body")
        record = tx.record(found[1])
        if record is None:
            raise NotFound("what this Idempotency-Key led to was erased")
        work.record = replace(record, warnings=work.order.draft.warnings)
        work.is_replay = True

    _each(check, works)


def _check_order(tx: Transaction, desk: Desk, works: list[_Work], now: datetime) -> None:
    """Check what depends on the registry: the type's state and code, and the issue date."""
    used: set[tuple[str, int]] = set()
    brought: set[str] = set()

    def check(work: _Work) -> None:
        kind = work.order.kind
        if kind.state != "published":
            raise TypeNotIssuable(f"{kind.slug} v{kind.version} is {kind.state}, not published")
        if not kind.is_confirmed and not desk.allow_provisional:
            raise TypeNotIssuable(
                f"the type code of {kind.slug} is provisional; set allow_provisional, or put the "
                "confirmed code into the type's folder"
            )
        if work.issued_on > civil_date(now, work.order.agency.time_zone):
            fault = FieldError(
                "/issued_on", "future", "签发日期不得晚于今天", "this is in the future"
            )
            raise DraftError("the issue date lies in the future", errors=[fault])
        _check_identifier(tx, work.order, brought)
        if (kind.slug, kind.version) not in used:
            _use_type(tx, desk, kind, now)
            used.add((kind.slug, kind.version))

    _each(check, works)


def _check_identifier(tx: Transaction, order: Order, brought: set[str]) -> None:
    """Check an identifier that is brought: it names this type and agency, and is new."""
    identifier = order.identifier
    if identifier is None:
        return
    if not order.kind.is_code(identifier.type_code) or identifier.issuer_code != order.agency.code:
        zh, en = "证照标识与类型或机构不符", "the identifier names another type or issuer"
        raise DraftError(en, errors=[FieldError("/id", "identifier_kept", zh, en)])
    if str(identifier) in brought or tx.record(str(identifier)) is not None:
        raise AlreadyExists("a certificate with this identifier is there already")
    brought.add(str(identifier))


def _use_type(tx: Transaction, desk: Desk, kind: CertificateType, now: datetime) -> None:
    digest = tx.type_digest(kind.slug, kind.version)
    if digest is None:
        metadata = kind.metadata(desk.base)
        tx.add_type(kind.slug, kind.version, kind.digest, metadata, int(now.timestamp()))
    elif digest != kind.digest:
        raise TypeChanged(
            f"{kind.slug} v{kind.version} was edited after it was used; add v{kind.version + 1}"
        )


def _check_foundations(tx: Transaction, _desk: Desk, works: list[_Work], now: datetime) -> None:
    """Lock what the new certificates rest on, and require it to be in force."""
    wanted = {foundation for work in works for foundation in work.order.draft.rests_on}
    locked = tx.lock_statuses(wanted) if wanted else {}

    def check(work: _Work) -> None:
        for place, foundation in enumerate(work.order.draft.rests_on):
            found = locked.get(foundation)
            if found is None or not _may_see(work.order.by, found[0], foundation):
                raise _refused_foundation(
                    place, "unknown", "没有这个证照", "there is no such certificate"
                )
            slug, stored, exp = found
            if slug not in work.order.kind.may_rest_on:
                zh, en = "该证照不得以此类证照为依据", f"this type may not rest on {slug}"
                raise _refused_foundation(place, "rests_on_type", zh, en)
            status = effective_status(stored, exp, now.timestamp())
            if status is not Status.VALID:
                zh, en = "所依据的证照已不在有效状态", f"what it rests on is {status.value}"
                raise _refused_foundation(place, "not_in_force", zh, en)

    _each(check, works)


def _may_see(by: Actor, slug: str, identifier: str) -> bool:
    """Tell whether the actor may know of a certificate: what may not be seen reads as unknown."""
    if by.scopes is None or by.may(f"certificates:read:{slug}"):
        return True
    return by.agency is not None and parse_identifier(identifier).issuer_code == by.agency


def _refused_foundation(place: int, rule: str, zh: str, en: str) -> NotInForce:
    fault = FieldError(f"/rests_on/{place}", rule, zh, en)
    return NotInForce(f"rests_on: {en}", errors=[fault])


def _mint_numbers(tx: Transaction, _desk: Desk, works: list[_Work], _now: datetime) -> None:
    """Give every new certificate its number, and its local one where the type has a pattern."""
    brought: set[tuple[str, str, str]] = set()
    unnumbered: list[_Work] = []

    def check(work: _Work) -> None:
        order = work.order
        if order.succession is not None:
            return
        work.local_number = order.draft.local_number
        if order.draft.number is None:
            unnumbered.append(work)
            return
        key = order.agency.code, order.kind.slug, order.draft.number
        if key in brought or tx.is_number_taken(*key):
            raise NumberTaken("another current certificate of this type has the number")
        brought.add(key)
        work.number = order.draft.number

    _each(check, works)
    for counter, group in _by_prefix(unnumbered, lambda kind: kind.number).items():
        _mint(tx, counter, group)
    local = [work for work in works if not work.order.succession and not work.local_number]
    for counter, group in _by_prefix(local, lambda kind: kind.local_number).items():
        _mint_local(tx, "local|" + counter, group)


def _by_prefix(
    works: list[_Work], pattern_of: Callable[[CertificateType], NumberPattern | None]
) -> dict[str, list[_Work]]:
    """Group works by the counter their number comes from: the pattern's prefix."""
    groups: dict[str, list[_Work]] = {}
    for work in works:
        order, pattern = work.order, pattern_of(work.order.kind)
        if work.error is None and pattern is not None and pattern.is_usable_by(order.agency):
            counter = f"{order.kind.slug}|{pattern.prefix(order.agency, work.issued_on)}"
            groups.setdefault(counter, []).append(work)
    return groups


def _mint(tx: Transaction, counter: str, group: list[_Work]) -> None:
    """Give numbers to a group that shares a prefix, skipping numbers that are taken."""
    slug, _, prefix = counter.partition("|")
    waiting = list(group)
    for _ in range(_ROUNDS_OF_NUMBERS):
        first = tx.take_numbers(counter, len(waiting))
        made = [
            work.order.kind.number.make(work.order.agency, work.issued_on, first + place)
            for place, work in enumerate(waiting)
        ]
        taken = tx.taken_numbers(slug, [number for number in made if number is not None])
        again = []
        for work, number in zip(waiting, made, strict=True):
            if number is None:
                work.error = CounterFull(f"no number is left under {prefix}")
            elif number in taken:
                again.append(work)
            else:
                work.number = number
        if not again:
            return
        waiting = again
    for work in waiting:
        work.error = CounterFull("too many numbers in a row are taken")


def _mint_local(tx: Transaction, counter: str, group: list[_Work]) -> None:
    first = tx.take_numbers(counter, len(group))
    for place, work in enumerate(group):
        pattern = work.order.kind.local_number
        assert pattern is not None  # noqa: S101 - grouped by it
        work.local_number = pattern.make(work.order.agency, work.issued_on, first + place)


def _take_over(tx: Transaction, _desk: Desk, works: list[_Work], now: datetime) -> None:
    """Lock the certificates that are changed, renewed or replaced, and check that they may be."""

    def check(work: _Work) -> None:
        succession, draft = work.order.succession, work.order.draft
        if succession is None:
            return
        previous = tx.lock_record(succession.previous)
        if previous is None or previous.issuer != work.order.agency.code:
            raise NotFound("there is no such certificate")
        status = effective_status(previous.status, previous.exp, now.timestamp())
        check_transition(succession.operation, status, previous.superseded_by)
        if draft.number not in {None, previous.body["number"]}:
            fault = FieldError(
                "/number", "number_kept", "变更不改编号", "the next version keeps the number"
            )
            raise DraftError("the next version keeps its number", errors=[fault])
        work.previous, work.number = previous, previous.body["number"]
        work.local_number = draft.local_number or previous.body["local_number"]

    _each(check, works)


def _take_places(tx: Transaction, desk: Desk, works: list[_Work], _now: datetime) -> None:
    """Give every new certificate a place in a status list that cannot be guessed."""
    for work, (number, place) in zip(works, tx.take_status_places(len(works)), strict=True):
        work.place = number, shuffle(place, desk.status_key, number)


# -- making and writing ---------------------------------------------------------------------------


def _make(desk: Desk, work: _Work, now: datetime) -> None:
    """Assemble, lint and sign one certificate's credential and seal."""
    order, key = work.order, desk.agency_key(work.order.agency.code)
    certificate = _certificate(desk, work, now)
    status = credential.StatusRef(desk.status_uri(work.place[0]), work.place[1])
    zone = order.agency.time_zone
    prepared = credential.prepare(
        certificate,
        order.kind,
        base=desk.base,
        status=status,
        zone=zone,
        randomness=desk.randomness,
    )
    signed = credential.sign(prepared, key.signer, key.chain)
    digest = signed.digest
    seconds = certificate.validity.seconds(zone)
    claims = seal_claims(
        certificate,
        digest=digest,
        status=(status.index, status.uri),
        seconds=seconds,
        masks=order.kind.masks,
    )
    work.salt = desk.randomness(SALT_BYTES)
    work.record = Record(
        id=certificate.id,
        raw=to_json(certificate_json(certificate, order.kind.name)),
        issuer=certificate.issuer_code,
        slug=order.kind.slug,
        status=effective_status(Status.VALID, seconds[1], now.timestamp()),
        since=certificate.created_at,
        nbf=seconds[0],
        exp=seconds[1],
        changes=0,
        superseded_by=None,
        log_index=-1,
        status_list=work.place[0],
        status_index=work.place[1],
        digest=digest,
        credential=signed.text,
        seal=sign_seal(claims, key.signer, desk.base),
        warnings=order.draft.warnings,
    )


def _certificate(desk: Desk, work: _Work, now: datetime) -> Certificate:
    order, draft, kind = work.order, work.order.draft, work.order.kind
    code = kind.code(desk.defining_body)
    if work.previous is not None:
        identifier = parse_identifier(work.previous.id).bump()
    elif order.identifier is not None:
        identifier = order.identifier
    else:
        serial = make_serial(int(now.timestamp() * 1000), desk.randomness(10))
        identifier = Identifier(code, order.agency.code, serial)
    return Certificate(
        id=str(identifier),
        number=work.number,
        local_number=work.local_number,
        type=TypeRef(kind.slug, identifier.type_code, kind.version, kind.template),
        issuer_code=order.agency.code,
        issuer_name=order.agency.name,
        holders=draft.holders,
        project_code=draft.project_code,
        fields=draft.fields,
        issued_on=work.issued_on,
        validity=kind.validity(work.issued_on, draft.valid_from, draft.valid_to),
        created_at=now.replace(microsecond=0),
        supersedes=None if work.previous is None else work.previous.id,
        rests_on=draft.rests_on,
        attachments=draft.attachments,
    )


def _write(
    tx: Transaction, desk: Desk, works: list[_Work], fresh: list[_Work], now: datetime
) -> None:
    """Write everything; the audit head is locked before the log head, and that is the last lock."""
    seconds = int(now.timestamp())
    taking_over = [work for work in fresh if work.previous is not None]
    for work in taking_over:
        _supersede(tx, desk, work, seconds)
    _keep_keys(tx, fresh, seconds)
    audit.record(tx, [_audit_entry(work) for work in works], now=now, randomness=desk.randomness)
    if not fresh:
        return
    time = rfc3339(now)
    entries = [_entry(work, time) for work in fresh]
    entries += [_supersede_entry(work, time) for work in taking_over]
    first = log.append_entries(tx, entries)
    for place, work in enumerate(fresh):
        work.record = replace(_made(work), log_index=first + place)
    tx.add_certificates([_row(desk, work) for work in fresh])
    for place, work in enumerate(taking_over):
        tx.add_statement(_statement_row(work, first + len(fresh) + place, seconds))


def _made(work: _Work) -> Record:
    assert work.record is not None  # noqa: S101 - _make ran before
    return work.record


def _supersede(tx: Transaction, desk: Desk, work: _Work, seconds: int) -> None:
    """End the previous version in the same transaction, by a signed statement."""
    succession, previous = work.order.succession, work.previous
    assert succession is not None and previous is not None  # noqa: S101, PT018 - the caller looked
    key = desk.agency_key(work.order.agency.code)
    statement = Statement(
        subject=previous.id,
        operation=succession.operation,
        status=Status.SUPERSEDED,
        at=seconds,
        basis=succession.basis,
        credential_digest=b64url(previous.digest),
        successor=_made(work).id,
    )
    issuer = f"{desk.base}/agencies/{previous.issuer}"
    token = sign_statement(statement, key.signer, issuer=issuer, chain=key.chain)
    work.statement = token, desk.randomness(SALT_BYTES)
    tx.put_status(previous.id, Status.SUPERSEDED, seconds, superseded_by=_made(work).id)


def _entry(work: _Work, time: str) -> bytes:
    record = _made(work)
    jwt = record.credential.partition("~")[0].encode("ascii")
    return log_entry(
        event=EVENTS[Operation.ISSUE],
        time=time,
        issuer=record.issuer,
        kind=record.slug,
        commitment=commitment(work.salt, jwt),
    )


def _supersede_entry(work: _Work, time: str) -> bytes:
    assert work.statement is not None and work.previous is not None  # noqa: S101, PT018 - signed before
    token, salt = work.statement
    return log_entry(
        event=EVENTS[Operation.CHANGE],
        time=time,
        issuer=work.previous.issuer,
        kind=work.previous.slug,
        commitment=commitment(salt, token.encode("ascii")),
        ref=work.previous.log_index,
    )


def _row(desk: Desk, work: _Work) -> NewCertificate:
    record, draft = _made(work), work.order.draft
    columns = {
        "id": record.id,
        "issuer": record.issuer,
        "slug": record.slug,
        "number": work.number,
        "project_code": draft.project_code,
        "status": Status.VALID.value,
        "since": int(record.since.timestamp()),
        "nbf": record.nbf,
        "exp": record.exp,
        "created_at": int(record.since.timestamp()),
        "changes": 0,
        "supersedes": None if work.previous is None else work.previous.id,
        "superseded_by": None,
        "status_list": record.status_list,
        "status_index": record.status_index,
        "log_index": record.log_index,
        "salt": work.salt,
        "digest": record.digest,
        "body": record.raw,
        "credential": record.credential,
        "seal": record.seal,
    }
    hmacs = [desk.holder_hmac(holder.code) for holder in draft.holders]
    return NewCertificate(columns, hmacs, draft.rests_on)


def _statement_row(work: _Work, log_index: int, seconds: int) -> dict[str, Any]:
    succession, previous = work.order.succession, work.previous
    assert succession is not None and previous is not None and work.statement is not None  # noqa: S101, PT018 - signed before
    return {
        "log_index": log_index,
        "certificate": previous.id,
        "operation": succession.operation.value,
        "status": Status.SUPERSEDED.value,
        "at": seconds,
        "reason": succession.basis.reason,
        "basis": succession.basis.basis,
        "operator": succession.basis.operator,
        "successor": _made(work).id,
        "salt": work.statement[1],
        "token": work.statement[0],
    }


def _keep_keys(tx: Transaction, fresh: list[_Work], seconds: int) -> None:
    rows = [
        {
            "client": key.client,
            "route": key.route,
            "key_digest": key.key_digest,
            "body_digest": key.body_digest,
            "certificate": _made(work).id,
            "created_at": seconds,
        }
        for work in fresh
        if (key := work.order.idempotency) is not None
    ]
    tx.keep_idempotency(rows, seconds - IDEMPOTENCY_SECONDS)


def _audit_entry(work: _Work) -> audit.AuditEntry:
    succession = work.order.succession
    operation = Operation.ISSUE if succession is None else succession.operation
    outcome = audit.DONE if work.error is None else work.error.code
    identifier = None if work.record is None else work.record.id
    details = {"type": work.order.kind.slug, "agency": work.order.agency.code}
    if work.is_replay:
        details["replay"] = "true"
    return audit.AuditEntry(operation.value, work.order.by, outcome, identifier, details)
