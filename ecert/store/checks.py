"""Checks 核对 in the store: how far each came, and what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import Any

import orjson
from sqlalchemy import insert, select, update

from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A check: its scope, the part it is at and where that goes on, and the faults (JSON) so far.

    ``found`` counts them all, ``faults`` keeps the first thousand; times in Unix seconds.
    """

    id: str
    scope: str
    part: str
    cursor: dict[str, Any]
    found: int
    faults: tuple[dict[str, Any], ...]
    started_at: int
    seen_at: int
    finished_at: int | None = None

    def moved(self, part: str, cursor: dict[str, Any]) -> CheckRow:
        """Say that the check came to a part, and how far in it."""
        return replace(self, part=part, cursor=cursor)


Mac = Callable[[bytes], bytes]


def newest(
    reading: Reading, mac: Mac, scope: str | None = None, *, is_finished: bool
) -> CheckRow | None:
    """Give the newest check of a scope (None: of any) that came to its end, or that did not.

    None where its row was not written by whoever has the registry's secret.
    """
    c = t.checks.c
    query = select(t.checks).order_by(c.id.desc()).limit(1)
    query = query.where(c.finished_at.is_not(None) if is_finished else c.finished_at.is_(None))
    row = reading.one(query if scope is None else query.where(c.scope == scope))
    if row is None:
        return None
    values = {f"{name}": value for name, value in row._asdict().items()}  # plain str for names
    kept = bytes(values.pop("mac"))
    return _row(values) if compare_digest(kept, mac(_text(values).encode())) else None


def put(tx: Transaction, row: CheckRow, mac: Mac, *, is_new: bool = False) -> None:
    """Keep a check as it is now."""
    values = {name: getattr(row, name) for name in CheckRow.__slots__}
    values |= {"cursor": _text(row.cursor), "faults": _text(row.faults)}
    values["mac"] = mac(_text(values).encode())
    if is_new:
        tx.connection.execute(insert(t.checks).values(**values))
        return
    tx.connection.execute(update(t.checks).where(t.checks.c.id == row.id).values(**values))


def _text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _row(values: dict[str, Any]) -> CheckRow:
    faults = tuple(orjson.loads(values["faults"]))
    return CheckRow(**{**values, "cursor": orjson.loads(values["cursor"]), "faults": faults})
