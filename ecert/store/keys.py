"""The registry's keys 密钥 in the store: their public halves, and where the private ones are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Row,
    insert,
    select,
    update,
)

from ecert.keys import split_chain
from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key of the registry: where it is, what it is for, and whether it still signs."""

    kid: str
    role: str
    agency: str | None
    uri: str
    public: bytes
    certificate: bytes | None
    chain: tuple[bytes, ...]
    anchor: bytes | None
    state: str
    created_at: int
    retired_at: int | None
    compromised_since: int | None
    compromised_log_size: int | None


def listed(reading: Reading) -> list[KeyRow]:
    """List all keys that ever were, oldest first."""
    query = select(t.keys).order_by(t.keys.c.created_at, t.keys.c.kid)
    return [_key(row) for row in reading.all(query)]


def lock(tx: Transaction, role: str, agency: str | None) -> list[KeyRow]:
    """Lock the keys, and give those of a role and agency: of two changes one comes first.

    The root's row stands for all: a row that the first change adds is seen by the second.
    """
    c = t.keys.c
    tx.all(select(c.kid).where(c.role == "root").with_for_update())
    whose = c.agency.is_(None) if agency is None else c.agency == agency
    query = select(t.keys).where(c.role == role, whose).order_by(c.created_at, c.kid)
    return [_key(row) for row in tx.all(query)]


def add(tx: Transaction, key: KeyRow) -> None:
    """Register a key."""
    tx.connection.execute(
        insert(t.keys).values(
            kid=key.kid,
            role=key.role,
            agency=key.agency,
            uri=key.uri,
            public=key.public,
            certificate=key.certificate,
            chain=b"".join(key.chain),
            anchor=key.anchor,
            state=key.state,
            created_at=key.created_at,
        )
    )
    tx.wrote(t.keys, key.kid)


def put(tx: Transaction, kid: str, **columns: Any) -> None:
    """Change a key's row: its state, its certificate, when it was retired."""
    tx.connection.execute(update(t.keys).where(t.keys.c.kid == kid).values(**columns))
    tx.wrote(t.keys, kid)


def _key(row: Row[Any]) -> KeyRow:
    return KeyRow(
        kid=row.kid,
        role=row.role,
        agency=row.agency,
        uri=row.uri,
        public=bytes(row.public),
        certificate=None if row.certificate is None else bytes(row.certificate),
        chain=split_chain(bytes(row.chain or b"")),
        anchor=None if row.anchor is None else bytes(row.anchor),
        state=row.state,
        created_at=row.created_at,
        retired_at=row.retired_at,
        compromised_since=row.compromised_since,
        compromised_log_size=row.compromised_log_size,
    )
