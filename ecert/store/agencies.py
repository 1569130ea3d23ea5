"""Agencies 机构 in the store, and the pictures of their seals."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import (
    Row,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from ecert.model import Agency, AgencyVersion
from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction

_C = t.agencies.c
_NAMED = select(t.agencies).where(_C.code.in_(bindparam("codes", expanding=True))).order_by(_C.code)
_HELD, _LOCKED = _NAMED.with_for_update(read=True), _NAMED.with_for_update()


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


def hold(tx: Transaction, codes: Iterable[str]) -> dict[str, Agency]:
    """Give agencies as they are, and let nobody change the register of theirs until the commit."""
    return {row.code: _agency(row) for row in tx.all(_HELD, codes=sorted(codes))}


def lock(tx: Transaction, codes: Iterable[str]) -> dict[str, Agency]:
    """Lock agencies for a change of the register: whoever issues waits, and sees the change."""
    return {row.code: _agency(row) for row in tx.all(_LOCKED, codes=sorted(codes))}


def add(tx: Transaction, agency: Agency, at: int) -> None:
    """Register an agency."""
    tx.connection.execute(insert(t.agencies).values(**agency.to_json(), created_at=at))
    tx.wrote(t.agencies, agency.code)


def put(tx: Transaction, code: str, **columns: Any) -> None:
    """Change what is known of an agency."""
    tx.connection.execute(update(t.agencies).where(t.agencies.c.code == code).values(**columns))
    tx.wrote(t.agencies, code)


def take_version(tx: Transaction, version: AgencyVersion) -> None:
    """Let a version of an agency be in force."""
    put(
        tx,
        version.agency,
        name=version.name,
        short_name=version.short_name,
        division=version.division,
        parent=version.parent,
    )


def versions(reading: Reading) -> list[AgencyVersion]:
    """List what was, is and will be known of agencies, by agency and day."""
    c = t.agency_versions.c
    query = select(t.agency_versions).order_by(c.agency, c.from_day)
    return [_version(row) for row in reading.all(query)]


def put_version(tx: Transaction, version: AgencyVersion) -> None:
    """Say what is known of an agency from a day on; of one day the last word counts."""
    c, day = t.agency_versions.c, version.from_day.isoformat()
    tx.connection.execute(
        delete(t.agency_versions).where(c.agency == version.agency, c.from_day == day)
    )
    values = {
        "agency": version.agency,
        "from_day": day,
        "name": version.name,
        "short_name": version.short_name,
        "division": version.division,
        "parent": version.parent,
    }
    tx.connection.execute(insert(t.agency_versions).values(**values))
    tx.wrote(t.agency_versions, version.agency, day)


def put_requires_dpop(tx: Transaction, agency: str, by: str, *, requires: bool) -> None:
    """Say whether an agency's clients must prove possession of a key with each call, and who says so."""
    put(tx, agency, requires_dpop=requires, dpop_by=by if requires else None)


def dpop_by(reading: Reading, agency: str) -> str | None:
    """Tell who demands that an agency's calls are bound to a key: an agency, ``-``, or nobody."""
    c = t.agencies.c
    row = reading.one(select(c.dpop_by).where(c.code == agency))
    return None if row is None else row.dpop_by


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
    tx.wrote(t.agency_images, agency)


def _agency(row: Row[Any]) -> Agency:
    return Agency(
        row.code,
        row.name,
        row.division,
        row.parent,
        row.short_name,
        row.time_zone,
        row.requires_dpop,
        None if row.closed_on is None else date.fromisoformat(row.closed_on),
    )


def _version(row: Row[Any]) -> AgencyVersion:
    return AgencyVersion(
        agency=row.agency,
        from_day=date.fromisoformat(row.from_day),
        name=row.name,
        division=row.division,
        parent=row.parent,
        short_name=row.short_name,
    )
