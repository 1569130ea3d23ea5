"""One transaction: everything a write may do, in the lock order of the design.

Idempotency → rests_on → counters → certificates → audit head → log head.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from ecert.formats.merkle import Edge, parse_edge
from ecert.formats.status_list import LIST_SIZE
from ecert.model import Agency, Record, Status
from ecert.store import tables as t
from ecert.store.reading import _RECORD, KeyRow, Reading, _record
from ecert.store.trees import Tree

IMPORT = "import"  # the client under which imported records are remembered


@dataclass(frozen=True, slots=True)
class NewCertificate:
    """A row to insert: the certificate, its holders' HMACs, and what it rests on."""

    columns: Mapping[str, Any]
    holder_hmacs: Sequence[bytes]
    rests_on: Sequence[str]


class Transaction(Reading):
    """A write transaction. It can also read, and sees its own writes."""

    # -- settings, agencies, keys, types ------------------------------------------------

    def put_setting(self, name: str, value: str) -> None:
        """Write a setting that belongs to the data."""
        self.connection.execute(delete(t.settings).where(t.settings.c.name == name))
        self.connection.execute(insert(t.settings).values(name=name, value=value))

    def add_agency(self, agency: Agency, at: int) -> None:
        """Register an agency."""
        self.connection.execute(insert(t.agencies).values(**agency.to_json(), created_at=at))

    def add_key(self, key: KeyRow) -> None:
        """Register a key."""
        self.connection.execute(
            insert(t.keys).values(
                kid=key.kid,
                role=key.role,
                agency=key.agency,
                uri=key.uri,
                public=key.public,
                certificate=key.certificate,
                chain=b"".join(key.chain),
                anchor=key.anchor,
                state=key.state,
                created_at=key.created_at,
            )
        )

    def put_key(self, kid: str, **columns: Any) -> None:
        """Change a key's row: its state, its certificate, when it was retired."""
        self.connection.execute(update(t.keys).where(t.keys.c.kid == kid).values(**columns))

    def add_type(self, slug: str, version: int, digest: str, metadata: bytes, at: int) -> None:
        """Keep a type version that is used for the first time."""
        self.connection.execute(
            insert(t.types).values(
                slug=slug, version=version, digest=digest, metadata=metadata, created_at=at
            )
        )

    # -- idempotency and assertions --------------------------------------------------------------

    def replayed(
        self, client: str, route: str, key_digest: bytes, since: int
    ) -> tuple[bytes, str] | None:
        """Find what an Idempotency-Key led to: the body's digest and the certificate."""
        c = t.idempotency.c
        query = select(c.body_digest, c.certificate).where(
            c.client == client, c.route == route, c.key_digest == key_digest, c.created_at >= since
        )
        row = self._one(query)
        return None if row is None else (bytes(row.body_digest), row.certificate)

    def keep_idempotency(self, rows: Sequence[Mapping[str, Any]], expired: int) -> None:
        """Keep the outcome of keyed requests, and forget those from before ``expired``."""
        if rows:
            self.connection.execute(
                delete(t.idempotency).where(t.idempotency.c.created_at < expired)
            )
            self.connection.execute(insert(t.idempotency), [dict(row) for row in rows])

    def use_assertion(self, client: str, jti_digest: bytes, expires_at: int, now: int) -> bool:
        """Use a client assertion's identifier; False when it was used before."""
        c = t.assertions.c
        self.connection.execute(delete(t.assertions).where(c.expires_at < now))
        query = select(c.client).where(c.client == client, c.jti_digest == jti_digest)
        if self._one(query) is not None:
            return False
        values = {"client": client, "jti_digest": jti_digest, "expires_at": expires_at}
        self.connection.execute(insert(t.assertions).values(**values))
        return True

    # -- counters ----------------------------------------------------------------------------------

    def take_numbers(self, name: str, count: int) -> int:
        """Advance a counter by ``count`` and give the first value taken; the row stays locked."""
        c = t.counters.c
        row = self._one(select(c.value).where(c.name == name).with_for_update())
        if row is None:
            self.connection.execute(insert(t.counters).values(name=name, value=count))
            return 1
        self.connection.execute(
            update(t.counters).where(c.name == name).values(value=row.value + count)
        )
        return int(row.value) + 1

    def taken_numbers(self, slug: str, numbers: Iterable[str]) -> set[str]:
        """Which of these numbers some current certificate of the type carries."""
        c = t.certificates.c
        query = select(c.number).where(
            c.slug == slug, c.number.in_(list(numbers)), c.superseded_by.is_(None)
        )
        return {row.number for row in self._all(query)}

    def is_number_taken(self, issuer: str, slug: str, number: str) -> bool:
        """Tell whether a current certificate of this issuer and type carries the number."""
        c = t.certificates.c
        query = select(c.id).where(
            c.issuer == issuer, c.slug == slug, c.number == number, c.superseded_by.is_(None)
        )
        return self._one(query) is not None

    def take_status_places(self, count: int) -> list[tuple[int, int]]:
        """Allocate places: (list, n-th place in it); a full list is followed by the next."""
        c = t.status_lists.c
        newest = self._one(select(func.max(c.list).label("list")))
        number = 0 if newest is None or newest.list is None else int(newest.list)
        places: list[tuple[int, int]] = []
        while len(places) < count:
            row = self._one(select(c.allocated).where(c.list == number).with_for_update())
            start = 0 if row is None else int(row.allocated)
            taken = min(count - len(places), LIST_SIZE - start)
            places += [(number, start + place) for place in range(taken)]
            self._put_allocated(number, start + taken, is_new=row is None)
            number += start + taken == LIST_SIZE
        return places

    def _put_allocated(self, number: int, allocated: int, *, is_new: bool) -> None:
        if is_new:
            values = {"list": number, "allocated": allocated}
            self.connection.execute(insert(t.status_lists).values(**values))
            return
        query = update(t.status_lists).where(t.status_lists.c.list == number)
        self.connection.execute(query.values(allocated=allocated))

    # -- certificates --------------------------------------------------------------------------------

    def lock_statuses(
        self, identifiers: Iterable[str]
    ) -> dict[str, tuple[str, Status, int | None]]:
        """Lock certificates in order of their identifiers; give slug, stored status and ``exp``."""
        c = t.certificates.c
        query = select(c.id, c.slug, c.status, c.exp).where(c.id.in_(sorted(set(identifiers))))
        rows = self._all(query.order_by(c.id).with_for_update())
        return {row.id: (row.slug, Status(row.status), row.exp) for row in rows}

    def lock_record(self, identifier: str) -> Record | None:
        """Lock one certificate and give it."""
        query = select(*_RECORD).where(t.certificates.c.id == identifier).with_for_update()
        row = self._one(query)
        return None if row is None else _record(row)

    def add_certificates(self, rows: Sequence[NewCertificate]) -> None:
        """Insert certificates with their holders and foundations."""
        if not rows:
            return
        self.connection.execute(insert(t.certificates), [dict(row.columns) for row in rows])
        held = [
            {"certificate": row.columns["id"], "position": position, "code_hmac": code}
            for row in rows
            for position, code in enumerate(row.holder_hmacs)
        ]
        self.connection.execute(insert(t.holders), held)
        resting = [
            {"certificate": row.columns["id"], "rests_on": foundation}
            for row in rows
            for foundation in row.rests_on
        ]
        if resting:
            self.connection.execute(insert(t.foundations), resting)

    def put_status(
        self, identifier: str, status: Status, since: int, superseded_by: str | None = None
    ) -> None:
        """Change a certificate's status; counts the change."""
        c = t.certificates.c
        values: dict[str, Any] = {"status": status.value, "since": since, "changes": c.changes + 1}
        if superseded_by is not None:
            values["superseded_by"] = superseded_by
        self.connection.execute(update(t.certificates).where(c.id == identifier).values(**values))

    def add_statement(self, columns: Mapping[str, Any]) -> None:
        """Insert a statement."""
        self.connection.execute(insert(t.statements).values(**columns))

    # -- audit and log -------------------------------------------------------------------------------

    def add_copy(self, columns: Mapping[str, Any]) -> None:
        """Keep an annotated copy."""
        self.connection.execute(insert(t.copies).values(**columns))

    def keep_documents(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep signed files, each once: what is there already stays and the new one is dropped."""
        wanted = [row["log_index"] for row in rows]
        c = t.documents.c.log_index
        there = set(self.connection.execute(select(c).where(c.in_(wanted))).scalars())
        if fresh := [dict(row) for row in rows if row["log_index"] not in there]:
            self.connection.execute(insert(t.documents), fresh)

    def put_agency_image(self, agency: str, image: bytes | None) -> None:
        """Set up or remove the image of an agency's seal."""
        self.connection.execute(delete(t.agency_images).where(t.agency_images.c.agency == agency))
        if image is not None:
            self.connection.execute(insert(t.agency_images).values(agency=agency, image=image))

    def lock_head(self, tree: Tree) -> Edge:
        """Lock a tree's head and give its right edge; the log's is the last lock of all."""
        row = self._one(tree.lock)
        return Edge() if row is None else parse_edge(row.size, bytes(row.edge))

    def add_leaves(
        self,
        tree: Tree,
        leaves: Sequence[Mapping[str, Any]],
        nodes: Sequence[Mapping[str, Any]],
        head: Edge,
    ) -> None:
        """Append leaves and the roots of tiles they filled, and put the new head."""
        self.connection.execute(tree.insert_leaves, list(leaves))
        if nodes:
            self.connection.execute(tree.insert_nodes, list(nodes))
        values = {"new_size": head.size, "new_edge": head.to_bytes()}
        self.connection.execute(tree.put_head, values)

    def add_checkpoint(self, tree: Tree, number: int, size: int, note: str, at: int) -> None:
        """Append a published note; its number makes two publishers collide instead of forking."""
        values = {"id": number, "size": size, "note": note, "published_at": at}
        self.connection.execute(insert(tree.checkpoints).values(**values))
