"""Agencies 机构 in the store, and the pictures of their seals."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Row,
    delete,
    insert,
    select,
    update,
)

from ecert.model import Agency
from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction


def listed(reading: Reading) -> list[Agency]:
    """List all agencies, oldest first."""
    return [
        _agency(row)
        for row in reading.all(
            select(t.agencies).order_by(t.agencies.c.created_at, t.agencies.c.code)
        )
    ]


def find(reading: Reading, code: str) -> Agency | None:
    """Find an agency by its credit code."""
    row = reading.one(select(t.agencies).where(t.agencies.c.code == code))
    return None if row is None else _agency(row)


def add(tx: Transaction, agency: Agency, at: int) -> None:
    """Register an agency."""
    tx.connection.execute(insert(t.agencies).values(**agency.to_json(), created_at=at))


def put_requires_dpop(tx: Transaction, agency: str, *, requires: bool) -> None:
    """Say whether an agency's clients must prove possession of a key with each call."""
    where = update(t.agencies).where(t.agencies.c.code == agency)
    tx.connection.execute(where.values(requires_dpop=requires))


def image(reading: Reading, agency: str) -> bytes | None:
    """Give the image that an agency set up for its documents."""
    c = t.agency_images.c
    row = reading.one(select(c.image).where(c.agency == agency))
    return None if row is None else bytes(row.image)


def put_image(tx: Transaction, agency: str, image: bytes | None) -> None:
    """Set up or remove the image of an agency's seal."""
    tx.connection.execute(delete(t.agency_images).where(t.agency_images.c.agency == agency))
    if image is not None:
        tx.connection.execute(insert(t.agency_images).values(agency=agency, image=image))


def _agency(row: Row[Any]) -> Agency:
    return Agency(
        row.code,
        row.name,
        row.division,
        row.parent,
        row.short_name,
        row.time_zone,
        row.requires_dpop,
    )
