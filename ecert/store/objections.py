"""Objections 异议 in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    insert,
    select,
    update,
)

from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction
from ecert.store.responsibility import Responsibility, is_answered_for


@dataclass(frozen=True, slots=True)
class ObjectionRow:
    """An objection 异议: what is said to be wrong with a certificate, and what came of it."""

    id: str
    certificate: str
    issuer: str
    agency: str | None
    client: str | None
    holder_hmac: bytes | None
    field: str
    words: str
    state: str
    answer: str | None
    successor: str | None
    created_at: int
    answered_at: int | None


def add(tx: Transaction, row: ObjectionRow) -> None:
    """Keep an objection."""
    columns = {name: getattr(row, name) for name in ObjectionRow.__slots__}
    tx.connection.execute(insert(t.objections).values(**columns))
    tx.wrote(t.objections, row.id)


def put(tx: Transaction, objection_id: str, **columns: Any) -> None:
    """Answer an objection."""
    where = update(t.objections).where(t.objections.c.id == objection_id)
    tx.connection.execute(where.values(**columns))
    tx.wrote(t.objections, objection_id)


def lock(tx: Transaction, objection_id: str) -> ObjectionRow | None:
    """Lock an objection and give it: it is answered once."""
    query = select(t.objections).where(t.objections.c.id == objection_id)
    row = tx.connection.execute(query.with_for_update()).one_or_none()
    return None if row is None else ObjectionRow(*row)


def listed(
    reading: Reading,
    *,
    own: Responsibility | None = None,
    holder_hmac: bytes | None = None,
    state: str | None = None,
    after: str = "",
    limit: int = 100,
) -> list[ObjectionRow]:
    """List objections that an agency has to answer or made, or that a holder made; None: all."""
    c = t.objections.c
    query = select(t.objections).where(c.id > after)
    if own is not None:
        of = t.certificates.c.id
        theirs = select(of).where(of == c.certificate, is_answered_for(own))
        query = query.where(theirs.exists() | (c.agency == own.agency))
    if holder_hmac is not None:
        query = query.where(c.holder_hmac == holder_hmac)
    if state is not None:
        query = query.where(c.state == state)
    rows = reading.connection.execute(query.order_by(c.id).limit(limit))
    return [ObjectionRow(*row) for row in rows]
