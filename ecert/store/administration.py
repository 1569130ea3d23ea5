"""Rows of administration 管理记录: each is named, and has a digest that the audit trail carries.

What says who may do what (agencies, keys, clients, rules, grants, matters, …) stands in no signed
certificate. So every change of such a row is told in the trail, and an edit behind its back is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, Select, Table, func, select, tuple_

from ecert._encoding import b64url, canonical_plain, sha256
from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction

Key = tuple[str | int, ...]
TABLES = (
    *(t.settings, t.agencies, t.agency_versions, t.agency_images, t.competences, t.keys, t.types),
    *(t.clients, t.client_keys, t.webhooks, t.identity_providers),
    *(t.matters, t.sharing_rules, t.receptions),
    *(t.grant_requests, t.grants, t.delegations, t.dossiers, t.dossier_items, t.objections),
    t.documents,
)
_UNTOLD = {
    # What a delivery notes of itself decides about nobody's rights.
    t.webhooks.name: frozenset({"cursor", "failures", "next_at", "last_result"}),
    t.documents.name: frozenset({"data"}),  # its digest is a column
}
UNTOLD_ROWS = {("pen",)}  # of the settings: restoring says there that the copy only reads
_AT_ONCE = 1000


def written(tx: Transaction) -> dict[str, str | None]:
    """Give the digest of every row of administration that a transaction wrote; None: it is gone."""
    return {_name(table, key): _found(tx, table, key) for table, key in tx.written}


def count(reading: Reading) -> int:
    """Count all rows of administration."""
    counts = (select(func.count()).select_from(table) for table in TABLES)
    return sum(int(reading.connection.execute(one).scalar_one()) for one in counts)


def every(reading: Reading) -> Iterator[tuple[str, str]]:
    """Give the name and the digest of every row of administration there is."""
    for table, rows in _pages(reading):
        for row in rows:
            yield _name(table, _key(table, row)), _digest(row)


def keys(reading: Reading) -> Iterator[list[tuple[Table, Key]]]:
    """Give the keys of all rows of administration, a thousand at a time."""
    for table, rows in _pages(reading):
        yield [(table, _key(table, row)) for row in rows]


def _pages(reading: Reading) -> Iterator[tuple[Table, Sequence[Row[Any]]]]:
    for table in TABLES:
        after: Key | None = None
        while rows := reading.all(_behind(table, after)):
            yield table, [row for row in rows if _key(table, row) not in UNTOLD_ROWS]
            after = _key(table, rows[-1])


def _found(reading: Reading, table: Table, key: Key) -> str | None:
    same = (column == value for column, value in zip(table.primary_key, key, strict=True))
    row = reading.one(_told(table).where(*same))
    return None if row is None else _digest(row)


def _behind(table: Table, after: Key | None) -> Select[Any]:
    columns = tuple(table.primary_key)
    query = _told(table).order_by(*columns).limit(_AT_ONCE)
    return query if after is None else query.where(tuple_(*columns) > tuple_(*after))


def _told(table: Table) -> Select[Any]:
    untold = _UNTOLD.get(table.name, frozenset())
    return select(*(column for column in table.c if column.name not in untold))


def _digest(row: Row[Any]) -> str:
    """Give SHA-256 of what a row says; what says nothing is left out, so that a new column may come."""
    said = {f"{name}": _plain(value) for name, value in row._asdict().items() if value is not None}
    return b64url(sha256(canonical_plain(said)))


def _name(table: Table, key: Key) -> str:
    return "/".join((table.name, *map(str, key)))


def _key(table: Table, row: Row[Any]) -> Key:
    return tuple(getattr(row, column.name) for column in table.primary_key)


def _plain(value: Any) -> Any:
    return b64url(bytes(value)) if isinstance(value, (bytes, memoryview)) else value
