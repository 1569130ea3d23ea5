"""Queries, named by what the domain asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Select, and_, bindparam, func, or_, select

from ecert._encoding import instant, rfc3339
from ecert.formats.merkle import Edge, node_hash, parse_edge
from ecert.formats.status_list import VALUES, Detail
from ecert.model import Agency, Event, Operation, Record, Status
from ecert.store import tables as t
from ecert.store.trees import LOG, Tree

TILE = 256
TILE_LEVELS = 8


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key of the registry: where it is, what it is for, and whether it still signs."""

    kid: str
    role: str
    agency: str | None
    uri: str
    public: bytes
    certificate: bytes | None
    chain: tuple[bytes, ...]
    anchor: bytes | None
    state: str
    created_at: int
    retired_at: int | None
    compromised_since: int | None
    compromised_log_size: int | None


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


@dataclass(frozen=True, slots=True)
class Visibility:
    """Whose certificates a caller may see: an agency's own, and all of some types."""

    agency: str | None
    slugs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Filter:
    """What to find certificates by; everything given must fit."""

    holder_hmac: bytes | None = None
    project_code: str | None = None
    slug: str | None = None
    number: str | None = None
    status: Status | None = None


_STATUS_ONLY = (
    t.certificates.c.id,
    t.certificates.c.status,
    t.certificates.c.exp,
    t.certificates.c.superseded_by,
)
_RECORD = (  # in the order of Record's members
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


# Laid out once: building a statement costs more than running it.
_BY_ID = select(*_RECORD).where(t.certificates.c.id == bindparam("id"))
_FINGERPRINT = select(
    func.count().label("rows"), func.coalesce(func.sum(t.certificates.c.changes), 0).label("sum")
).where(t.certificates.c.status_list == bindparam("list"), t.HAS_CHANGED)
_STATUSES = select(*_STATUS_ONLY).where(
    t.certificates.c.id.in_(bindparam("identifiers", expanding=True))
)


def split_ders(data: bytes) -> tuple[bytes, ...]:
    """Cut concatenated DER certificates apart: each says its own length."""
    found = []
    while data:
        size = data[1]
        head = 2
        if size & 0x80:
            head += size & 0x7F
            size = int.from_bytes(data[2:head], "big")
        found.append(data[: head + size])
        data = data[head + size :]
    return tuple(found)


class Reading:
    """What can be asked of the store on one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def _all(self, query: Select[Any]) -> Sequence[Row[Any]]:
        return self.connection.execute(query).all()

    def _one(self, query: Select[Any]) -> Row[Any] | None:
        return self.connection.execute(query).one_or_none()

    # -- settings, agencies, keys -----------------------------------------------------

    def setting(self, name: str) -> str | None:
        """Read a setting that belongs to the data, such as the origin."""
        row = self._one(select(t.settings.c.value).where(t.settings.c.name == name))
        return None if row is None else str(row.value)

    def agencies(self) -> list[Agency]:
        """List all agencies, oldest first."""
        return [
            _agency(row)
            for row in self._all(
                select(t.agencies).order_by(t.agencies.c.created_at, t.agencies.c.code)
            )
        ]

    def agency(self, code: str) -> Agency | None:
        """Find an agency by its credit code."""
        row = self._one(select(t.agencies).where(t.agencies.c.code == code))
        return None if row is None else _agency(row)

    def keys(self) -> list[KeyRow]:
        """List all keys that ever were, oldest first."""
        query = select(t.keys).order_by(t.keys.c.created_at, t.keys.c.kid)
        return [_key(row) for row in self._all(query)]

    def type_metadata(self, slug: str, version: int) -> bytes | None:
        """Give the Type Metadata of a version that was used."""
        row = self._one(
            select(t.types.c.metadata).where(t.types.c.slug == slug, t.types.c.version == version)
        )
        return None if row is None else bytes(row.metadata)

    def type_digest(self, slug: str, version: int) -> str | None:
        """Give the digest of a version that was used."""
        row = self._one(
            select(t.types.c.digest).where(t.types.c.slug == slug, t.types.c.version == version)
        )
        return None if row is None else str(row.digest)

    # -- certificates --------------------------------------------------------------------------

    def record(self, identifier: str) -> Record | None:
        """Find a certificate by its identifier; its status is the stored one."""
        row = self.connection.execute(_BY_ID, {"id": identifier}).one_or_none()
        return None if row is None else _record(row)

    def find(
        self, wanted: Filter, *, visible: Visibility | None, after: int, limit: int, now: int
    ) -> list[Record]:
        """Find certificates in the order in which they were issued, after a log index.

        ``visible`` None sees everything. ``now`` decides what has expired.
        """
        query = select(*_RECORD).where(t.certificates.c.log_index > after)
        for condition in (*_conditions(wanted, now), *_seen_by(visible)):
            query = query.where(condition)
        return [
            _record(row)
            for row in self._all(query.order_by(t.certificates.c.log_index).limit(limit))
        ]

    # -- documents -----------------------------------------------------------------------------

    def document(self, log_index: int) -> DocumentRow | None:
        """Find the signed file of an issue, or of a copy, by the index of its log entry."""
        c = t.documents.c
        query = select(c.data, c.digest, c.level, c.created_at).where(c.log_index == log_index)
        row = self._one(query)
        if row is None:
            return None
        return DocumentRow(bytes(row.data), bytes(row.digest), row.level, row.created_at)

    def undocumented(self, after: int, limit: int) -> list[Record]:
        """List certificates that have no signed file yet, in the order of their issue."""
        c, d = t.certificates.c, t.documents.c
        missing = ~select(d.log_index).where(d.log_index == c.log_index).exists()
        query = select(*_RECORD).where(c.log_index > after, missing)
        return [_record(row) for row in self._all(query.order_by(c.log_index).limit(limit))]

    def count_undocumented(self) -> int:
        """Count the certificates that have no signed file yet."""
        c, d = t.certificates.c, t.documents.c
        missing = ~select(d.log_index).where(d.log_index == c.log_index).exists()
        query = select(func.count()).select_from(t.certificates).where(missing)
        return int(self.connection.execute(query).scalar_one())

    def copies(self, certificate: str) -> list[CopyRow]:
        """List the annotated copies of a certificate, oldest first."""
        c = t.copies.c
        query = select(c.log_index, c.certificate, c.token, c.seal).order_by(c.log_index)
        rows = self._all(query.where(c.certificate == certificate))
        return [CopyRow(row.log_index, row.certificate, row.token, row.seal) for row in rows]

    def same_copy(
        self, certificate: str, recipient: str, purpose: str, until: str
    ) -> CopyRow | None:
        """Find the copy that was made for the same recipient and purpose, until the same day."""
        c = t.copies.c
        query = select(c.log_index, c.certificate, c.token, c.seal).where(
            c.certificate == certificate,
            c.recipient == recipient,
            c.purpose == purpose,
            c.until == until,
        )
        row = self.connection.execute(query.order_by(c.log_index).limit(1)).one_or_none()
        return None if row is None else CopyRow(row.log_index, row.certificate, row.token, row.seal)

    def agency_image(self, agency: str) -> bytes | None:
        """Give the image that an agency set up for its documents."""
        c = t.agency_images.c
        row = self._one(select(c.image).where(c.agency == agency))
        return None if row is None else bytes(row.image)

    # -- life ------------------------------------------------------------------------------------

    def statuses(self, identifiers: Iterable[str]) -> dict[str, tuple[Status, int | None]]:
        """Give the stored status and ``exp`` of several certificates."""
        rows = self.connection.execute(_STATUSES, {"identifiers": list(identifiers)})
        return {row.id: (Status(row.status), row.exp) for row in rows}

    def history(self, identifier: str) -> list[Event]:
        """List the signed acts upon a certificate, oldest first."""
        query = select(t.statements).where(t.statements.c.certificate == identifier)
        return [_event(row) for row in self._all(query.order_by(t.statements.c.log_index))]

    def salt(self, log_index: int) -> bytes | None:
        """Find the salt of a log entry, with the certificate, statement or copy it belongs to."""
        for table in (t.certificates, t.statements, t.copies):
            row = self._one(select(table.c.salt).where(table.c.log_index == log_index))
            if row is not None:
                return bytes(row.salt)
        return None

    def has_certificates(self) -> bool:
        """Tell whether anything was ever issued."""
        return self.log_head().size > 0

    # -- status lists ---------------------------------------------------------------------------

    def status_lists(self) -> list[int]:
        """List the status lists in use."""
        return [
            row.list
            for row in self._all(select(t.status_lists.c.list).order_by(t.status_lists.c.list))
        ]

    def status_values(self, number: int) -> dict[int, int]:
        """Give the values of a list that are not zero, by index."""
        return {
            index: VALUES[detail.status]
            for index, detail in self.status_details(number).items()
            if detail.status is not Status.VALID
        }

    def status_details(self, number: int) -> dict[int, Detail]:
        """Give what is said of every index of a list that ever changed."""
        c = t.certificates.c
        query = select(c.status_index, c.status, c.since, c.changes, c.superseded_by)
        rows = self._all(query.where(c.status_list == number, t.HAS_CHANGED))
        return {
            row.status_index: Detail(Status(row.status), row.since, row.changes, row.superseded_by)
            for row in rows
        }

    def status_fingerprint(self, number: int) -> tuple[int, int]:
        """Give two numbers that differ whenever the list differs: changed rows, and changes."""
        row = self.connection.execute(_FINGERPRINT, {"list": number}).one()
        return int(row.rows), int(row.sum)

    # -- log ------------------------------------------------------------------------------------

    def log_head(self) -> Edge:
        """Give the log's size and right edge."""
        return self.head(LOG)

    def head(self, tree: Tree) -> Edge:
        """Give a tree's size and right edge."""
        row = self._one(select(tree.head))
        return Edge() if row is None else parse_edge(row.size, bytes(row.edge))

    def log_entries(self, start: int, end: int) -> list[bytes]:
        """Give the entries from ``start`` up to but without ``end``."""
        c = t.log_entries.c
        query = select(c.entry).where(c.index >= start, c.index < end).order_by(c.index)
        return [bytes(row.entry) for row in self._all(query)]

    def tile_hashes(self, level: int, start: int, end: int, tree: Tree = LOG) -> list[bytes]:
        """Give hashes of a tile level: 0 are leaves, 1 the roots of full tiles of 256, and so on."""
        if level == 0:
            leaves = tree.leaves.c
            query = select(leaves.leaf.label("hash")).where(
                leaves.index >= start, leaves.index < end
            )
            return [bytes(row.hash) for row in self._all(query.order_by(leaves.index))]
        nodes = tree.nodes.c
        query = select(nodes.hash).where(
            nodes.level == level, nodes.index >= start, nodes.index < end
        )
        return [bytes(row.hash) for row in self._all(query.order_by(nodes.index))]

    def tree_reader(self, tree: Tree = LOG) -> Callable[[int, int], bytes]:
        """Give a Merkle reader over the stored hashes; inner nodes of a tile are computed.

        A tile is read once: the reader serves one snapshot, for one proof or for several.
        """
        tiles: dict[tuple[int, int], list[bytes]] = {}

        def read(level: int, index: int) -> bytes:
            tile_level, inside = divmod(level, TILE_LEVELS)
            width = 1 << inside
            tile, start = divmod(index * width, TILE)
            if (tile_level, tile) not in tiles:
                ends = tile * TILE, (tile + 1) * TILE
                tiles[tile_level, tile] = self.tile_hashes(tile_level, *ends, tree)
            hashes = tiles[tile_level, tile][start : start + width]
            while len(hashes) > 1:
                pairs = zip(hashes[::2], hashes[1::2], strict=True)
                hashes = [node_hash(left, right) for left, right in pairs]
            return hashes[0]

        return read

    def newest_checkpoint(self, tree: Tree = LOG) -> tuple[int, int, str] | None:
        """Give the newest published note: its number, the size it covers, its text."""
        query = select(tree.checkpoints).order_by(tree.checkpoints.c.id.desc()).limit(1)
        row = self._one(query)
        return None if row is None else (row.id, row.size, row.note)

    # -- audit ----------------------------------------------------------------------------------

    def salted_audit_rows(self, start: int, end: int) -> list[tuple[bytes, dict[str, Any]]]:
        """Give audit rows as they were committed to, each with its salt."""
        c = t.audit.c
        query = select(t.audit).where(c.index >= start, c.index < end).order_by(c.index)
        return [(bytes(row.salt), _committed(row)) for row in self._all(query)]

    def audit_rows(self, after: int, limit: int) -> list[dict[str, Any]]:
        """List audit rows after an index, without their salts."""
        c = t.audit.c
        rows = self._all(select(t.audit).where(c.index > after).order_by(c.index).limit(limit))
        return [_audit_row(row) for row in rows]


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
    return [or_(c.issuer == (visible.agency or ""), c.slug.in_(sorted(visible.slugs)))]


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


def _key(row: Row[Any]) -> KeyRow:
    return KeyRow(
        kid=row.kid,
        role=row.role,
        agency=row.agency,
        uri=row.uri,
        public=bytes(row.public),
        certificate=None if row.certificate is None else bytes(row.certificate),
        chain=split_ders(bytes(row.chain or b"")),
        anchor=None if row.anchor is None else bytes(row.anchor),
        state=row.state,
        created_at=row.created_at,
        retired_at=row.retired_at,
        compromised_since=row.compromised_since,
        compromised_log_size=row.compromised_log_size,
    )


def _record(row: Any) -> Record:
    """Read a row of ``_RECORD``; by position, for a name costs a look-up each time."""
    identifier, body, issuer, slug, status, since, *rest = row
    record = (identifier, body, issuer, slug, Status(status), instant(since), *rest)
    return Record(*record)


def _event(row: Row[Any]) -> Event:
    return Event(
        operation=Operation(row.operation),
        status=Status(row.status),
        at=instant(row.at),
        reason=row.reason,
        basis=row.basis,
        operator=row.operator,
        log_index=row.log_index,
        successor=row.successor,
        token=row.token,
    )


def _committed(row: Row[Any]) -> dict[str, Any]:
    shown = {f"{name}": value for name, value in row._asdict().items()}
    del shown["salt"], shown["leaf"]
    return {**shown, "details": bytes(row.details).decode("utf-8", "replace")}


def _audit_row(row: Row[Any]) -> dict[str, Any]:
    shown = {f"{name}": value for name, value in row._asdict().items()}  # plain str for names
    del shown["salt"], shown["leaf"]
    at, details = rfc3339(instant(shown["at"])), orjson.loads(shown["details"])
    return {**shown, "at": at, "details": details}
