"""Who may have what, in the store: matters, sharing rules, grants, and whose word counts for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Row, Select, func, insert, select, tuple_, update

from ecert.store import tables as t
from ecert.store.reading import Reading
from ecert.store.writing import Transaction


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A sharing rule as it is stored; times in Unix seconds, days as ISO dates."""

    id: str
    slug: str
    agency: str
    matter: str | None
    mode: str
    fields: tuple[str, ...]
    legal_basis: str
    daily_quota: int | None
    valid_from: str | None
    valid_to: str | None
    ended_at: int | None
    created_at: int


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
    case: str | None
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


def _held_still(reading: Reading, query: Select[Any]) -> Select[Any]:
    """Inside a transaction nobody may end what it decides by, until it is committed."""
    return query.with_for_update(read=True) if isinstance(reading, Transaction) else query


# -- matters -----------------------------------------------------------------------------------------


def newest_matter(reading: Reading, code: str) -> bytes | None:
    """Give the definition of a matter's newest version."""
    c = t.matters.c
    query = select(c.definition).where(c.code == code).order_by(c.version.desc()).limit(1)
    found = reading.connection.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def matter(reading: Reading, code: str, version: int) -> bytes | None:
    """Give the definition of one version of a matter."""
    c = t.matters.c
    query = select(c.definition).where(c.code == code, c.version == version)
    found = reading.connection.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def matters(
    reading: Reading, *, agencies: Sequence[str] | None, after: str, limit: int
) -> list[bytes]:
    """List the newest versions of matters in order of their codes; None: of every agency."""
    c = t.matters.c
    newest = select(c.code, func.max(c.version)).group_by(c.code)
    query = select(c.definition).where(tuple_(c.code, c.version).in_(newest), c.code > after)
    if agencies is not None:
        query = query.where(c.agency.in_(agencies))
    rows = reading.connection.execute(query.order_by(c.code).limit(limit)).scalars()
    return [bytes(row) for row in rows]


def matter_digests(reading: Reading) -> dict[tuple[str, int], bytes]:
    """Give the digest of every version of every matter."""
    c = t.matters.c
    rows = reading.connection.execute(select(c.code, c.version, c.digest))
    return {(row.code, row.version): bytes(row.digest) for row in rows}


def matter_agencies(reading: Reading) -> dict[str, str]:
    """Say whose each matter is, by its newest version."""
    c = t.matters.c
    rows = reading.connection.execute(select(c.code, c.agency).order_by(c.version))
    return {row.code: row.agency for row in rows}


