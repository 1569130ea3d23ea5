"""Identifiers of client assertions and proofs that were used, until they expire."""

from __future__ import annotations

from sqlalchemy import (
    delete,
    insert,
    select,
)

from ecert.store import tables as t
from ecert.store.connection import Transaction


def use(tx: Transaction, client: str, jti_digest: bytes, expires_at: int, now: int) -> bool:
    """Use a client assertion's identifier; False when it was used before."""
    c = t.assertions.c
    tx.connection.execute(delete(t.assertions).where(c.expires_at < now))
    query = select(c.client).where(c.client == client, c.jti_digest == jti_digest)
    if tx.one(query) is not None:
        return False
    values = {"client": client, "jti_digest": jti_digest, "expires_at": expires_at}
    tx.connection.execute(insert(t.assertions).values(**values))
    return True
