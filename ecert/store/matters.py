"""Matters 事项 in the store: every version as it was added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    func,
    insert,
    select,
    tuple_,
)

from ecert._encoding import sha256
from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction


def newest(reading: Reading, code: str) -> bytes | None:
    """Give the definition of a matter's newest version."""
    c = t.matters.c
    query = select(c.definition).where(c.code == code).order_by(c.version.desc()).limit(1)
    found = reading.connection.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def version(reading: Reading, code: str, version: int) -> bytes | None:
    """Give the definition of one version of a matter."""
    c = t.matters.c
    query = select(c.definition).where(c.code == code, c.version == version)
    found = reading.connection.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def listed(reading: Reading, after: str, limit: int) -> list[bytes]:
    """List the newest versions of matters in order of their codes."""
    c = t.matters.c
    newest = select(c.code, func.max(c.version)).group_by(c.code)
    query = select(c.definition).where(tuple_(c.code, c.version).in_(newest), c.code > after)
    rows = reading.connection.execute(query.order_by(c.code).limit(limit)).scalars()
    return [bytes(row) for row in rows]


def digests(reading: Reading) -> dict[tuple[str, int], bytes]:
    """Give the digest of every version of every matter, of the words in which it stands now.

    The column ``digest`` keeps what was added, also where a later version of ecert rewrote words.
    """
    c = t.matters.c
    rows = reading.connection.execute(select(c.code, c.version, c.definition))
    return {(row.code, row.version): sha256(bytes(row.definition)) for row in rows}


def add(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add versions of matters."""
    tx.connection.execute(insert(t.matters), [dict(row) for row in rows])
    for row in rows:
        tx.wrote(t.matters, row["code"], row["version"])
