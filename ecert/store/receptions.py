"""Receptions 综合受理、委托 in the store: which agency receives for which, and may issue in its name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import insert, select, update

from ecert._encoding import instant, rfc3339
from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction


@dataclass(frozen=True, slots=True)
class ReceptionRow:
    """That an agency receives for another, its ``principal``: one matter, or all (None).

    ``acts`` are ``receive`` and ``issue``; ``slugs`` the types that may be issued, none: all. Days
    are ISO dates, both included.
    """

    id: str
    agency: str
    principal: str
    matter: str | None
    acts: tuple[str, ...]
    slugs: tuple[str, ...]
    basis: str
    from_day: str
    to_day: str | None
    ended_at: int | None
    created_at: int

    def to_json(self) -> dict[str, Any]:
        """Give the reception as JSON."""
        return {
            "id": self.id,
            "agency": self.agency,
            "principal": self.principal,
            "matter": self.matter,
            "acts": list(self.acts),
            "types": list(self.slugs),
            "basis": self.basis,
            "from": self.from_day,
            "to": self.to_day,
            "ended_at": None if self.ended_at is None else rfc3339(instant(self.ended_at)),
            "created_at": rfc3339(instant(self.created_at)),
        }


def add(tx: Transaction, row: ReceptionRow) -> None:
    """Add a reception."""
    columns = {name: getattr(row, name) for name in ReceptionRow.__slots__}
    columns |= {"acts": " ".join(row.acts), "slugs": " ".join(row.slugs)}
    tx.connection.execute(insert(t.receptions).values(**columns))
    tx.wrote(t.receptions, row.id)


def find(reading: Reading, reception: str) -> ReceptionRow | None:
    """Find a reception."""
    row = reading.one(select(t.receptions).where(t.receptions.c.id == reception))
    return None if row is None else _row(row)


def listed(reading: Reading, on: date | None = None) -> list[ReceptionRow]:
    """List receptions, oldest first: those of a day, or all, ended ones too."""
    c = t.receptions.c
    query = select(t.receptions).order_by(c.created_at, c.id)
    if on is not None:
        day = on.isoformat()
        query = query.where(c.from_day <= day, c.ended_at.is_(None))
        query = query.where(c.to_day.is_(None) | (c.to_day >= day))
    return [_row(row) for row in reading.all(query)]


def end(tx: Transaction, reception: str, at: int) -> None:
    """End a reception; what was done under it stays."""
    c = t.receptions.c
    where = update(t.receptions).where(c.id == reception, c.ended_at.is_(None))
    tx.connection.execute(where.values(ended_at=at))
    tx.wrote(t.receptions, reception)


def _row(row: Any) -> ReceptionRow:
    parts = {"acts": tuple(row.acts.split()), "slugs": tuple(row.slugs.split())}
    return ReceptionRow(**{**row._mapping, **parts})  # noqa: SLF001 - its public name
