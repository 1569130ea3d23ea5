"""Rows as an inspection 核对 reads them: many at once, by their places, with nothing left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Column, ColumnElement, Row, Select, func, or_, select

from ecert.store import tables as t
from ecert.store.connection import Reading
from ecert.store.trees import Tree

Rows = Sequence[Row[Any]]
_OF_CERTIFICATES = (t.statements, t.copies, t.documents, t.fallen_foundations, t.objections)
ADOPT = "rows.adopt"  # the act by which an upgrade tells the trail of all rows there are


@dataclass(frozen=True, slots=True)
class Counted:
    """How much is stored of a tree: what lies beyond its size, tiles, notes and the last note's number."""

    leaves_beyond: int
    nodes: int
    notes: int
    last_note: int
    notes_beyond: int


def leaves(reading: Reading, tree: Tree, start: int, end: int) -> dict[int, bytes]:
    """Give the leaf hashes of a range by index."""
    c = tree.leaves.c
    return _by_index(reading, select(c.index, c.leaf).where(c.index >= start, c.index < end))


def entries(reading: Reading, start: int, end: int) -> dict[int, bytes]:
    """Give the log's entries of a range by index."""
    c = t.log_entries.c
    return _by_index(reading, select(c.index, c.entry).where(c.index >= start, c.index < end))


def entries_at(reading: Reading, indexes: Iterable[int]) -> dict[int, bytes]:
    """Give some of the log's entries by index."""
    c = t.log_entries.c
    return _by_index(reading, select(c.index, c.entry).where(c.index.in_(sorted(set(indexes)))))


def _by_index(reading: Reading, query: Select[Any]) -> dict[int, bytes]:
    rows: Sequence[Any] = reading.all(query)
    return {row[0]: bytes(row[1]) for row in rows}


def notes(reading: Reading, tree: Tree, start: int, end: int) -> list[tuple[int, int, str]]:
    """Give the notes over a tree that grew from one size to another: size, number, text."""
    c = tree.checkpoints.c
    grown = (c.size > start if start else c.size >= 0), c.size <= end
    rows = reading.all(select(c.size, c.id, c.note).where(*grown).order_by(c.id))
    return [(row.size, row.id, row.note) for row in rows]


