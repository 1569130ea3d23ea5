"""Places in the status lists 状态列表, and what is said of each."""

from __future__ import annotations

from sqlalchemy import (
    bindparam,
    func,
    insert,
    select,
    update,
)

from ecert.formats.status_list import LIST_SIZE, VALUES, Detail
from ecert.model import Status
from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction

_FINGERPRINT = select(
    func.count().label("rows"), func.coalesce(func.sum(t.certificates.c.changes), 0).label("sum")
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


def details(reading: Reading, number: int) -> dict[int, Detail]:
    """Give what is said of every index of a list that ever changed."""
    c = t.certificates.c
    query = select(c.status_index, c.status, c.since, c.changes, c.superseded_by)
    rows = reading.all(query.where(c.status_list == number, t.HAS_CHANGED))
    return {
        row.status_index: Detail(Status(row.status), row.since, row.changes, row.superseded_by)
        for row in rows
    }


def fingerprint(reading: Reading, number: int) -> tuple[int, int]:
    """Give two numbers that differ whenever the list differs: changed rows, and changes."""
    row = reading.connection.execute(_FINGERPRINT, {"list": number}).one()
    return int(row.rows), int(row.sum)


def take_places(tx: Transaction, count: int) -> list[tuple[int, int]]:
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
