"""Clients 接入系统 in the store: their keys, and what bounds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import (
    Row,
    insert,
    select,
    update,
)

from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A department's system that calls over HTTP.

    ``allowed`` are the scopes it may ask for; ``keys`` are its public keys (JWK) by thumbprint,
    retired ones left out; ``addresses`` the
    networks it may call from, empty for any; ``daily_quota`` certificates a day, None for no quota.
    ``addresses_by`` and ``quota_by`` remember who set them: an agency, or ``-`` for the operator.
    """

    id: str
    name: str
    agency: str
    allowed: frozenset[str]
    keys: Mapping[str, Mapping[str, Any]]
    state: str = "active"
    addresses: tuple[str, ...] = ()
    daily_quota: int | None = None
    addresses_by: str | None = None
    quota_by: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Give what people see of a client."""
        return {
            "id": self.id,
            "name": self.name,
            "agency": self.agency,
            "scopes": sorted(self.allowed),
            "keys": sorted(self.keys),
            "addresses": list(self.addresses),
            "daily_quota": self.daily_quota,
            "state": self.state,
        }


def listed(reading: Reading) -> list[ClientRow]:
    """List all clients, oldest first."""
    query = select(t.clients).order_by(t.clients.c.created_at, t.clients.c.id)
    return _clients(reading, reading.connection.execute(query).all())


def find(reading: Reading, client_id: str) -> ClientRow | None:
    """Find a client."""
    query = select(t.clients).where(t.clients.c.id == client_id)
    found = _clients(reading, reading.connection.execute(query).all())
    return found[0] if found else None


def lock(tx: Transaction, client_id: str) -> ClientRow | None:
    """Lock a client and give it: two changes of it come one after the other."""
    query = select(t.clients.c.id).where(t.clients.c.id == client_id)
    tx.connection.execute(query.with_for_update()).first()
    return find(tx, client_id)


def _clients(reading: Reading, rows: Sequence[Row[Any]]) -> list[ClientRow]:
    c = t.client_keys.c
    query = select(c.client, c.kid, c.jwk).where(
        c.client.in_([row.id for row in rows]), c.retired_at.is_(None)
    )
    keys: dict[str, dict[str, Any]] = {row.id: {} for row in rows}
    for found in reading.connection.execute(query.order_by(c.created_at, c.kid)):
        keys[found.client][found.kid] = orjson.loads(found.jwk)
    return [
        ClientRow(
            id=row.id,
            name=row.name,
            agency=row.agency,
            allowed=frozenset(row.scopes.split()),
            keys=keys[row.id],
            state=row.state,
            addresses=tuple(row.addresses.split()),
            daily_quota=row.daily_quota,
            addresses_by=row.addresses_by,
            quota_by=row.quota_by,
        )
        for row in rows
    ]


def add(tx: Transaction, row: ClientRow, at: int) -> None:
    """Register a client with its keys."""
    values = {"id": row.id, "name": row.name, "agency": row.agency, "created_at": at}
    tx.connection.execute(insert(t.clients).values(**values, **_changeable(row)))
    tx.wrote(t.clients, row.id)
    for kid, jwk in row.keys.items():
        add_key(tx, row.id, kid, jwk, at)


def put(tx: Transaction, row: ClientRow) -> None:
    """Change what bounds a client: scopes, addresses, quota, state."""
    tx.connection.execute(
        update(t.clients).where(t.clients.c.id == row.id).values(**_changeable(row))
    )
    tx.wrote(t.clients, row.id)


def _changeable(row: ClientRow) -> dict[str, Any]:
    return {
        "scopes": " ".join(sorted(row.allowed)),
        "addresses": " ".join(row.addresses),
        "daily_quota": row.daily_quota,
        "addresses_by": row.addresses_by,
        "quota_by": row.quota_by,
        "state": row.state,
    }


def has_key(reading: Reading, kid: str) -> bool:
    """Tell whether any client has, or ever had, this key."""
    query = select(t.client_keys.c.kid).where(t.client_keys.c.kid == kid)
    return reading.connection.execute(query).first() is not None


def add_key(tx: Transaction, client_id: str, kid: str, jwk: Mapping[str, Any], at: int) -> None:
    """Give a client one more key."""
    values = {"client": client_id, "kid": kid, "jwk": orjson.dumps(dict(jwk)), "created_at": at}
    tx.connection.execute(insert(t.client_keys).values(**values))
    tx.wrote(t.client_keys, client_id, kid)


def retire_key(tx: Transaction, client_id: str, kid: str, at: int) -> None:
    """Take one of its keys from a client."""
    c = t.client_keys.c
    where = update(t.client_keys).where(c.client == client_id, c.kid == kid)
    tx.connection.execute(where.values(retired_at=at))
    tx.wrote(t.client_keys, client_id, kid)
