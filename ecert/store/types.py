"""Versions of certificate types 证照类型 that were issued under, kept as they were."""

from __future__ import annotations

from sqlalchemy import (
    insert,
    select,
)

from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction


def metadata(reading: Reading, slug: str, version: int) -> bytes | None:
    """Give the Type Metadata of a version that was used."""
    row = reading.one(
        select(t.types.c.metadata).where(t.types.c.slug == slug, t.types.c.version == version)
    )
    return None if row is None else bytes(row.metadata)


def digest(reading: Reading, slug: str, version: int) -> str | None:
    """Give the digest of a version that was used."""
    row = reading.one(
        select(t.types.c.digest).where(t.types.c.slug == slug, t.types.c.version == version)
    )
    return None if row is None else str(row.digest)


def add(tx: Transaction, slug: str, version: int, *, digest: str, metadata: bytes, at: int) -> None:
    """Keep a type version that is used for the first time."""
    tx.connection.execute(
        insert(t.types).values(
            slug=slug, version=version, digest=digest, metadata=metadata, created_at=at
        )
    )
    tx.wrote(t.types, slug, version)
