"""The checks of an order, each under its lock, in the lock order of the design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache

from ecert.catalogue import CertificateType
from ecert.errors import (
    AlreadyExists,
    DraftError,
    FieldError,
    IdempotencyMismatch,
    NotFound,
    NotInForce,
    NumberTaken,
    TypeChanged,
    TypeNotIssuable,
)
from ecert.formats.status_list import shuffle
from ecert.issuance.order import (
    Order,
    Work,
    each,
)
from ecert.ledger.access import (
    ISSUE,
    Sight,
    holds,
    may_rest_on,
    no_certificate,
    require_issues_for,
    sight_of,
)
from ecert.ledger.acting import Desk
from ecert.ledger.register import require_competent
from ecert.ledger.successors import read_successors
from ecert.model import (
    Draft,
    FallenFoundation,
    Record,
    Status,
    check_transition,
    civil_date,
    effective_status,
)
from ecert.store import (
    IMPORT,
    Transaction,
    agencies,
    certificates,
    foundations,
    idempotency,
    register,
    status_lists,
    types,
)

IDEMPOTENCY_SECONDS = 24 * 3600


def replay(tx: Transaction, _desk: Desk, works: list[Work], now: datetime) -> None:
    """Find orders that were carried out before under the same Idempotency-Key."""
    since = int(now.timestamp()) - IDEMPOTENCY_SECONDS
    seen: dict[tuple[str, str, bytes], Work] = {}

    def check(work: Work) -> None:
        key = work.order.idempotency
        if key is None:
            return
        if (key.client, key.route, key.key_digest) in seen:
            raise IdempotencyMismatch("the same Idempotency-Key came twice at once; ask again")
        seen[key.client, key.route, key.key_digest] = work
        earliest = 0 if key.client == IMPORT else since
        found = idempotency.find(tx, key.client, key.route, key.key_digest, earliest)
        if found is None:
            return
        if found[0] != key.body_digest:
            raise IdempotencyMismatch("this Idempotency-Key was used with another body")
        by, agency = work.order.by, work.order.agency.code
        require_issues_for(tx, by, agency, work.order.kind.slug, now)
        record = certificates.find(tx, found[1])
        if record is None:
            raise NotFound("what this Idempotency-Key led to was erased")
        status = effective_status(record.status, record.exp, now.timestamp())
        work.record = replace(record, status=status, warnings=work.order.draft.warnings)
        work.is_replay = True

    each(check, works)


def check_log(tx: Transaction, desk: Desk, works: list[Work], _now: datetime) -> None:
    """Issue nothing while the log would fork: its numbers and places may be given out already."""
    each(lambda _work: desk.log.check(tx), works)


def check_competent(tx: Transaction, _desk: Desk, works: list[Work], now: datetime) -> None:
    """Hold the agencies as they are, and require that each may issue the type today."""
    codes = {work.order.agency.code for work in works}
    known = agencies.hold(tx, codes)
    held = register.competences(tx, agencies=codes)

    def check(work: Work) -> None:
        agency = known[work.order.agency.code]
        if work.order.agency != agency:
            work.order = replace(work.order, agency=agency)
        slug = work.order.kind.slug
        require_issues_for(tx, work.order.by, agency.code, slug, now)
        require_competent(held, agency, slug, civil_date(now, agency.time_zone))

    each(check, works)


def check_order(tx: Transaction, desk: Desk, works: list[Work], now: datetime) -> None:
    """Check what depends on the registry: the type's state and code, and the issue date."""
    used: set[tuple[str, int]] = set()
    brought: set[str] = set()

    def check(work: Work) -> None:
        kind = work.order.kind
        if kind.state != "published":
            raise TypeNotIssuable(f"{kind.slug} v{kind.version} is {kind.state}, not published")
        if not kind.is_confirmed and not desk.charter.allow_provisional:
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

    each(check, works)


def _check_identifier(tx: Transaction, order: Order, brought: set[str]) -> None:
    """Check an identifier that is brought: it names this type and agency, and is new."""
    identifier = order.identifier
    if identifier is None:
        return
    if not order.kind.is_code(identifier.type_code) or identifier.issuer_code != order.agency.code:
        zh, en = "证照标识与类型或机构不符", "the identifier names another type or issuer"
        raise DraftError(en, errors=[FieldError("/id", "identifier_kept", zh, en)])
    if str(identifier) in brought or certificates.find(tx, str(identifier)) is not None:
        raise AlreadyExists("a certificate with this identifier is there already")
    brought.add(str(identifier))


def _use_type(tx: Transaction, desk: Desk, kind: CertificateType, now: datetime) -> None:
    digest = types.digest(tx, kind.slug, kind.version)
    if digest is None:
        metadata = kind.metadata(desk.base)
        at = int(now.timestamp())
        types.add(tx, kind.slug, kind.version, digest=kind.digest, metadata=metadata, at=at)
    elif digest != kind.digest:
        raise TypeChanged(
            f"{kind.slug} v{kind.version} was edited after it was used, or used before it had a "
            f"printed face; add v{kind.version + 1} (docs/how-to/upgrade.md)"
        )


