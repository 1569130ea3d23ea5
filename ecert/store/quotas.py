"""How much of a day's quotas was used 限额."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from ecert.store import tables as t
from ecert.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class Use:
    """So many certificates to count under a scope, of at most so many a day."""

    scope: str
    count: int
    most: int


def use(tx: Transaction, day: str, wanted: Iterable[Use]) -> bool:
    """Count uses of a day; False, and nothing counted, when one quota would be exceeded."""
    ordered = sorted(wanted, key=lambda one: one.scope)  # the order of their locks
    used = [_lock(tx, one.scope, day) for one in ordered]
    pairs = list(zip(ordered, used, strict=True))
    if any((before or 0) + one.count > one.most for one, before in pairs):
        return False
    for one, before in pairs:
        _put(tx, one, day, before)
    return True


def _lock(tx: Transaction, scope: str, day: str) -> int | None:
    c = t.usage.c
    query = select(c.used).where(c.scope == scope, c.day == day).with_for_update()
    return tx.connection.execute(query).scalar_one_or_none()


def _put(tx: Transaction, one: Use, day: str, before: int | None) -> None:
    c = t.usage.c
    if before is None:
        tx.connection.execute(t.usage.delete().where(c.scope == one.scope, c.day < day))
        tx.connection.execute(insert(t.usage).values(scope=one.scope, day=day, used=one.count))
        return
    where = update(t.usage).where(c.scope == one.scope, c.day == day)
    tx.connection.execute(where.values(used=before + one.count))
