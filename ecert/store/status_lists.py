"""Places in the status lists 状态列表, and what is said of each."""

from __future__ import annotations

from sqlalchemy import (
    ColumnElement,
    bindparam,
    func,
    insert,
    select,
    update,
)

from ecert.formats.status_list import LIST_SIZE, PART_BITS, VALUES, Detail, PlaceWarning
from ecert.model import FallenFoundation, Status, gravest_first
from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction

_FINGERPRINT = select(
    func.count().label("rows"),
    func.coalesce(func.sum(t.certificates.c.changes), 0).label("sum"),
    select(t.status_lists.c.warnings)
    .where(t.status_lists.c.list == bindparam("list"))
    .scalar_subquery()
    .label("warnings"),
).where(t.certificates.c.status_list == bindparam("list"), t.HAS_CHANGED)


def numbers(reading: Reading) -> list[int]:
    """List the status lists in use."""
    return [
        row.list
        for row in reading.all(select(t.status_lists.c.list).order_by(t.status_lists.c.list))
    ]


def values(reading: Reading, number: int) -> dict[int, int]:
    """Give the values of a list that are not zero, by index."""
    return {
        index: VALUES[detail.status]
        for index, detail in details(reading, number).items()
        if detail.status is not Status.VALID
    }


def details(reading: Reading, number: int, part: int | None = None) -> dict[int, Detail]:
    """Give what is said of every index that ever changed, of a list or of one part of it."""
    c = t.certificates.c
    query = select(c.status_index, c.status, c.since, c.changes, c.superseded_by)
    rows = reading.all(query.where(c.status_list == number, *_in_part(part), t.HAS_CHANGED))
    return {
        row.status_index: Detail(Status(row.status), row.since, row.changes, row.superseded_by)
        for row in rows
    }


def warned(reading: Reading, number: int, part: int | None = None) -> dict[int, PlaceWarning]:
    """Give what is said of every index whose certificate rests on something that fell."""
    c, f = t.certificates.c, t.fallen_foundations.c
    columns = (c.status_index, f.foundation, f.status, f.since, f.log_index)
    query = select(*columns).join(t.fallen_foundations, f.certificate == c.id)
    # The sum keeps the database from walking a whole list: few are warned, a list has 65,536 places.
    is_in_list = c.status_list + 0 == number
    found: dict[int, list[FallenFoundation]] = {}
    for row in reading.all(query.where(is_in_list, *_in_part(part), f.lifted_index.is_(None))):
        one = FallenFoundation(row.foundation, Status(row.status), row.since, row.log_index)
        found.setdefault(row.status_index, []).append(one)
    first = {index: gravest_first(fallen)[0] for index, fallen in found.items()}
    return {index: PlaceWarning(one.status, one.since) for index, one in first.items()}


def _in_part(part: int | None) -> list[ColumnElement[bool]]:
    if part is None:
        return []
    first = part << PART_BITS
    return [t.certificates.c.status_index.between(first, first + (1 << PART_BITS) - 1)]


def fingerprint(reading: Reading, number: int) -> tuple[int, int, int]:
    """Give numbers that differ whenever the list differs: changed rows, changes, and warnings."""
    row = reading.connection.execute(_FINGERPRINT, {"list": number}).one()
    return int(row.rows), int(row.sum), int(row.warnings or 0)


def count_warning(tx: Transaction, number: int) -> None:
    """Count that a warning was set or lifted in a list, so that it is signed anew."""
    c = t.status_lists.c
    query = update(t.status_lists).where(c.list == number).values(warnings=c.warnings + 1)
    tx.connection.execute(query)


def allocate(tx: Transaction, count: int) -> list[tuple[int, int]]:
    """Allocate places: (list, n-th place in it); a full list is followed by the next."""
    c = t.status_lists.c
    newest = tx.one(select(func.max(c.list).label("list")))
    number = 0 if newest is None or newest.list is None else int(newest.list)
    places: list[tuple[int, int]] = []
    while len(places) < count:
        row = tx.one(select(c.allocated).where(c.list == number).with_for_update())
        start = 0 if row is None else int(row.allocated)
        taken = min(count - len(places), LIST_SIZE - start)
        places += [(number, start + place) for place in range(taken)]
        _put_allocated(tx, number, start + taken, is_new=row is None)
        number += start + taken == LIST_SIZE
    return places


def _put_allocated(tx: Transaction, number: int, allocated: int, *, is_new: bool) -> None:
    if is_new:
        values = {"list": number, "allocated": allocated}
        tx.connection.execute(insert(t.status_lists).values(**values))
        return
    query = update(t.status_lists).where(t.status_lists.c.list == number)
    tx.connection.execute(query.values(allocated=allocated))
