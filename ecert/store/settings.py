"""Settings that belong to the data, such as the log's origin."""

from __future__ import annotations

from sqlalchemy import (
    delete,
    insert,
    literal_column,
    select,
)

from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction

IDENTITY, PEN = "identity", "pen"
# Laid out once: it is asked before each write.
_WHOSE = select(t.settings).where(
    (t.settings.c.name == literal_column(f"'{IDENTITY}'"))
    | (t.settings.c.name == literal_column(f"'{PEN}'"))
)


def get(reading: Reading, name: str) -> str | None:
    """Read a setting that belongs to the data, such as the origin."""
    row = reading.one(select(t.settings.c.value).where(t.settings.c.name == name))
    return None if row is None else str(row.value)


def whose(reading: Reading) -> dict[str, str]:
    """Give which database this is (``identity``), and what restoring it said of the pen (``pen``)."""
    return {row[0]: row[1] for row in reading.connection.execute(_WHOSE)}


def remove(tx: Transaction, name: str) -> None:
    """Remove a setting that belongs to the data."""
    tx.connection.execute(delete(t.settings).where(t.settings.c.name == name))
    tx.wrote(t.settings, name)


def put(tx: Transaction, name: str, value: str) -> None:
    """Write a setting that belongs to the data."""
    tx.connection.execute(delete(t.settings).where(t.settings.c.name == name))
    tx.connection.execute(insert(t.settings).values(name=name, value=value))
    tx.wrote(t.settings, name)