def add_matters(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add versions of matters."""
    tx.connection.execute(insert(t.matters), [dict(row) for row in rows])


# -- sharing rules -----------------------------------------------------------------------------------


def rules(reading: Reading, agencies: Sequence[str] | None = None) -> list[RuleRow]:
    """List sharing rules, oldest first; None: of every agency, ended ones too."""
    c = t.sharing_rules.c
    query = select(t.sharing_rules).order_by(c.created_at, c.id)
    if agencies is not None:
        query = query.where(c.agency.in_(agencies), c.ended_at.is_(None))
    return [_rule(row) for row in reading.connection.execute(_held_still(reading, query))]


def rule(reading: Reading, rule_id: str) -> RuleRow | None:
    """Find a sharing rule."""
    query = select(t.sharing_rules).where(t.sharing_rules.c.id == rule_id)
    row = reading.connection.execute(query).one_or_none()
    return None if row is None else _rule(row)


def _rule(row: Row[Any]) -> RuleRow:
    return RuleRow(**{**row._mapping, "fields": tuple(row.fields.split())})  # noqa: SLF001 - its public name


def add_rule(tx: Transaction, row: RuleRow) -> None:
    """Add a sharing rule."""
    columns = {name: getattr(row, name) for name in RuleRow.__slots__}
    columns["fields"] = " ".join(row.fields)
    tx.connection.execute(insert(t.sharing_rules).values(**columns))


def end_rule(tx: Transaction, rule_id: str, at: int) -> None:
    """End a sharing rule; what was given under it stays cited."""
    c = t.sharing_rules.c
    where = update(t.sharing_rules).where(c.id == rule_id, c.ended_at.is_(None))
    tx.connection.execute(where.values(ended_at=at))


# -- quotas ------------------------------------------------------------------------------------------


def use_quota(tx: Transaction, scope: str, day: str, count: int, most: int) -> bool:
    """Count some uses of a day; False, and nothing counted, when the quota would be exceeded."""
    c = t.usage.c
    query = select(c.used).where(c.scope == scope, c.day == day).with_for_update()
    used = tx.connection.execute(query).scalar_one_or_none()
    if (used or 0) + count > most:
        return False
    if used is None:
        tx.connection.execute(t.usage.delete().where(c.scope == scope, c.day < day))
        tx.connection.execute(insert(t.usage).values(scope=scope, day=day, used=count))
    else:
        where = update(t.usage).where(c.scope == scope, c.day == day)
        tx.connection.execute(where.values(used=used + count))
    return True


# -- identity providers ------------------------------------------------------------------------------


def providers(reading: Reading) -> dict[str, dict[str, Any]]:
    """Give the settings of the identity providers that are believed, by issuer."""
    c = t.identity_providers.c
    query = select(c.issuer, c.settings).where(c.ended_at.is_(None)).order_by(c.created_at)
    return {row.issuer: orjson.loads(row.settings) for row in reading.connection.execute(query)}


def put_provider(tx: Transaction, issuer: str, settings: Mapping[str, Any], at: int) -> None:
    """Believe an identity provider, or change what is known of it."""
    c = t.identity_providers.c
    tx.connection.execute(t.identity_providers.delete().where(c.issuer == issuer))
    values = {"issuer": issuer, "settings": orjson.dumps(dict(settings)), "created_at": at}
    tx.connection.execute(insert(t.identity_providers).values(**values))


def end_provider(tx: Transaction, issuer: str, at: int) -> None:
    """Believe an identity provider no longer."""
    where = update(t.identity_providers).where(t.identity_providers.c.issuer == issuer)
    tx.connection.execute(where.values(ended_at=at))


# -- grants ------------------------------------------------------------------------------------------


def add_request(tx: Transaction, row: RequestRow) -> None:
    """Keep a request for a grant."""
    columns = {name: getattr(row, name) for name in RequestRow.__slots__}
    tx.connection.execute(insert(t.grant_requests).values(**columns))


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


def add_grant(tx: Transaction, row: GrantRow) -> None:
    """Keep a grant."""
    columns = {name: getattr(row, name) for name in GrantRow.__slots__}
    columns["fields"] = orjson.dumps(columns["fields"])
    tx.connection.execute(insert(t.grants).values(**columns))


def grant(reading: Reading, grant_id: str) -> GrantRow | None:
    """Find a grant."""
    query = select(t.grants).where(t.grants.c.id == grant_id)
    row = reading.connection.execute(_held_still(reading, query)).one_or_none()
    return None if row is None else _grant(row)


def grants(
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


def revoke_grant(tx: Transaction, grant_id: str, at: int) -> None:
    """Revoke a grant; said twice, the first moment counts."""
    c = t.grants.c
    where = update(t.grants).where(c.id == grant_id, c.revoked_at.is_(None))
    tx.connection.execute(where.values(revoked_at=at))


def add_delegation(tx: Transaction, row: DelegationRow) -> None:
    """Keep a delegation."""
    columns = {name: getattr(row, name) for name in DelegationRow.__slots__}
    columns["matters"] = " ".join(row.matters)
    tx.connection.execute(insert(t.delegations).values(**columns))


def delegation(reading: Reading, delegation_id: str) -> DelegationRow | None:
    """Find a delegation."""
    query = select(t.delegations).where(t.delegations.c.id == delegation_id)
    row = reading.connection.execute(_held_still(reading, query)).one_or_none()
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
