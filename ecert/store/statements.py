"""Signed acts upon certificates 操作声明 in the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Row,
    insert,
    select,
)

from ecert._encoding import instant
from ecert.model import Event, Operation, Status
from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction


def history(reading: Reading, identifier: str) -> list[Event]:
    """List the signed acts upon a certificate, oldest first."""
    query = select(t.statements).where(t.statements.c.certificate == identifier)
    return [_event(row) for row in reading.all(query.order_by(t.statements.c.log_index))]


def add(tx: Transaction, columns: Mapping[str, Any]) -> None:
    """Insert a statement."""
    tx.connection.execute(insert(t.statements).values(**columns))


def _event(row: Row[Any]) -> Event:
    return Event(
        operation=Operation(row.operation),
        status=Status(row.status),
        at=instant(row.at),
        reason=row.reason,
        basis=row.basis,
        operator=row.operator,
        log_index=row.log_index,
        successor=row.successor,
        token=row.token,
    )
