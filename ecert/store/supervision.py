"""What supervisors count 电子监察, in the store: sums, never names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select

from ecert.store import tables as t
from ecert.store.connection import Reading
from ecert.store.trail import SHOWN

DAY = 86_400
MAX_CASES = 20_000


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case that carries a promise, and when it was decided, if it was; days as ISO dates."""

    agency: str
    matter: str
    version: int
    accepted_on: str
    due_on: str
    holder_hmac: bytes | None
    project_code: str | None
    created_at: int


def _day(column: Any, offset: int) -> Any:
    """Give the number of an instant's civil day, in a zone so many seconds east of Greenwich."""
    return (column + offset) // DAY


def papers(reading: Reading, since: int, until: int, offset: int) -> list[tuple[Any, ...]]:
    """Count papers not brought: (agency, matter, type, day) → how many, each material once."""
    d, i = t.dossiers.c, t.dossier_items.c
    once = (
        select(i.dossier, i.material, func.min(i.slug).label("slug"))
        .group_by(i.dossier, i.material)
        .subquery()
    )
    day = _day(d.created_at, offset)
    query = (
        select(d.agency, d.matter, once.c.slug, day.label("day"), func.count())
        .join(once, once.c.dossier == d.id)
        .where(d.created_at >= since, d.created_at < until)
        .group_by(d.agency, d.matter, once.c.slug, day)
    )
    return [tuple(row) for row in reading.connection.execute(query)]


def dossiers(reading: Reading, since: int, until: int, offset: int) -> list[tuple[Any, ...]]:
    """Count dossiers: (agency, matter, day) → how many."""
    d = t.dossiers.c
    day = _day(d.created_at, offset)
    query = (
        select(d.agency, d.matter, day.label("day"), func.count())
        .where(d.created_at >= since, d.created_at < until)
        .group_by(d.agency, d.matter, day)
    )
    return [tuple(row) for row in reading.connection.execute(query)]


def refusals(reading: Reading, since: int, until: int, offset: int) -> list[tuple[Any, ...]]:
    """Count refusals in the trail: (agency, matter, code, day) → how many."""
    a = t.audit.c
    first, end = _first_at(reading, since), _first_at(reading, until)
    day = _day(a.at, offset)
    query = (
        select(a.agency, a.matter, a.outcome, day.label("day"), func.count())
        .where(a.index >= first, a.index < end, a.outcome != "done")
        .where(a.at >= since, a.at < until)
        .group_by(a.agency, a.matter, a.outcome, day)
    )
    return [tuple(row) for row in reading.connection.execute(query)]


def reads(reading: Reading, since: int, until: int, offset: int) -> list[tuple[Any, ...]]:
    """Count what each client was shown: (client, day) → how many certificates."""
    a = t.audit.c
    first, end = _first_at(reading, since), _first_at(reading, until)
    day = _day(a.at, offset)
    query = (
        select(a.client, day.label("day"), func.count())
        .where(
            a.index >= first,
            a.index < end,
            a.at >= since,
            a.at < until,
            a.outcome == "done",
            a.client.is_not(None),
            a.action.in_(SHOWN),
        )
        .group_by(a.client, day)
    )
    return [tuple(row) for row in reading.connection.execute(query)]


def _first_at(reading: Reading, moment: int) -> int:
    """Find the first row of the trail from a moment on: rows are in the order of time."""
    a = t.audit.c
    low = 0
    high = reading.connection.execute(select(func.coalesce(func.max(a.index), -1))).scalar_one() + 1
    while low < high:
        middle = (low + high) // 2
        query = select(a.at).where(a.index >= middle).order_by(a.index).limit(1)
        at = reading.connection.execute(query).scalar_one()
        if at < moment:
            low = middle + 1
        else:
            high = middle
    return int(low)


def promised_cases(reading: Reading, since: int, until: int) -> list[CaseRow]:
    """List the cases of a time that carry a day of acceptance and a day they are due."""
    d = t.dossiers.c
    query = select(
        d.agency,
        d.matter,
        d.version,
        d.accepted_on,
        d.due_on,
        d.holder_hmac,
        d.project_code,
        d.created_at,
    ).where(
        d.created_at >= since,
        d.created_at < until,
        d.accepted_on.is_not(None),
        d.due_on.is_not(None),
    )
    rows = reading.connection.execute(query.order_by(d.created_at).limit(MAX_CASES))
    return [CaseRow(*row) for row in rows]


def decided_at(reading: Reading, case: CaseRow, issuer: str, slugs: Sequence[str]) -> int | None:
    """Find when a case was decided: the first issue of what its matter results in, since."""
    c, h = t.certificates.c, t.holders.c
    of_whom = []
    if case.project_code is not None:
        of_whom.append(c.project_code == case.project_code)
    if case.holder_hmac is not None:
        held = select(h.certificate).where(h.code_hmac == case.holder_hmac)
        of_whom.append(c.id.in_(held))
    query = select(func.min(c.created_at)).where(
        c.slug.in_(slugs), c.issuer == issuer, c.created_at >= case.created_at, or_(*of_whom)
    )
    found = reading.connection.execute(query).scalar_one()
    return None if found is None else int(found)
