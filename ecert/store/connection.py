"""One connection: what can be asked of the store on it, and what a transaction may write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, Table


class Reading:
    """A connection that reads; the functions of this room take it as their first argument."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def all(self, query: Select[Any], **values: Any) -> Sequence[Row[Any]]:
        """Give every row of a query; ``values`` are those of its named places."""
        return self.connection.execute(query, values).all()

    def one(self, query: Select[Any]) -> Row[Any] | None:
        """Give the one row of a query, or None."""
        return self.connection.execute(query).one_or_none()


class Transaction(Reading):
    """A write transaction. It can also read, and sees its own writes.

    Locks are taken in one order everywhere: idempotency → rests_on → counters → certificates →
    audit head → log head.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.written: set[tuple[Table, tuple[str | int, ...]]] = set()

    def wrote(self, table: Table, *key: str | int) -> None:
        """Note that a row of administration was added, changed or removed: the trail says what it became."""
        self.written.add((table, key))


def held_still(reading: Reading, query: Select[Any]) -> Select[Any]:
    """Inside a transaction nobody may end what it decides by, until it is committed."""
    return query.with_for_update(read=True) if isinstance(reading, Transaction) else query
