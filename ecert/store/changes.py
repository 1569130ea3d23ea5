"""What happened since 变动, in the store: to what a client was given, and to whom it was shown."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import (
    and_,
    or_,
    select,
)

from ecert._encoding import instant, rfc3339
from ecert.store import tables as t
from ecert.store.connection import Reading
from ecert.store.trail import GIVEN, SHOWN


def since(reading: Reading, client: str, after: int, limit: int) -> list[dict[str, Any]]:
    """List what was done since to certificates that a client was given, in the order of the log."""
    s, a = t.statements.c, t.audit.c
    given = select(a.index).where(
        a.certificate == s.certificate,
        a.client == client,
        a.outcome == "done",
        a.action.in_(GIVEN),
        # by the trail's own order; statements from before it was kept go by the clock
        or_(a.index < s.trail_index, and_(s.trail_index.is_(None), a.at <= s.at)),
    )
    query = select(s.log_index, s.certificate, s.operation, s.status, s.at, s.successor)
    query = query.where(s.log_index > after, given.exists()).order_by(s.log_index).limit(limit)
    return [
        {
            "index": row.log_index,
            "certificate": row.certificate,
            "operation": row.operation,
            "status": row.status,
            "at": rfc3339(instant(row.at)),
            "successor": row.successor,
            "corrected": row.successor is not None and _is_correction(reading, row.successor),
            "cases": _cases(reading, client, row.certificate),
        }
        for row in reading.connection.execute(query).all()
    ]


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
    a, g = t.audit.c, t.agencies.c
    c = t.certificates.c
    query = select(*t.audit.c, g.name.label("agency_name"), c.slug, c.number)
    query = (
        query.join(t.certificates, t.certificates.c.id == a.certificate)
        .join(t.holders, t.holders.c.certificate == a.certificate)
        .outerjoin(t.agencies, g.code == a.agency)
        .where(t.holders.c.code_hmac == holder_hmac, a.outcome == "done", a.action.in_(SHOWN))
    )
    if before is not None:
        query = query.where(a.index < before)
    rows = reading.connection.execute(query.order_by(a.index.desc()).limit(limit))
    return [_use(row) for row in rows]


def _use(row: Any) -> dict[str, Any]:
    details = orjson.loads(row.details)
    agency = None if row.agency is None else {"code": row.agency, "name": row.agency_name}
    return {
        "index": row.index,
        "at": rfc3339(instant(row.at)),
        "action": row.action,
        "agency": agency,
        "certificate": {"id": row.certificate, "type": row.slug, "number": row.number},
        "purpose": row.purpose,
        "matter": row.matter,
        "case_number": details.get("case_number"),
        "fields": details.get("fields"),
        "basis": details.get("basis"),
    }
