"""Whose certificates are 持证主体, in the store: found by an HMAC of the holder's code, or by project."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    Select,
    select,
)

from ecert.model import Record, Status
from ecert.store import tables as t
from ecert.store.certificates import by_ids
from ecert.store.connection import Reading

MAX_EACH = 100  # certificates of one type that are looked at, of one holder or project
MAX_LOOKED_AT = 20_000  # of one holder or project, before types are sorted out

# Small rows, found by one index and sorted out here: asked for types and order too, a database
# would rather walk all certificates of a type than the few of a holder (measured: 300 ms of 100,000).
_PLACES = tuple(t.certificates.c[name] for name in ("id", "slug", "status", "log_index"))


def held(reading: Reading, holder_hmac: bytes, slugs: Iterable[str]) -> list[Record]:
    """Give a holder's certificates of some types, newest first, ended and superseded ones too."""
    h = t.holders.c
    query = select(*_PLACES).join(t.holders, h.certificate == t.certificates.c.id)
    return _nearest(reading, query.where(h.code_hmac == holder_hmac), slugs)


def of_project(reading: Reading, project_code: str, slugs: Iterable[str]) -> list[Record]:
    """Give a project's certificates of some types, newest first."""
    query = select(*_PLACES).where(t.certificates.c.project_code == project_code)
    return _nearest(reading, query, slugs)


def of_project_holders(reading: Reading, project_code: str, slugs: Iterable[str]) -> list[Record]:
    """Give what the holders of a project's certificates hold beside the project, newest first."""
    c, h = t.certificates.c, t.holders.c
    of_project = select(c.id).where(c.project_code == project_code)
    codes = select(h.code_hmac).where(h.certificate.in_(of_project)).distinct()
    query = select(*_PLACES).join(t.holders, h.certificate == c.id).where(h.code_hmac.in_(codes))
    return _nearest(reading, query.where(c.project_code.is_(None)), slugs)


def _nearest(reading: Reading, query: Select[Any], slugs: Iterable[str]) -> list[Record]:
    """Give certificates, of each type the newest, those in force before all others.

    Each type has its own bound: many of one kind never hide one of another.
    """
    wanted = set(slugs)
    of_type: dict[str, list[Any]] = {}
    for row in reading.connection.execute(query.limit(MAX_LOOKED_AT)):
        if row.slug in wanted:
            of_type.setdefault(row.slug, []).append(row)
    chosen = [
        row.id
        for rows in of_type.values()
        for row in sorted(rows, key=lambda one: (one.status != Status.VALID, -one.log_index))[
            :MAX_EACH
        ]
    ]
    return by_ids(reading, chosen)


def held_among(reading: Reading, holder_hmac: bytes, certificates: Sequence[str]) -> frozenset[str]:
    """Say which of some certificates somebody holds."""
    h = t.holders.c
    query = select(h.certificate).where(
        h.code_hmac == holder_hmac, h.certificate.in_(sorted(set(certificates)))
    )
    return frozenset(reading.connection.execute(query).scalars())


def holders_of(reading: Reading, certificate: str) -> set[bytes]:
    """Give the HMACs of a certificate's holders."""
    query = select(t.holders.c.code_hmac).where(t.holders.c.certificate == certificate)
    return {bytes(one) for one in reading.connection.execute(query).scalars()}
