"""Counters of printed numbers 编号: one row for each prefix."""

from __future__ import annotations

from sqlalchemy import (
    insert,
    select,
    update,
)

from ecert.store import tables as t
from ecert.store.connection import Transaction


def take(tx: Transaction, name: str, count: int) -> int:
    """Advance a counter by ``count`` and give the first value taken; the row stays locked."""
    c = t.counters.c
    row = tx.one(select(c.value).where(c.name == name).with_for_update())
    if row is None:
        tx.connection.execute(insert(t.counters).values(name=name, value=count))
        return 1
    tx.connection.execute(update(t.counters).where(c.name == name).values(value=row.value + count))
    return int(row.value) + 1
