"""Requests that were carried out, by their Idempotency-Key 幂等键: digests only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    delete,
    insert,
    select,
)

from ecert.store import tables as t
from ecert.store.connection import Transaction

IMPORT = "import"  # the client under which imported records are remembered


def find(
    tx: Transaction, client: str, route: str, key_digest: bytes, since: int
) -> tuple[bytes, str] | None:
    """Find what an Idempotency-Key led to: the body's digest and the certificate."""
    c = t.idempotency.c
    query = select(c.body_digest, c.certificate).where(
        c.client == client, c.route == route, c.key_digest == key_digest, c.created_at >= since
    )
    row = tx.one(query)
    return None if row is None else (bytes(row.body_digest), row.certificate)


def keep(tx: Transaction, rows: Sequence[Mapping[str, Any]], expired: int) -> None:
    """Keep the outcome of keyed requests, and forget those from before ``expired``."""
    if rows:
        tx.connection.execute(delete(t.idempotency).where(t.idempotency.c.created_at < expired))
        tx.connection.execute(insert(t.idempotency), [dict(row) for row in rows])
