"""Dossiers 用证卷宗 in the store: what was given for a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    insert,
    select,
    update,
)

from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction


@dataclass(frozen=True, slots=True)
class DossierRow:
    """A dossier as it is stored; ``asked`` and ``outcome`` are digests, days ISO dates."""

    id: str
    client: str
    agency: str
    matter: str
    version: int
    case_number: str
    asked: bytes
    outcome: bytes
    holder_hmac: bytes | None
    project_code: str | None
    token: str
    salt: bytes
    revision: int
    accepted_on: str | None
    due_on: str | None
    created_at: int


def find(reading: Reading, client: str, matter: str, case_number: str) -> DossierRow | None:
    """Find the dossier of a case."""
    c = t.dossiers.c
    query = select(t.dossiers).where(
        c.client == client, c.matter == matter, c.case_number == case_number
    )
    row = reading.connection.execute(query).one_or_none()
    return None if row is None else DossierRow(*row)


def lock(tx: Transaction, client: str, matter: str, case_number: str) -> DossierRow | None:
    """Lock the dossier of a case and give it: of two revisions one is the first."""
    c = t.dossiers.c
    query = select(c.id).where(c.client == client, c.matter == matter, c.case_number == case_number)
    tx.connection.execute(query.with_for_update()).first()
    return find(tx, client, matter, case_number)


def put(
    tx: Transaction, row: DossierRow, items: Sequence[Mapping[str, Any]], *, is_new: bool
) -> None:
    """Keep a dossier, or its next revision, with the certificates that it gave."""
    columns = {name: getattr(row, name) for name in DossierRow.__slots__}
    if is_new:
        tx.connection.execute(insert(t.dossiers).values(**columns))
    else:
        tx.connection.execute(update(t.dossiers).where(t.dossiers.c.id == row.id).values(**columns))
    c = t.dossier_items.c
    query = select(c.material, c.certificate).where(c.dossier == row.id)
    there = {(one.material, one.certificate) for one in tx.connection.execute(query)}
    fresh = [
        {"dossier": row.id, **item}
        for item in items
        if (item["material"], item["certificate"]) not in there
    ]
    if fresh:
        tx.connection.execute(insert(t.dossier_items), fresh)
    tx.wrote(t.dossiers, row.id)
    for item in fresh:
        tx.wrote(t.dossier_items, row.id, item["material"], item["certificate"])
