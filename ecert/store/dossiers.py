"""What was given to whom, in the store: holdings, dossiers, changes since, uses, objections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Select, and_, bindparam, insert, or_, select, update

from ecert._encoding import instant, rfc3339
from ecert.model import Record, Status
from ecert.store import tables as t
from ecert.store.reading import _RECORD, Reading, _record
from ecert.store.writing import Transaction

MAX_EACH = 100  # certificates of one type that are looked at, of one holder or project
MAX_LOOKED_AT = 20_000  # of one holder or project, before types are sorted out
MAX_CHAIN = 500  # certificates that rest on one another
GIVEN = ("read", "document", "credential", "present", "evidence", "copy", "use")
SHOWN = (*GIVEN, "check", "history", "receipt", "qr", "copies")


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


@dataclass(frozen=True, slots=True)
class ObjectionRow:
    """An objection 异议: what is said to be wrong with a certificate, and what came of it."""

    id: str
    certificate: str
    issuer: str
    agency: str | None
    client: str | None
    holder_hmac: bytes | None
    field: str
    words: str
    state: str
    answer: str | None
    successor: str | None
    created_at: int
    answered_at: int | None


# -- what somebody holds -----------------------------------------------------------------------------


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
    return _by_id(reading, found - {start})


# Small rows, found by one index and sorted out here: asked for types and order too, a database
# would rather walk all certificates of a type than the few of a holder (measured: 300 ms of 100,000).
_PLACES = tuple(t.certificates.c[name] for name in ("id", "slug", "status", "log_index"))


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
    return _by_id(reading, chosen)


def _by_id(reading: Reading, identifiers: Iterable[str]) -> list[Record]:
    """Give certificates by their identifiers, each once, newest first."""
    found = reading.connection.execute(_RECORDS, {"identifiers": sorted(set(identifiers))})
    return sorted((_record(row) for row in found), key=lambda one: -one.log_index)


_RECORDS = select(*_RECORD).where(t.certificates.c.id.in_(bindparam("identifiers", expanding=True)))


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


# -- dossiers ----------------------------------------------------------------------------------------


def dossier(reading: Reading, client: str, matter: str, case_number: str) -> DossierRow | None:
    """Find the dossier of a case."""
    c = t.dossiers.c
    query = select(t.dossiers).where(
        c.client == client, c.matter == matter, c.case_number == case_number
    )
    row = reading.connection.execute(query).one_or_none()
    return None if row is None else DossierRow(*row)


def lock_dossier(tx: Transaction, client: str, matter: str, case_number: str) -> DossierRow | None:
    """Lock the dossier of a case and give it: of two revisions one is the first."""
    c = t.dossiers.c
    query = select(c.id).where(c.client == client, c.matter == matter, c.case_number == case_number)
    tx.connection.execute(query.with_for_update()).first()
    return dossier(tx, client, matter, case_number)


def put_dossier(
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


# -- what happened since -----------------------------------------------------------------------------


def changes(reading: Reading, client: str, after: int, limit: int) -> list[dict[str, Any]]:
    """List what was done since to certificates that a client was given, in the order of the log."""
    s, a = t.statements.c, t.audit.c
    given = select(a.index).where(
        a.certificate == s.certificate,
        a.client == client,
        a.outcome == "done",
        a.action.in_(GIVEN),
        # by the trail's own order; statements from before it was kept go by the clock
        or_(a.index < s.trail_index, and_(s.trail_index.is_(None), a.at <= s.at)),
    )
    query = select(s.log_index, s.certificate, s.operation, s.status, s.at, s.successor)
    query = query.where(s.log_index > after, given.exists()).order_by(s.log_index).limit(limit)
    return [
        {
            "index": row.log_index,
            "certificate": row.certificate,
            "operation": row.operation,
            "status": row.status,
            "at": rfc3339(instant(row.at)),
            "successor": row.successor,
            "corrected": row.successor is not None and _is_correction(reading, row.successor),
            "cases": _cases(reading, client, row.certificate),
        }
        for row in reading.connection.execute(query).all()
    ]


def _is_correction(reading: Reading, successor: str) -> bool:
    """Tell whether a next version answers an objection."""
    c = t.objections.c
    query = select(c.id).where(c.successor == successor).limit(1)
    return reading.connection.execute(query).first() is not None


def _cases(reading: Reading, client: str, certificate: str) -> list[dict[str, str]]:
    """List the cases in which a client was given a certificate."""
    d, i = t.dossiers.c, t.dossier_items.c
    query = select(d.id, d.matter, d.case_number).join(t.dossier_items, i.dossier == d.id)
    query = query.where(i.certificate == certificate, d.client == client).distinct()
    return [
        {"dossier": row.id, "matter": row.matter, "case_number": row.case_number}
        for row in reading.connection.execute(query.order_by(d.id).limit(100))
    ]


def uses(
    reading: Reading, holder_hmac: bytes, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """List who was shown a holder's certificates, newest first."""
    a, g = t.audit.c, t.agencies.c
    c = t.certificates.c
    query = select(*t.audit.c, g.name.label("agency_name"), c.slug, c.number)
    query = (
        query.join(t.certificates, t.certificates.c.id == a.certificate)
        .join(t.holders, t.holders.c.certificate == a.certificate)
        .outerjoin(t.agencies, g.code == a.agency)
        .where(t.holders.c.code_hmac == holder_hmac, a.outcome == "done", a.action.in_(SHOWN))
    )
    if before is not None:
        query = query.where(a.index < before)
    rows = reading.connection.execute(query.order_by(a.index.desc()).limit(limit))
    return [_use(row) for row in rows]


