"""What a certificate rests on 前置证照, in the store: what rests on it, and what of it has fallen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update

from ecert.model import FallenFoundation, Record, Status
from ecert.store import status_lists
from ecert.store import tables as t
from ecert.store.certificates import by_ids, lock_statuses
from ecert.store.connection import Reading, Transaction

MAX_CHAIN = 500  # certificates that rest on one another
_AT_ONCE = 1000  # identifiers in one statement


def chain_of(reading: Reading, certificate: str) -> tuple[list[Record], list[Record]]:
    """Give what a certificate rests on, step by step, and what rests on it; each once."""
    f = t.foundations.c
    below = _followed(reading, certificate, f.certificate, f.rests_on)
    above = _followed(reading, certificate, f.rests_on, f.certificate)
    return below, above


def _followed(reading: Reading, start: str, source: Any, target: Any) -> list[Record]:
    found, waiting = {start}, [start]
    while waiting and len(found) < MAX_CHAIN:
        query = select(target).where(source.in_(waiting[:MAX_CHAIN]))
        waiting = sorted(set(reading.connection.execute(query).scalars()) - found)
        found.update(waiting)
    return by_ids(reading, found - {start})


# -- what rests on it ------------------------------------------------------------------------------


def dependents(reading: Reading, certificate: str, *, ever: bool = False) -> frozenset[str]:
    """Name all that rests on a certificate, at any depth.

    Whoever rests on an earlier version rests on the newest; through a version that was superseded
    nothing is reached, for its successor may rest on something else (``ever``: it once did).
    """
    f, c = t.foundations.c, t.certificates.c
    found: set[str] = set()
    waiting = {certificate}
    while waiting:
        above: dict[str, str | None] = {}
        for some in _portions(_with_earlier(reading, waiting)):
            query = select(f.certificate, c.superseded_by).join(
                t.certificates, c.id == f.certificate
            )
            rows = reading.connection.execute(query.where(f.rests_on.in_(some)))
            above.update((row.certificate, row.superseded_by) for row in rows)
        fresh = above.keys() - found
        found |= fresh
        waiting = {one for one in fresh if ever or above[one] is None}
    return frozenset(found - {certificate})


def _with_earlier(reading: Reading, certificates: Iterable[str]) -> set[str]:
    """Name certificates and all their earlier versions."""
    c = t.certificates.c
    found: set[str] = set()
    waiting = set(certificates)
    while waiting:
        found |= waiting
        before: set[str] = set()
        for some in _portions(waiting):
            query = select(c.supersedes).where(c.id.in_(some), c.supersedes.is_not(None))
            before.update(reading.connection.execute(query).scalars())
        waiting = before - found
    return found


def lock_with_dependents(tx: Transaction, certificate: str) -> frozenset[str]:
    """Lock a certificate and all that hears of it, in one order: what rests on it, or is warned by it.

    What is issued meanwhile is found by looking again under the locks.
    """
    locked: frozenset[str] | None = None
    while True:
        heard = dependents(tx, certificate) | _warned_by(tx, certificate)
        found = (locked or frozenset()) | heard
        if found == locked:
            return found
        for some in _portions(found | {certificate}):
            lock_statuses(tx, some)
        locked = found


# -- what has fallen -------------------------------------------------------------------------------


def newest_of(tx: Transaction, successors: Mapping[str, str | None]) -> dict[str, str]:
    """Follow certificates, each with its successor, to their newest versions, and lock those."""
    newest = {one: one for one in successors}
    ahead = {one: after for one, after in successors.items() if after is not None}
    while ahead:
        newest |= ahead
        rows = lock_statuses(tx, ahead.values())
        following = {one: rows[at][3] for one, at in ahead.items() if at in rows}
        ahead = {one: after for one, after in following.items() if after is not None}
    return newest


def fallen(reading: Reading, certificates: Iterable[str]) -> dict[str, list[FallenFoundation]]:
    """Give what has fallen of that which certificates rest on, by certificate."""
    c = t.fallen_foundations.c
    found: dict[str, list[FallenFoundation]] = {}
    for some in _portions(certificates):
        query = select(t.fallen_foundations).where(
            c.certificate.in_(some), c.lifted_index.is_(None)
        )
        for row in reading.connection.execute(query):
            found.setdefault(row.certificate, []).append(_fallen(row))
    return found


def warn(
    tx: Transaction, certificates: Iterable[str], fallen_ones: Sequence[FallenFoundation]
) -> None:
    """Write down what has fallen of that which certificates rest on."""
    rows = [
        {
            "certificate": certificate,
            "foundation": one.foundation,
            "log_index": one.log_index,
            "status": one.status.value,
            "since": one.since,
        }
        for certificate in sorted(certificates)
        for one in fallen_ones
    ]
    if rows:
        tx.connection.execute(insert(t.fallen_foundations), rows)


def lift(tx: Transaction, foundation: str, log_index: int) -> None:
    """Take back what was said of a foundation, by an act that the log has at an index."""
    c = t.fallen_foundations.c
    where = update(t.fallen_foundations).where(c.foundation == foundation, c.lifted_index.is_(None))
    tx.connection.execute(where.values(lifted_index=log_index))


def _warned_by(tx: Transaction, foundation: str) -> frozenset[str]:
    c = t.fallen_foundations.c
    query = select(c.certificate).where(c.foundation == foundation, c.lifted_index.is_(None))
    return frozenset(tx.connection.execute(query).scalars())


def touch_lists(tx: Transaction, certificates: Iterable[str]) -> None:
    """Lock and count a change of the status lists in which certificates have their places."""
    c = t.certificates.c
    numbers: set[int] = set()
    for some in _portions(certificates):
        query = select(c.status_list).where(c.id.in_(some)).distinct()
        numbers.update(tx.connection.execute(query).scalars())
    for number in sorted(numbers):
        status_lists.count_warning(tx, number)


def _fallen(row: Any) -> FallenFoundation:
    return FallenFoundation(row.foundation, Status(row.status), row.since, row.log_index)


def _portions(identifiers: Iterable[str]) -> Iterator[list[str]]:
    """Take identifiers apart into as many as one statement takes, in order."""
    ordered = sorted(set(identifiers))
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]
