"""Settings that belong to the data, such as the log's origin."""

from __future__ import annotations

from sqlalchemy import (
    delete,
    insert,
    select,
)

from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction


def get(reading: Reading, name: str) -> str | None:
    """Read a setting that belongs to the data, such as the origin."""
    row = reading.one(select(t.settings.c.value).where(t.settings.c.name == name))
    return None if row is None else str(row.value)


def put(tx: Transaction, name: str, value: str) -> None:
    """Write a setting that belongs to the data."""
    tx.connection.execute(delete(t.settings).where(t.settings.c.name == name))
    tx.connection.execute(insert(t.settings).values(name=name, value=value))