def _use(row: Any) -> dict[str, Any]:
    details = orjson.loads(row.details)
    agency = None if row.agency is None else {"code": row.agency, "name": row.agency_name}
    return {
        "index": row.index,
        "at": rfc3339(instant(row.at)),
        "action": row.action,
        "agency": agency,
        "certificate": {"id": row.certificate, "type": row.slug, "number": row.number},
        "purpose": row.purpose,
        "matter": row.matter,
        "case_number": details.get("case_number"),
        "fields": details.get("fields"),
        "basis": details.get("basis"),
    }


# -- objections --------------------------------------------------------------------------------------


def was_given(reading: Reading, client: str, certificate: str) -> bool:
    """Tell whether a client was ever given a certificate."""
    a = t.audit.c
    query = select(a.index).where(
        a.certificate == certificate,
        a.client == client,
        a.outcome == "done",
        a.action.in_(SHOWN),
    )
    return reading.connection.execute(query.limit(1)).first() is not None


def add_objection(tx: Transaction, row: ObjectionRow) -> None:
    """Keep an objection."""
    columns = {name: getattr(row, name) for name in ObjectionRow.__slots__}
    tx.connection.execute(insert(t.objections).values(**columns))


def put_objection(tx: Transaction, objection_id: str, **columns: Any) -> None:
    """Answer an objection."""
    where = update(t.objections).where(t.objections.c.id == objection_id)
    tx.connection.execute(where.values(**columns))


def lock_objection(tx: Transaction, objection_id: str) -> ObjectionRow | None:
    """Lock an objection and give it: it is answered once."""
    query = select(t.objections).where(t.objections.c.id == objection_id)
    row = tx.connection.execute(query.with_for_update()).one_or_none()
    return None if row is None else ObjectionRow(*row)


def objections(
    reading: Reading,
    *,
    agency: str | None = None,
    holder_hmac: bytes | None = None,
    state: str | None = None,
    after: str = "",
    limit: int = 100,
) -> list[ObjectionRow]:
    """List objections that an agency has to answer or made, or that a holder made; None: all."""
    c = t.objections.c
    query = select(t.objections).where(c.id > after)
    if agency is not None:
        query = query.where((c.issuer == agency) | (c.agency == agency))
    if holder_hmac is not None:
        query = query.where(c.holder_hmac == holder_hmac)
    if state is not None:
        query = query.where(c.state == state)
    rows = reading.connection.execute(query.order_by(c.id).limit(limit))
    return [ObjectionRow(*row) for row in rows]
