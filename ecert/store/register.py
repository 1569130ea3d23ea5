"""The register 名录 in the store: competences of agencies, and the statements about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, insert, select, update

from ecert.model import Competence
from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction

_C = t.competences.c
_ALL = select(t.competences).order_by(_C.agency, _C.slug, _C.from_day)
_HELD = _ALL.where(
    _C.agency.in_(bindparam("agencies", expanding=True)),
    _C.slug.in_(bindparam("slugs", expanding=True)),
)


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """A signed act upon the register, with its place in the log."""

    log_index: int
    agency: str
    token: str


def competences(reading: Reading, *, agencies: Iterable[str] | None = None) -> list[Competence]:
    """List competences, of some agencies or of all, by agency, type and first day."""
    query = _ALL if agencies is None else _ALL.where(_C.agency.in_(sorted(agencies)))
    return [_competence(row) for row in reading.all(query)]


def held(tx: Transaction, agencies: Iterable[str], slugs: Iterable[str]) -> list[Competence]:
    """List the competences of some agencies for some types: what decides whether they may issue."""
    rows = tx.all(_HELD, agencies=sorted(agencies), slugs=sorted(slugs))
    return [_competence(row) for row in rows]


def transferred(reading: Reading) -> list[Competence]:
    """List the competences that were transferred, also where the day has not come yet."""
    query = select(t.competences).where(_C.successor.is_not(None))
    return [_competence(row) for row in reading.all(query)]


def add(tx: Transaction, competence: Competence) -> None:
    """Give an agency a competence."""
    tx.connection.execute(insert(t.competences).values(**_columns(competence)))
    _wrote(tx, competence)


def put(tx: Transaction, competence: Competence) -> None:
    """Change a competence, which agency, type and first day name."""
    where = update(t.competences).where(*_named(competence))
    tx.connection.execute(where.values(**_columns(competence)))
    _wrote(tx, competence)


def remove(tx: Transaction, competence: Competence) -> None:
    """Remove a competence that never began; the log keeps what was said of it."""
    tx.connection.execute(delete(t.competences).where(*_named(competence)))
    _wrote(tx, competence)


def add_statements(tx: Transaction, rows: Iterable[Mapping[str, Any]]) -> None:
    """Keep signed register statements, each with its place in log and trail."""
    tx.connection.execute(insert(t.register_statements), list(rows))


def statements(reading: Reading, after: int, limit: int) -> list[RegisterRow]:
    """List register statements behind a log index, in the order of the log."""
    c = t.register_statements.c
    query = select(t.register_statements).where(c.log_index > after).order_by(c.log_index)
    return [
        RegisterRow(row.log_index, row.agency, row.token) for row in reading.all(query.limit(limit))
    ]


def issued_since(reading: Reading, agency: str, slug: str | None, at: int) -> int:
    """Count the certificates of an agency, of a type or of all, issued at a moment or later."""
    c = t.certificates.c
    where: list[ColumnElement[bool]] = [c.issuer == agency, c.created_at >= at]
    where += [] if slug is None else [c.slug == slug]
    row = reading.one(select(func.count().label("found")).where(*where))
    return 0 if row is None else int(row.found)


def _wrote(tx: Transaction, one: Competence) -> None:
    tx.wrote(t.competences, one.agency, one.slug, one.from_day.isoformat())


def _named(one: Competence) -> tuple[ColumnElement[bool], ...]:
    return _C.agency == one.agency, _C.slug == one.slug, _C.from_day == one.from_day.isoformat()


def _columns(one: Competence) -> dict[str, Any]:
    return {
        "agency": one.agency,
        "slug": one.slug,
        "from_day": one.from_day.isoformat(),
        "to_day": None if one.to_day is None else one.to_day.isoformat(),
        "only": one.only,
        "basis": one.basis,
        "successor": one.successor,
        "to_entry": one.to_entry,
        "register_index": one.register_index,
    }


def _competence(row: Row[Any]) -> Competence:
    return Competence(
        agency=row.agency,
        slug=row.slug,
        from_day=date.fromisoformat(row.from_day),
        to_day=None if row.to_day is None else date.fromisoformat(row.to_day),
        only=row.only,
        basis=row.basis,
        successor=row.successor,
        to_entry=row.to_entry,
        register_index=row.register_index,
    )