def counted(reading: Reading, tree: Tree, size: int) -> Counted:
    """Count what is stored of a tree that has so many leaves."""

    def count(table: Any, *where: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(table).where(*where)
        return int(reading.connection.execute(query).scalar_one())

    last = reading.connection.execute(select(func.max(tree.checkpoints.c.id))).scalar()
    return Counted(
        leaves_beyond=count(tree.leaves, or_(tree.leaves.c.index >= size, tree.leaves.c.index < 0)),
        nodes=count(tree.nodes),
        notes=count(tree.checkpoints),
        last_note=last or 0,
        notes_beyond=count(tree.checkpoints, tree.checkpoints.c.size > size),
    )


def certificates(
    reading: Reading, start: int, limit: int, share: tuple[int, int] | None = None
) -> Rows:
    """Give certificates from a log index on, in the order of the log.

    ``share`` (28, 3): only those whose index divided by 28 leaves 3.
    """
    c = t.certificates.c
    query = select(t.certificates).where(c.log_index >= start)
    if share is not None:
        query = query.where(c.log_index % share[0] == share[1])
    return reading.all(query.order_by(c.log_index).limit(limit))


def of_certificates(
    reading: Reading, table: Any, identifiers: Sequence[str]
) -> dict[str, list[Any]]:
    """Give the rows of a table that belong to certificates, by certificate, in the order of their key."""
    query = select(*_light(table)).where(table.c.certificate.in_(identifiers))
    found: dict[str, list[Any]] = {one: [] for one in identifiers}
    for row in reading.all(query.order_by(*table.primary_key)):
        found[row.certificate].append(row)
    return found


def _light(table: Any) -> list[Column[Any]]:
    return [
        column for column in table.c if column.name != "data"
    ]  # a file is read when it is checked


def named(reading: Reading, identifiers: Iterable[str]) -> dict[str, Row[Any]]:
    """Give what certificates say of each other, by identifier."""
    c = t.certificates.c
    query = select(c.id, c.supersedes, c.superseded_by, c.status, c.status_list, c.log_index)
    rows = reading.all(query.where(c.id.in_(sorted(set(identifiers)))))
    return {row.id: row for row in rows}


def placed(reading: Reading, start: int, end: int) -> dict[int, str]:
    """Give which table has the row of each log index of a range; twice the same index: both names."""
    tables = (t.certificates, t.statements, t.copies, t.register_statements)
    parts = [
        select(one.c.log_index.label("place")).where(
            one.c.log_index >= start, one.c.log_index < end
        )
        for one in tables
    ]
    found: dict[int, str] = {}
    for table, part in zip(tables, parts, strict=True):
        for place in reading.connection.execute(part).scalars():
            found[place] = f"{found[place]},{table.name}" if place in found else table.name
    return found


def trail_rows(reading: Reading, start: int, end: int) -> Rows:
    """Give the index and the details of rows of the trail."""
    c = t.audit.c
    query = select(c.index, c.details).where(c.index >= start, c.index < end)
    return reading.all(query.order_by(c.index))


def is_adopted(reading: Reading) -> bool:
    """Tell whether the rows of an older version were told in the trail at an upgrade."""
    c = t.audit.c
    query = select(c.index).where(c.action == ADOPT, c.outcome == "done").limit(1)
    return reading.connection.execute(query).first() is not None


def acts_of(reading: Reading, indexes: Iterable[int]) -> dict[int, Row[Any]]:
    """Give what rows of the trail say was done, by index."""
    c = t.audit.c
    query = select(c.index, c.action, c.outcome, c.certificate, c.at)
    rows = reading.all(query.where(c.index.in_(sorted(set(indexes)))))
    return {row[0]: row for row in rows}


def lists(reading: Reading) -> Rows:
    """Give each status list with the places that were given, and how many certificates have one."""
    c, s = t.certificates.c, t.status_lists.c
    counted = select(c.status_list, func.count().label("there")).group_by(c.status_list)
    given = counted.subquery()
    known = select(s.list.label("list")).union(select(c.status_list))
    numbers = known.subquery()
    query = (
        select(numbers.c.list, s.allocated, given.c.there)
        .select_from(numbers)
        .outerjoin(t.status_lists, s.list == numbers.c.list)
        .outerjoin(given, given.c.status_list == numbers.c.list)
    )
    return reading.all(query.order_by(numbers.c.list))


def register_statements(reading: Reading) -> Rows:
    """Give all signed acts upon the register, in the order of the log."""
    c = t.register_statements.c
    return reading.all(select(t.register_statements).order_by(c.log_index))


def fallen_ones(reading: Reading, after: str, limit: int) -> list[str]:
    """Name the certificates that fell, or that something is said to rest on that did, behind one."""
    c, f = t.certificates.c, t.fallen_foundations.c
    fell = select(c.id.label("id")).where(
        c.status.in_(["suspended", "cancelled", "withdrawn", "revoked"])
    )
    both = fell.union(select(f.foundation)).subquery()
    query = select(both.c.id).where(both.c.id > after).order_by(both.c.id).limit(limit)
    return list(reading.connection.execute(query).scalars())


def warnings_by(reading: Reading, foundation: str) -> Rows:
    """Give all that was ever said of a foundation that fell."""
    f = t.fallen_foundations
    return reading.all(select(f).where(f.c.foundation == foundation).order_by(*f.primary_key))


def statements_of(reading: Reading, certificate: str) -> Rows:
    """Give the acts upon a certificate, oldest first."""
    c = t.statements.c
    columns = (c.log_index, c.operation, c.status, c.at, c.trail_index)
    return reading.all(select(*columns).where(c.certificate == certificate).order_by(c.log_index))


def warned_by(reading: Reading, acts: Rows) -> dict[int, int]:
    """Give how many certificates the trail says were warned by each act, by its place in the log."""
    c = t.audit.c
    places = {act.trail_index: act.log_index for act in acts if act.trail_index is not None}
    rows = reading.all(select(c.index, c.details).where(c.index.in_(sorted(places))))
    found = {places[row.index]: orjson.loads(row.details).get("warned", 0) for row in rows}
    return {place: int(count) for place, count in found.items()}


def orphans(reading: Reading) -> list[tuple[str, str]]:
    """Name the rows of certificates that are not there: the table, and the certificate they name."""
    c = t.certificates.c
    found: list[tuple[str, str]] = []
    for table in (*_OF_CERTIFICATES, t.foundations, t.holders):
        query = select(table.c.certificate).outerjoin(t.certificates, c.id == table.c.certificate)
        rows = reading.connection.execute(query.where(c.id.is_(None)).distinct().limit(1000))
        found += [(table.name, one) for one in rows.scalars()]
    return found


def places(reading: Reading, number: int) -> list[int]:
    """Give the places of a status list that certificates have."""
    c = t.certificates.c
    query = select(c.status_index).where(c.status_list == number)
    return list(reading.connection.execute(query).scalars())


def document_data(reading: Reading, log_index: int) -> bytes | None:
    """Give a document's file."""
    c = t.documents.c
    found = reading.connection.execute(select(c.data).where(c.log_index == log_index)).scalar()
    return None if found is None else bytes(found)
