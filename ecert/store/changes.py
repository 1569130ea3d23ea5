"""What happened since 变动, in the store: to what a client was given, and to whom it was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Row, Select, and_, literal, null, or_, select

from ecert._encoding import instant, rfc3339
from ecert.model import Operation
from ecert.store import tables as t
from ecert.store.connection import Reading
from ecert.store.responsibility import Responsibility, is_answered_for
from ecert.store.trail import GIVEN, SHOWN

FELL, RESTORED = "foundation_fallen", "foundation_restored"


def since(
    reading: Reading, client: str, own: Responsibility, after: int, limit: int
) -> list[dict[str, Any]]:
    """List what was done since to certificates that a client was given, in the order of the log.

    It also hears of those, and of its own agency's, whose foundations fell or were restored. What one
    act did is never divided between two pages: ``limit`` counts acts.
    """
    looked_for = (_own(client), _fallen(client, own), _restored(client, own))
    waiting = [_first(reading, query, after, limit) for query in looked_for]
    acts = sorted({index for indexes in waiting for index in indexes})[:limit]
    if not acts:
        return []
    found = [row for query in looked_for for row in _within(reading, query, acts)]
    ordered = sorted(found, key=lambda row: (row.index, row.certificate))
    return [_change(reading, client, row) for row in ordered]


def _own(client: str) -> Any:
    s = t.statements.c
    columns = (s.log_index.label("index"), s.certificate, s.operation, s.status, s.at, s.successor)
    query = select(*columns, null().label("day")).select_from(t.statements)
    return query.where(_given(s.certificate, client)), s.log_index


def _fallen(client: str, own: Responsibility) -> Any:
    f = t.fallen_foundations.c
    return _of_foundations(client, own, f.log_index, FELL), f.log_index


def _restored(client: str, own: Responsibility) -> Any:
    f, s = t.fallen_foundations.c, t.statements.c
    query = _of_foundations(client, own, f.lifted_index, RESTORED)
    return query.where(s.operation == Operation.RESUME.value), f.lifted_index


def _of_foundations(client: str, own: Responsibility, index: Any, operation: str) -> Select[Any]:
    """Look for certificates of which something they rest on fell, or was restored, by an act."""
    f, s = t.fallen_foundations.c, t.statements.c
    columns = (index.label("index"), f.certificate, literal(operation).label("operation"))
    query = select(*columns, f.status, s.at, null().label("successor"), f.since.label("day"))
    query = query.select_from(t.fallen_foundations).join(t.statements, s.log_index == index)
    c = t.certificates.c
    theirs = select(c.id).where(c.id == f.certificate, is_answered_for(own))
    return query.where(or_(_given(f.certificate, client), theirs.exists()))


def _given(certificate: Any, client: str) -> Any:
    """Tell whether a client was given a certificate before an act.

    By the trail's own order; statements from before it was kept go by the clock.
    """
    a, s = t.audit.c, t.statements.c
    is_before = or_(a.index < s.trail_index, and_(s.trail_index.is_(None), a.at <= s.at))
    given = select(a.index).where(
        a.certificate == certificate,
        a.client == client,
        a.outcome == "done",
        a.action.in_(GIVEN),
        is_before,
    )
    return given.correlate(t.statements, t.fallen_foundations).exists()


def _first(reading: Reading, looked_for: Any, after: int, limit: int) -> list[int]:
    query, index = looked_for
    found = query.with_only_columns(index).where(index > after).distinct()
    return list(reading.connection.execute(found.order_by(index).limit(limit)).scalars())


def _within(reading: Reading, looked_for: Any, acts: Sequence[int]) -> Sequence[Row[Any]]:
    query, index = looked_for
    return reading.all(query.where(index.between(acts[0], acts[-1])))


def _change(reading: Reading, client: str, row: Any) -> dict[str, Any]:
    is_fall = row.operation == FELL
    day = None if row.day is None else rfc3339(instant(row.day))
    return {
        "index": row.index,
        "certificate": row.certificate,
        "operation": row.operation,
        "status": row.status if row.day is None else None,
        "warning": {"code": FELL, "status": row.status, "since": day} if is_fall else None,
        "at": rfc3339(instant(row.at)),
        "successor": row.successor,
        "corrected": row.successor is not None and _is_correction(reading, row.successor),
        "cases": _cases(reading, client, row.certificate),
    }


def _is_correction(reading: Reading, successor: str) -> bool:
    """Tell whether a next version answers an objection."""
    c = t.objections.c
    query = select(c.id).where(c.successor == successor).limit(1)
    return reading.connection.execute(query).first() is not None


def _cases(reading: Reading, client: str, certificate: str) -> list[dict[str, str]]:
    """List the cases in which a client was given a certificate."""
    d, i = t.dossiers.c, t.dossier_items.c
    query = select(d.id, d.matter, d.case_number).join(t.dossier_items, i.dossier == d.id)
    query = query.where(i.certificate == certificate, d.client == client).distinct()
    return [
        {"dossier": row.id, "matter": row.matter, "case_number": row.case_number}
        for row in reading.connection.execute(query.order_by(d.id).limit(100))
    ]


def uses(
    reading: Reading, holder_hmac: bytes, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """List who was shown a holder's certificates, newest first."""
    a, c = t.audit.c, t.certificates.c
    query = select(*t.audit.c, c.slug, c.number)
    query = (
        query.join(t.certificates, t.certificates.c.id == a.certificate)
        .join(t.holders, t.holders.c.certificate == a.certificate)
        .where(t.holders.c.code_hmac == holder_hmac, a.outcome == "done", a.action.in_(SHOWN))
    )
    if before is not None:
        query = query.where(a.index < before)
    rows = reading.connection.execute(query.order_by(a.index.desc()).limit(limit))
    names = {
        one.code: one.name for one in reading.all(select(t.agencies.c.code, t.agencies.c.name))
    }
    return [_use(row, names) for row in rows]


def _agency(code: str | None, names: Mapping[str, str]) -> dict[str, str | None] | None:
    return None if code is None else {"code": code, "name": names.get(code)}


def _use(row: Any, names: Mapping[str, str]) -> dict[str, Any]:
    details = orjson.loads(row.details)
    principal = details.get("received_for")  # whom the window that asked received for
    asked = _agency(row.agency, names)
    agency, received_by = (asked, None) if principal is None else (_agency(principal, names), asked)
    return {
        "index": row.index,
        "at": rfc3339(instant(row.at)),
        "action": row.action,
        "agency": agency,
        "received_by": received_by,
        "certificate": {"id": row.certificate, "type": row.slug, "number": row.number},
        "purpose": row.purpose,
        "matter": row.matter,
        "case_number": details.get("case_number"),
        "fields": details.get("fields"),
        "basis": details.get("basis"),
    }