def check_foundations(tx: Transaction, _desk: Desk, works: list[Work], now: datetime) -> None:
    """Lock what the new certificates rest on; what is relied on for the first time must be in force.

    What has fallen of that which they rest on is said of the new certificates, too (design §10.3).
    """
    wanted = {foundation for work in works for foundation in work.order.draft.rests_on}
    locked = certificates.lock_statuses(tx, wanted) if wanted else {}
    newest = foundations.newest_of(tx, {one: row[3] for one, row in locked.items()})
    told = foundations.fallen(tx, newest.values())
    sights = cache(lambda by: sight_of(tx, by, now))

    def check(work: Work) -> None:
        draft, previous = work.order.draft, _previous(tx, work)
        relied_on = () if previous is None else previous.body["rests_on"]
        if not draft.rests_on:
            _require_foundation(work.order.kind, is_known=previous is not None and not relied_on)
            return
        for place, foundation in enumerate(draft.rests_on):
            if foundation not in relied_on:
                _require_in_force(work, place, locked.get(foundation), sights(work.order.by), now)
        own = {newest[one] for one in draft.rests_on if one in newest}
        before = {} if previous is None else foundations.fallen(tx, [previous.id])
        work.fallen = _inherited(own, told, [fell for some in before.values() for fell in some])

    each(check, works)


def _require_foundation(kind: CertificateType, *, is_known: bool) -> None:
    """Refuse a draft that rests on nothing where its type must; one that never did is not judged again."""
    if kind.rests_on_required == "refuse" and not is_known:
        zh, en = "必须写明所依据的前置证照", "this type must say what it rests on"
        fault = FieldError("/rests_on", "rests_on_required", zh, en)
        raise DraftError(en, errors=[fault])


def _previous(tx: Transaction, work: Work) -> Record | None:
    succession = work.order.succession
    return None if succession is None else certificates.find(tx, succession.previous)


def _inherited(
    own: set[str],
    told: Mapping[str, Sequence[FallenFoundation]],
    before: Sequence[FallenFoundation],
) -> tuple[FallenFoundation, ...]:
    """Give what has fallen of some foundations: of what they rest on, and (kept) they themselves."""
    found = {fell.foundation: fell for one in sorted(own) for fell in told.get(one, ())}
    found |= {fell.foundation: fell for fell in before if fell.foundation in own}
    return tuple(found.values())


def _require_in_force(
    work: Work,
    place: int,
    found: tuple[str, Status, int | None, str | None] | None,
    sight: Sight,
    now: datetime,
) -> None:
    foundation, agency = work.order.draft.rests_on[place], work.order.agency.code
    if found is None or not may_rest_on(sight, agency, found[0], foundation):
        raise _refused_foundation(place, "unknown", "没有这个证照", "there is no such certificate")
    slug, stored, exp, _ = found
    if slug not in work.order.kind.may_rest_on:
        zh, en = "该证照不得以此类证照为依据", f"this type may not rest on {slug}"
        raise _refused_foundation(place, "rests_on_type", zh, en)
    status = effective_status(stored, exp, now.timestamp())
    if status is not Status.VALID:
        zh, en = "所依据的证照已不在有效状态", f"what it rests on is {status.value}"
        raise _refused_foundation(place, "not_in_force", zh, en)


def _refused_foundation(place: int, rule: str, zh: str, en: str) -> NotInForce:
    fault = FieldError(f"/rests_on/{place}", rule, zh, en)
    return NotInForce(f"rests_on: {en}", errors=[fault])


def take_over(tx: Transaction, _desk: Desk, works: list[Work], now: datetime) -> None:
    """Lock the certificates that are changed, renewed or replaced, and check that they may be."""

    def check(work: Work) -> None:
        succession, draft = work.order.succession, work.order.draft
        if succession is None:
            return
        previous = certificates.lock(tx, succession.previous)
        if previous is None:
            raise no_certificate()
        agency, issuer, number = work.order.agency.code, previous.issuer, previous.body["number"]
        if read_successors(tx, now).responsible(issuer, previous.slug) != agency:
            raise no_certificate()
        if issuer != agency and certificates.is_number_taken(tx, [agency], previous.slug, number):
            raise NumberTaken(f"another current certificate of {agency} has the number {number}")
        status = effective_status(previous.status, previous.exp, now.timestamp())
        check_transition(succession.operation, status, previous.superseded_by)
        if draft.number not in {None, previous.body["number"]}:
            fault = FieldError(
                "/number", "number_kept", "变更不改编号", "the next version keeps the number"
            )
            raise DraftError("the next version keeps its number", errors=[fault])
        if not holds(work.order.by, ISSUE):
            _check_same_subject(draft, previous)
        work.previous, work.number = previous, previous.body["number"]
        work.local_number = draft.local_number or previous.body["local_number"]

    each(check, works)


def _check_same_subject(draft: Draft, previous: Record) -> None:
    """Who may operate and not issue keeps holder and project: another would be another permit."""
    held = [(one["code_type"], one["code"]) for one in previous.body["holders"]]
    kept = {
        "/holders": held == [(one.code_type, one.code) for one in draft.holders],
        "/project_code": draft.project_code == previous.body["project_code"],
    }
    for pointer, is_kept in kept.items():
        if not is_kept:
            zh, en = (
                "变更持证主体或项目须有签发权限",
                "another holder or project needs the right to issue",
            )
            raise DraftError(en, errors=[FieldError(pointer, "subject_kept", zh, en)])


def take_places(tx: Transaction, desk: Desk, works: list[Work], _now: datetime) -> None:
    """Give every new certificate a place in a status list that cannot be guessed."""
    for work, (number, place) in zip(works, status_lists.take_places(tx, len(works)), strict=True):
        work.place = number, shuffle(place, desk.secrets.status, number)
