"""Sharing rules 共享规则 in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Row,
    insert,
    select,
    update,
)

from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction, held_still


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


def listed(reading: Reading, agencies: Sequence[str] | None = None) -> list[RuleRow]:
    """List sharing rules, oldest first; None: of every agency, ended ones too."""
    c = t.sharing_rules.c
    query = select(t.sharing_rules).order_by(c.created_at, c.id)
    if agencies is not None:
        query = query.where(c.agency.in_(agencies), c.ended_at.is_(None))
    return [_rule(row) for row in reading.connection.execute(held_still(reading, query))]


def find(reading: Reading, rule_id: str) -> RuleRow | None:
    """Find a sharing rule."""
    query = select(t.sharing_rules).where(t.sharing_rules.c.id == rule_id)
    row = reading.connection.execute(query).one_or_none()
    return None if row is None else _rule(row)


def _rule(row: Row[Any]) -> RuleRow:
    return RuleRow(**{**row._mapping, "fields": tuple(row.fields.split())})  # noqa: SLF001 - its public name


def add(tx: Transaction, row: RuleRow) -> None:
    """Add a sharing rule."""
    columns = {name: getattr(row, name) for name in RuleRow.__slots__}
    columns["fields"] = " ".join(row.fields)
    tx.connection.execute(insert(t.sharing_rules).values(**columns))
    tx.wrote(t.sharing_rules, row.id)


def end(tx: Transaction, rule_id: str, at: int) -> None:
    """End a sharing rule; what was given under it stays cited."""
    c = t.sharing_rules.c
    where = update(t.sharing_rules).where(c.id == rule_id, c.ended_at.is_(None))
    tx.connection.execute(where.values(ended_at=at))
    tx.wrote(t.sharing_rules, rule_id)
