"""Rows of the audit trail 审计记录 in the store, as they are read; only ``ledger.trail`` writes them."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import (
    Row,
    select,
)

from ecert._encoding import instant, rfc3339
from ecert.store import tables as t
from ecert.store.connection import Reading

GIVEN = ("read", "document", "credential", "present", "evidence", "copy", "use")
ISSUED = ("issue", "change", "renew", "replace")
SHOWN = (*GIVEN, "check", "history", "receipt", "qr", "copies")


def salted_rows(reading: Reading, start: int, end: int) -> list[tuple[bytes, dict[str, Any]]]:
    """Give audit rows as they were committed to, each with its salt."""
    c = t.audit.c
    query = select(t.audit).where(c.index >= start, c.index < end).order_by(c.index)
    return [(bytes(row.salt), _committed(row)) for row in reading.all(query)]


def rows(reading: Reading, after: int, limit: int) -> list[dict[str, Any]]:
    """List audit rows after an index, without their salts."""
    c = t.audit.c
    rows = reading.all(select(t.audit).where(c.index > after).order_by(c.index).limit(limit))
    return [_audit_row(row) for row in rows]


def was_given(reading: Reading, client: str, certificate: str) -> bool:
    """Tell whether a client was ever given a certificate."""
    a = t.audit.c
    query = select(a.index).where(
        a.certificate == certificate,
        a.client == client,
        a.outcome == "done",
        a.action.in_(SHOWN),
    )
    return reading.connection.execute(query.limit(1)).first() is not None


def was_issued_by(reading: Reading, agency: str, certificate: str) -> bool:
    """Tell whether it was an agency's client that issued a certificate, or a version of it."""
    a = t.audit.c
    query = select(a.index).where(
        a.certificate == certificate,
        a.agency == agency,
        a.outcome == "done",
        a.action.in_(ISSUED),
    )
    return reading.connection.execute(query.limit(1)).first() is not None


def _committed(row: Row[Any]) -> dict[str, Any]:
    shown = {f"{name}": value for name, value in row._asdict().items()}
    del shown["salt"], shown["leaf"]
    return {**shown, "details": bytes(row.details).decode("utf-8", "replace")}


def _audit_row(row: Row[Any]) -> dict[str, Any]:
    shown = {f"{name}": value for name, value in row._asdict().items()}  # plain str for names
    del shown["salt"], shown["leaf"]
    at, details = rfc3339(instant(shown["at"])), orjson.loads(shown["details"])
    return {**shown, "at": at, "details": details}
