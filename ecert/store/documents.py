"""Signed files 证照文件 in the store: originals, and copies lent for a purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    func,
    insert,
    select,
)

from ecert.model import Record
from ecert.store import tables as t
from ecert.store.certificates import RECORD, to_record
from ecert.store.connection import Reading, Transaction


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A signed file as it was stored: its bytes, SHA-256, PAdES level, and when it was made."""

    data: bytes
    digest: bytes
    level: str
    created_at: int


@dataclass(frozen=True, slots=True)
class CopyRow:
    """An annotated copy: whose, its signed token, its seal, and the log entry that names it."""

    log_index: int
    certificate: str
    token: str
    seal: str


def find(reading: Reading, log_index: int) -> DocumentRow | None:
    """Find the signed file of an issue, or of a copy, by the index of its log entry."""
    c = t.documents.c
    query = select(c.data, c.digest, c.level, c.created_at).where(c.log_index == log_index)
    row = reading.one(query)
    if row is None:
        return None
    return DocumentRow(bytes(row.data), bytes(row.digest), row.level, row.created_at)


def pending(reading: Reading, after: int, limit: int) -> list[Record]:
    """List certificates that have no signed file yet, in the order of their issue."""
    c, d = t.certificates.c, t.documents.c
    missing = ~select(d.log_index).where(d.log_index == c.log_index).exists()
    query = select(*RECORD).where(c.log_index > after, missing)
    return [to_record(row) for row in reading.all(query.order_by(c.log_index).limit(limit))]


def count_pending(reading: Reading) -> int:
    """Count the certificates that have no signed file yet."""
    c, d = t.certificates.c, t.documents.c
    missing = ~select(d.log_index).where(d.log_index == c.log_index).exists()
    query = select(func.count()).select_from(t.certificates).where(missing)
    return int(reading.connection.execute(query).scalar_one())


def keep(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> int:
    """Keep signed files, each once: what is there already stays. Gives how many are new."""
    wanted = [row["log_index"] for row in rows]
    c = t.documents.c.log_index
    there = set(tx.connection.execute(select(c).where(c.in_(wanted))).scalars())
    fresh = [dict(row) for row in rows if row["log_index"] not in there]
    if fresh:
        tx.connection.execute(insert(t.documents), fresh)
    for row in fresh:
        tx.wrote(t.documents, row["log_index"])
    return len(fresh)


def copies(reading: Reading, certificate: str) -> list[CopyRow]:
    """List the annotated copies of a certificate, oldest first."""
    c = t.copies.c
    query = select(c.log_index, c.certificate, c.token, c.seal).order_by(c.log_index)
    rows = reading.all(query.where(c.certificate == certificate))
    return [CopyRow(row.log_index, row.certificate, row.token, row.seal) for row in rows]


def same_copy(
    reading: Reading, certificate: str, recipient: str, purpose: str, until: str
) -> CopyRow | None:
    """Find the copy that was made for the same recipient and purpose, until the same day."""
    c = t.copies.c
    query = select(c.log_index, c.certificate, c.token, c.seal).where(
        c.certificate == certificate,
        c.recipient == recipient,
        c.purpose == purpose,
        c.until == until,
    )
    row = reading.connection.execute(query.order_by(c.log_index).limit(1)).one_or_none()
    return None if row is None else CopyRow(row.log_index, row.certificate, row.token, row.seal)


def add_copy(tx: Transaction, columns: Mapping[str, Any]) -> None:
    """Keep an annotated copy."""
    tx.connection.execute(insert(t.copies).values(**columns))
