"""Settings that belong to the data, such as the log's origin."""

from __future__ import annotations

from sqlalchemy import (
    bindparam,
    delete,
    insert,
    select,
)

from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction

_SOME = select(t.settings).where(t.settings.c.name.in_(bindparam("names", expanding=True)))


def get(reading: Reading, name: str) -> str | None:
    """Read a setting that belongs to the data, such as the origin."""
    row = reading.one(select(t.settings.c.value).where(t.settings.c.name == name))
    return None if row is None else str(row.value)


def get_all(reading: Reading, names: tuple[str, ...]) -> dict[str, str]:
    """Read several settings at once; those that are not there are left out."""
    rows = reading.connection.execute(_SOME, {"names": list(names)})
    return {row.name: row.value for row in rows}


def remove(tx: Transaction, name: str) -> None:
    """Remove a setting that belongs to the data."""
    tx.connection.execute(delete(t.settings).where(t.settings.c.name == name))
    tx.wrote(t.settings, name)


def put(tx: Transaction, name: str, value: str) -> None:
    """Write a setting that belongs to the data."""
    tx.connection.execute(delete(t.settings).where(t.settings.c.name == name))
    tx.connection.execute(insert(t.settings).values(name=name, value=value))
    tx.wrote(t.settings, name)
