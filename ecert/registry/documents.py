"""Signed documents 证照文件: the original made once and kept, and copies lent for a purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ecert._encoding import instant, rfc3339
from ecert.errors import EcertError
from ecert.formats.annotation import parse_copy
from ecert.issuance.copies import CopyWish, PreparedCopy, check_wish, log_copies, prepare
from ecert.ledger.access import READ, Seen, find_certificate
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.trail import AuditEntry, Trail, named
from ecert.model import Actor
from ecert.registry.certificates import Certificates
from ecert.registry.document_maker import DocumentMaker
from ecert.store import DocumentRow, Transaction, certificates, documents


class Documents(Verbs):
    """Gives signed files. What was made is kept: a later change of status never rewrites it."""

    def __init__(self, desk: Desk, read: Certificates, maker: DocumentMaker) -> None:
        super().__init__(desk)
        self._certificates, self._maker = read, maker

    @needs(READ)
    def get(
        self, identifier: str, *, by: Actor, trail: Trail | None = None, publishes: bool = True
    ) -> DocumentRow:
        """Give a certificate's signed PDF, made now if it never was 证照文件.

        Raises: NotFound, RenderError, TypeChanged, TimeStampUnavailable, ForkGuard; NotPublished
        instead of publishing when told not to publish.
        """
        record = self._certificates.get(identifier, by=by, action="document", trail=trail)
        return self._maker.original(record, publishes=publishes)

    @needs(None)
    def pending(self, *, by: Actor, after: int = -1, limit: int = 100) -> tuple[list[str], int]:
        """List certificates whose signed PDF was not made yet; give the cursor that continues.

        The list is empty at the end.
        """
        del by
        with self.desk.store.reading() as reading:
            records = documents.pending(reading, after, limit)
        return [one.id for one in records], records[-1].log_index if records else after

    @needs(None)
    def count_pending(self, *, by: Actor) -> int:
        """Count the certificates whose signed PDF was not made yet."""
        del by
        with self.desk.store.reading() as reading:
            return documents.count_pending(reading)

    @needs(None)
    def build(self, identifiers: Sequence[str], *, by: Actor) -> dict[str, EcertError | None]:
        """Make the signed PDFs of several certificates at once; give each its fault, or None.

        Raises: ForkGuard, StoreBusy.
        """
        with self.desk.store.reading() as reading:
            found = [certificates.find(reading, identifier) for identifier in identifiers]
        rows: list[dict[str, Any]] = []
        faults: dict[str, EcertError | None] = {}
        for record in (record for record in found if record is not None):
            faults[record.id] = None
            try:
                rows.append(self._maker.draw(record))
            except EcertError as error:
                faults[record.id] = error
        self._maker.keep(rows)
        told = {"made": len(rows), "refused": len(faults) - len(rows)}
        self.desk.trail.write([AuditEntry("documents.build", by, details=told)])
        return faults

    @needs(READ)
    def copy(self, identifier: str, wish: CopyWish, *, by: Actor) -> DocumentRow:
        """Make an annotated copy 加注件 for one recipient, one purpose, until one day.

        Asked again for the same, it is the same copy.
        Raises: NotFound, NotInForce, Refused, InputError, QuotaExceeded, and what ``get`` raises.
        """
        entry = AuditEntry("copy", by, certificate=named(identifier))
        seen: list[Seen] = []

        def work(tx: Transaction, now: datetime) -> PreparedCopy:
            seen[:] = [find_certificate(tx, by, identifier, now)]
            check_wish(wish)
            return prepare(tx, self.desk, seen[0].record.id, wish, now)

        def log(tx: Transaction, prepared: PreparedCopy, _index: int) -> PreparedCopy:
            return replace(prepared, there=log_copies(tx, [prepared])[0])

        lent = self.desk.act(entry, work, lambda one: {**_again(one), **seen[0].details}, log=log)
        assert lent.there is not None  # noqa: S101 - it was logged
        with self.desk.audited(replace(entry, action="copy.file")):
            return self._maker.copy(lent.there, lent.record)

    @needs(READ)
    def copies(
        self, identifier: str, *, by: Actor, trail: Trail | None = None
    ) -> list[dict[str, Any]]:
        """List the annotated copies that were made of a certificate. Raises: NotFound."""
        record = self._certificates.get(identifier, by=by, action="copies", trail=trail)
        now = self.desk.clock().timestamp()
        with self.desk.store.reading() as reading:
            found = [parse_copy(row.token).copy for row in documents.copies(reading, record.id)]
        return [
            {
                **one.to_json(),
                "made_at": rfc3339(instant(one.made_at)),
                "lapsed": now >= one.lapses_at,
            }
            for one in found
        ]


def _again(prepared: PreparedCopy) -> dict[str, Any]:
    """Say in the trail that the same was asked before."""
    return {} if prepared.there is None else {"again": "true"}
