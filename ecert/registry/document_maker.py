"""Making signed files 证照文件: drawn, signed, and kept; what was made once is never made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ecert._encoding import sha256
from ecert.catalogue import CertificateType
from ecert.errors import TimeStampUnavailable
from ecert.issuance.copies import type_of
from ecert.keys import SigningKey
from ecert.ledger.access import no_certificate
from ecert.ledger.acting import Desk
from ecert.ledger.successors import read_successors
from ecert.ledger.trail import AuditEntry
from ecert.model import Actor, Record
from ecert.pdf.parts import Parts, presented
from ecert.registry.log import PublishedLog
from ecert.store import CopyRow, DocumentRow, Transaction, agencies, documents


@dataclass(frozen=True, slots=True)
class TimeStamping:
    """Whether documents carry a time-stamp 时间戳, and whether they wait while there is none.

    ``url`` empty: none is asked for. With ``is_required`` a document is not made while the
    authority is silent; otherwise it is made without (B-B), and says so.
    """

    url: str = ""
    is_required: bool = False


NO_STAMPING = TimeStamping()


class DocumentMaker:
    """Draws and signs the files of certificates and copies; who may have them is asked before."""

    def __init__(self, desk: Desk, log: PublishedLog, stamping: TimeStamping) -> None:
        self._desk, self._log, self._stamping = desk, log, stamping

    def original(self, record: Record, *, publishes: bool) -> DocumentRow:
        """Give a certificate's file, made now if it never was.

        Raises: NotPublished, TimeStampUnavailable, RenderError, TypeChanged, KeyUnavailable.
        """
        found = self._kept(record.log_index)
        if found is not None:
            return found
        self.keep([self.draw(record, publishes=publishes)])
        return self._kept_for_certain(record.log_index)

    def draw(self, record: Record, *, publishes: bool = True) -> dict[str, Any]:
        """Draw and sign a certificate's file, as a row that is yet to be kept; raises as above."""
        kind = type_of(self._desk.catalogue, record)
        parts = self._parts(record, kind, publishes=publishes)
        return self._row(record.log_index, record, kind, parts)

    def copy(self, copy: CopyRow, record: Record) -> DocumentRow:
        """Give the file of a copy that was recorded, made now if it never was; raises as above."""
        found = self._kept(copy.log_index)
        if found is not None:
            return found
        kind = type_of(self._desk.catalogue, record)
        parts = replace(
            self._parts(record, kind, publishes=True),
            seal=copy.seal,
            copy=copy.token,
            copy_receipt=self._proof(copy.log_index, publishes=True),
        )
        self.keep([self._row(copy.log_index, record, kind, parts)])
        return self._kept_for_certain(copy.log_index)

    def keep(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep files in one transaction, told in the trail; what is there already stays."""
        if rows:
            now, entry = self._desk.clock(), AuditEntry("document.make", Actor("ecert"))

            def work(tx: Transaction) -> None:
                if kept := documents.keep(tx, rows):
                    self._desk.trail.append(tx, [entry.done(count=str(kept))], now)

            self._desk.store.write(work)

    def _parts(self, record: Record, kind: CertificateType, *, publishes: bool) -> Parts:
        return Parts(
            presented(record.credential, kind),
            self._proof(record.log_index, publishes=publishes),
            record.seal,
            image=self._image(record.issuer),
        )

    def _proof(self, log_index: int, *, publishes: bool) -> str:
        return str(self._log.receipts([log_index], publishes=publishes)[log_index])

    def _row(
        self, log_index: int, record: Record, kind: CertificateType, parts: Parts
    ) -> dict[str, Any]:
        now = self._desk.clock()
        data, level = self._signed(record, kind, parts, now)
        return {
            "log_index": log_index,
            "certificate": record.id,
            "level": level,
            "digest": sha256(data),
            "data": data,
            "created_at": int(now.timestamp()),
        }

    def _signed(
        self, record: Record, kind: CertificateType, parts: Parts, now: datetime
    ) -> tuple[bytes, str]:
        from ecert.pdf.render import render  # noqa: PLC0415 - typst, fonts: only who draws pays

        page = render(parts, kind)
        code, name = self._signer(record, now)
        return _sign(page, self._desk.keys.agency_key(code), name, now, self._stamping)

    def _signer(self, record: Record, now: datetime) -> tuple[str, str]:
        """Give the agency that signs: the issuer under its printed name, or its successor."""
        with self._desk.store.reading() as reading:
            code = read_successors(reading, now).responsible(record.issuer, record.slug)
            agency = agencies.find(reading, code)
        if code == record.issuer or agency is None:
            return record.issuer, str(record.body["issuer"]["name"])
        return code, agency.name

    def _kept(self, log_index: int) -> DocumentRow | None:
        with self._desk.store.reading() as reading:
            return documents.find(reading, log_index)

    def _kept_for_certain(self, log_index: int) -> DocumentRow:
        found = self._kept(log_index)
        if found is None:  # erased in the meantime
            raise no_certificate()
        return found

    def _image(self, agency: str) -> bytes | None:
        with self._desk.store.reading() as reading:
            return agencies.image(reading, agency)


def _sign(
    page: bytes, key: SigningKey, name: str, now: datetime, stamping: TimeStamping
) -> tuple[bytes, str]:
    """Sign a page, time-stamped if the settings ask for it; say which level came of it."""
    from ecert.pdf.sign import BASIC, TIMED, Authority, sign  # noqa: PLC0415 - pyHanko is slow to load

    if stamping.url:
        try:
            return sign(page, key, name=name, at=now, authority=Authority(stamping.url)), TIMED
        except TimeStampUnavailable:
            if stamping.is_required:
                raise
    return sign(page, key, name=name, at=now), BASIC
