"""Grants 授权 in the store: what is asked of holders, what they gave, and who may agree for them."""

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
from ecert.store.connection import Reading, Transaction, held_still


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request for a grant: ``request`` is canonical JSON, and its SHA-256 the nonce."""

    id: str
    client: str | None
    agency: str
    matter: str
    request: bytes
    nonce: str
    expires_at: int
    used_at: int | None = None
    tries: int = 0
    holder_hmac: bytes | None = None
    delegation: str | None = None
    code_digest: bytes | None = None
    short_digest: bytes | None = None
    code_expires_at: int | None = None

    @property
    def body(self) -> dict[str, Any]:
        """What is asked for."""
        found: dict[str, Any] = orjson.loads(self.request)
        return found


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A holder's authorisation 授权: which fields of which materials, for which agency and matter."""

    id: str
    request: str
    agency: str
    matter: str
    version: int
    situation: str | None
    fields: Mapping[str, Sequence[str]]
    holder_hmac: bytes
    way: str
    delegation: str | None
    created_at: int
    expires_at: int
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class DelegationRow:
    """A holder lets an agent act for it 委托; ``matters`` empty means all."""

    id: str
    principal_hmac: bytes
    agent_hmac: bytes
    matters: tuple[str, ...]
    until: str
    created_at: int
    revoked_at: int | None = None


def add_request(tx: Transaction, row: RequestRow) -> None:
    """Keep a request for a grant."""
    columns = {name: getattr(row, name) for name in RequestRow.__slots__}
    tx.connection.execute(insert(t.grant_requests).values(**columns))
    tx.wrote(t.grant_requests, row.id)


def request(reading: Reading, request_id: str) -> RequestRow | None:
    """Find a request for a grant."""
    query = select(t.grant_requests).where(t.grant_requests.c.id == request_id)
    row = reading.connection.execute(query).one_or_none()
    return None if row is None else RequestRow(*row)


def request_of_nonce(reading: Reading, nonce: str) -> str | None:
    """Find the request that an ID token was bound to."""
    c = t.grant_requests.c
    return reading.connection.execute(select(c.id).where(c.nonce == nonce)).scalar_one_or_none()


def lock_request(tx: Transaction, request_id: str) -> RequestRow | None:
    """Lock a request for a grant and give it: it is used once."""
    query = select(t.grant_requests).where(t.grant_requests.c.id == request_id)
    row = tx.connection.execute(query.with_for_update()).one_or_none()
    return None if row is None else RequestRow(*row)


def put_request(tx: Transaction, request_id: str, **columns: Any) -> None:
    """Change a request: that it was used, tried, or has a use code."""
    where = update(t.grant_requests).where(t.grant_requests.c.id == request_id)
    tx.connection.execute(where.values(**columns))
    tx.wrote(t.grant_requests, request_id)


def add(tx: Transaction, row: GrantRow) -> None:
    """Keep a grant."""
    columns = {name: getattr(row, name) for name in GrantRow.__slots__}
    columns["fields"] = orjson.dumps(columns["fields"])
    tx.connection.execute(insert(t.grants).values(**columns))
    tx.wrote(t.grants, row.id)


def find(reading: Reading, grant_id: str) -> GrantRow | None:
    """Find a grant."""
    query = select(t.grants).where(t.grants.c.id == grant_id)
    row = reading.connection.execute(held_still(reading, query)).one_or_none()
    return None if row is None else _grant(row)


def listed(
    reading: Reading,
    *,
    holder_hmac: bytes | None = None,
    agency: str | None = None,
    after: str = "",
    limit: int = 100,
) -> list[GrantRow]:
    """List the grants of a holder, or to an agency, in the order in which they were given."""
    c = t.grants.c
    query = select(t.grants).where(c.id > after)
    if holder_hmac is not None:
        query = query.where(c.holder_hmac == holder_hmac)
    if agency is not None:
        query = query.where(c.agency == agency)
    return [_grant(row) for row in reading.connection.execute(query.order_by(c.id).limit(limit))]


def _grant(row: Row[Any]) -> GrantRow:
    return GrantRow(**{**row._mapping, "fields": orjson.loads(row.fields)})  # noqa: SLF001 - its public name


def revoke(tx: Transaction, grant_id: str, at: int) -> None:
    """Revoke a grant; said twice, the first moment counts."""
    c = t.grants.c
    where = update(t.grants).where(c.id == grant_id, c.revoked_at.is_(None))
    tx.connection.execute(where.values(revoked_at=at))
    tx.wrote(t.grants, grant_id)


def add_delegation(tx: Transaction, row: DelegationRow) -> None:
    """Keep a delegation."""
    columns = {name: getattr(row, name) for name in DelegationRow.__slots__}
    columns["matters"] = " ".join(row.matters)
    tx.connection.execute(insert(t.delegations).values(**columns))
    tx.wrote(t.delegations, row.id)


def delegation(reading: Reading, delegation_id: str) -> DelegationRow | None:
    """Find a delegation."""
    query = select(t.delegations).where(t.delegations.c.id == delegation_id)
    row = reading.connection.execute(held_still(reading, query)).one_or_none()
    return None if row is None else _delegation(row)


def delegations(reading: Reading, hmac: bytes) -> list[DelegationRow]:
    """List the delegations that somebody gave or was given."""
    c = t.delegations.c
    query = select(t.delegations).where((c.principal_hmac == hmac) | (c.agent_hmac == hmac))
    return [_delegation(row) for row in reading.connection.execute(query.order_by(c.id))]


def _delegation(row: Row[Any]) -> DelegationRow:
    return DelegationRow(**{**row._mapping, "matters": tuple(row.matters.split())})  # noqa: SLF001 - its public name


def revoke_delegation(tx: Transaction, delegation_id: str, at: int) -> None:
    """Revoke a delegation; said twice, the first moment counts."""
    c = t.delegations.c
    where = update(t.delegations).where(c.id == delegation_id, c.revoked_at.is_(None))
    tx.connection.execute(where.values(revoked_at=at))
    tx.wrote(t.delegations, delegation_id)
