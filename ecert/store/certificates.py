"""Certificates 证照 in the store: found, locked, added, and their status changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    and_,
    bindparam,
    insert,
    or_,
    select,
    update,
)

from ecert._encoding import instant
from ecert.model import Record, Status
from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction

RECORD = (  # in the order of Record's members
    t.certificates.c.id,
    t.certificates.c.body,
    t.certificates.c.issuer,
    t.certificates.c.slug,
    t.certificates.c.status,
    t.certificates.c.since,
    t.certificates.c.nbf,
    t.certificates.c.exp,
    t.certificates.c.changes,
    t.certificates.c.superseded_by,
    t.certificates.c.log_index,
    t.certificates.c.status_list,
    t.certificates.c.status_index,
    t.certificates.c.digest,
    t.certificates.c.credential,
    t.certificates.c.seal,
)
_STATUS_ONLY = (
    t.certificates.c.id,
    t.certificates.c.status,
    t.certificates.c.exp,
    t.certificates.c.superseded_by,
)
# Laid out once: building a statement costs more than running it.
_BY_ID = select(*RECORD).where(t.certificates.c.id == bindparam("id"))
_BY_IDS = select(*RECORD).where(t.certificates.c.id.in_(bindparam("identifiers", expanding=True)))
_STATUSES = select(*_STATUS_ONLY).where(
    t.certificates.c.id.in_(bindparam("identifiers", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Visibility:
    """Whose certificates a caller may see: an agency's own, all of some types, and some of some issuers."""

    agency: str | None
    slugs: frozenset[str] = frozenset()
    taken_over: frozenset[tuple[str, str]] = frozenset()  # issuer and type


@dataclass(frozen=True, slots=True)
class Filter:
    """What to find certificates by; everything given must fit."""

    holder_hmac: bytes | None = None
    project_code: str | None = None
    slug: str | None = None
    number: str | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class NewCertificate:
    """A row to insert: the certificate, its holders' HMACs, and what it rests on."""

    columns: Mapping[str, Any]
    holder_hmacs: Sequence[bytes]
    rests_on: Sequence[str]


def is_any(reading: Reading) -> bool:
    """Tell whether any certificate was ever issued and is still there."""
    return reading.one(select(t.certificates.c.id).limit(1)) is not None


def digest_of(reading: Reading, identifier: str) -> tuple[int, bytes] | None:
    """Give the log index and the credential digest of a certificate."""
    c = t.certificates.c
    row = reading.one(select(c.log_index, c.digest).where(c.id == identifier))
    return None if row is None else (row.log_index, bytes(row.digest))


def find(reading: Reading, identifier: str) -> Record | None:
    """Find a certificate by its identifier; its status is the stored one."""
    row = reading.connection.execute(_BY_ID, {"id": identifier}).one_or_none()
    return None if row is None else to_record(row)


def by_ids(reading: Reading, identifiers: Iterable[str]) -> list[Record]:
    """Give certificates by their identifiers, each once, newest first."""
    found = reading.connection.execute(_BY_IDS, {"identifiers": sorted(set(identifiers))})
    return sorted((to_record(row) for row in found), key=lambda one: -one.log_index)


def search(
    reading: Reading,
    wanted: Filter,
    *,
    visible: Visibility | None,
    after: int,
    limit: int,
    now: int,
) -> list[Record]:
    """Find certificates in the order in which they were issued, after a log index.

    ``visible`` None sees everything. ``now`` decides what has expired.
    """
    query = select(*RECORD).where(t.certificates.c.log_index > after)
    for condition in (*_conditions(wanted, now), *_seen_by(visible)):
        query = query.where(condition)
    return [
        to_record(row)
        for row in reading.all(query.order_by(t.certificates.c.log_index).limit(limit))
    ]


def _conditions(wanted: Filter, now: int) -> list[Any]:
    c = t.certificates.c
    pairs = (
        (c.project_code, wanted.project_code),
        (c.slug, wanted.slug),
        (c.number, wanted.number),
    )
    found: list[Any] = [column == value for column, value in pairs if value is not None]
    if wanted.holder_hmac is not None:
        held = select(t.holders.c.certificate).where(t.holders.c.code_hmac == wanted.holder_hmac)
        found.append(c.id.in_(held))
    if wanted.status is not None:
        found.append(_has_status(wanted.status, now))
    return found


