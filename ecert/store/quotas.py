"""How much of a day's quotas was used."""

from __future__ import annotations

from sqlalchemy import (
    insert,
    select,
    update,
)

from ecert.store import tables as t
from ecert.store.connection import Transaction


def use(tx: Transaction, scope: str, day: str, count: int, most: int) -> bool:
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
