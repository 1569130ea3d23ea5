"""What an order rests on 前置证照: in force when it is first relied on, and what has fallen is said (design §10.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

from ecert.catalogue import CertificateType
from ecert.errors import DraftError, FieldError, NotInForce
from ecert.issuance.order import Work, each
from ecert.ledger.access import Sight, may_rest_on, sight_of
from ecert.ledger.acting import Desk
from ecert.model import FallenFoundation, Record, Status, effective_status
from ecert.store import Transaction, certificates, foundations


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


def tell_dependents(tx: Transaction, work: Work) -> list[tuple[str, list[FallenFoundation]]]:
    """Say of what rests on the previous version what is newly said of the next one."""
    assert work.previous is not None  # noqa: S101 - the caller looked
    resting = foundations.lock_with_dependents(tx, work.previous.id)
    known = foundations.fallen(tx, resting)
    told = []
    for certificate in sorted(resting):
        there = {one.foundation for one in known.get(certificate, ())}
        if fresh := [one for one in work.fallen if one.foundation not in there]:
            told.append((certificate, fresh))
    foundations.touch_lists(tx, [certificate for certificate, _ in told])
    return told