def _has_status(status: Status, now: int) -> Any:
    c = t.certificates.c
    is_past = and_(c.exp.is_not(None), c.exp <= now)
    open_ended = c.status.in_([Status.VALID.value, Status.SUSPENDED.value])
    if status is Status.EXPIRED:
        return and_(open_ended, is_past)
    if status in {Status.VALID, Status.SUSPENDED}:
        return and_(c.status == status.value, or_(c.exp.is_(None), c.exp > now))
    return c.status == status.value


def _seen_by(visible: Visibility | None) -> list[Any]:
    if visible is None:
        return []
    c = t.certificates.c
    taken_over = (and_(c.issuer == one, c.slug == slug) for one, slug in sorted(visible.taken_over))
    own = c.issuer == (visible.agency or "")
    return [or_(own, c.slug.in_(sorted(visible.slugs)), *taken_over)]


def to_record(row: Any) -> Record:
    """Read a row of ``RECORD``; by position, for a name costs a look-up each time."""
    identifier, body, issuer, slug, status, since, *rest = row
    record = (identifier, body, issuer, slug, Status(status), instant(since), *rest)
    return Record(*record)


def statuses(reading: Reading, identifiers: Iterable[str]) -> dict[str, tuple[Status, int | None]]:
    """Give the stored status and ``exp`` of several certificates."""
    rows = reading.connection.execute(_STATUSES, {"identifiers": list(identifiers)})
    return {row.id: (Status(row.status), row.exp) for row in rows}


def lock_statuses(
    tx: Transaction, identifiers: Iterable[str]
) -> dict[str, tuple[str, Status, int | None, str | None]]:
    """Lock certificates in order of their identifiers; give slug, stored status, ``exp``, successor."""
    c = t.certificates.c
    query = select(c.id, c.slug, c.status, c.exp, c.superseded_by)
    query = query.where(c.id.in_(sorted(set(identifiers))))
    rows = tx.all(query.order_by(c.id).with_for_update())
    return {row.id: (row.slug, Status(row.status), row.exp, row.superseded_by) for row in rows}


def lock(tx: Transaction, identifier: str) -> Record | None:
    """Lock one certificate and give it."""
    query = select(*RECORD).where(t.certificates.c.id == identifier).with_for_update()
    row = tx.one(query)
    return None if row is None else to_record(row)


def add(tx: Transaction, rows: Sequence[NewCertificate]) -> None:
    """Insert certificates with their holders and foundations."""
    if not rows:
        return
    tx.connection.execute(insert(t.certificates), [dict(row.columns) for row in rows])
    held = [
        {"certificate": row.columns["id"], "position": position, "code_hmac": code}
        for row in rows
        for position, code in enumerate(row.holder_hmacs)
    ]
    tx.connection.execute(insert(t.holders), held)
    resting = [
        {"certificate": row.columns["id"], "rests_on": foundation}
        for row in rows
        for foundation in row.rests_on
    ]
    if resting:
        tx.connection.execute(insert(t.foundations), resting)


def put_status(
    tx: Transaction, identifier: str, status: Status, since: int, superseded_by: str | None = None
) -> None:
    """Change a certificate's status; counts the change."""
    c = t.certificates.c
    values: dict[str, Any] = {"status": status.value, "since": since, "changes": c.changes + 1}
    if superseded_by is not None:
        values["superseded_by"] = superseded_by
    tx.connection.execute(update(t.certificates).where(c.id == identifier).values(**values))


def taken_numbers(tx: Transaction, slug: str, numbers: Iterable[str]) -> set[str]:
    """Which of these numbers some current certificate of the type carries."""
    c = t.certificates.c
    query = select(c.number).where(
        c.slug == slug, c.number.in_(list(numbers)), c.superseded_by.is_(None)
    )
    return {row.number for row in tx.all(query)}


def is_number_taken(tx: Transaction, issuers: Iterable[str], slug: str, number: str) -> bool:
    """Tell whether a current certificate of some issuers and a type carries the number."""
    c = t.certificates.c
    query = select(c.id).where(
        c.issuer.in_(sorted(issuers)),
        c.slug == slug,
        c.number == number,
        c.superseded_by.is_(None),
    )
    return tx.one(query.limit(1)) is not None


def clashing_numbers(
    tx: Transaction, slug: str, some: Iterable[str], others: Iterable[str], limit: int
) -> list[str]:
    """List numbers of a type that current certificates of some and of other issuers both carry."""
    c = t.certificates.c
    is_current = (c.slug == slug, c.superseded_by.is_(None))
    theirs = select(c.number).where(c.issuer.in_(sorted(others)), *is_current)
    query = select(c.number).where(c.issuer.in_(sorted(some)), *is_current, c.number.in_(theirs))
    return list(tx.connection.execute(query.order_by(c.number).limit(limit)).scalars())
