"""Signed documents 证照文件: the original made once and kept, and copies lent for a purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from ecert import audit, log
from ecert._encoding import b64url, rfc3339, sha256
from ecert.catalogue import Catalogue, CertificateType
from ecert.errors import (
    EcertError,
    NotFound,
    NotInForce,
    Refused,
    TimeStampUnavailable,
    TypeChanged,
)
from ecert.fonts import unprintable
from ecert.formats.annotation import (
    EVENT,
    Copy,
    check_copy_text,
    copy_digest,
    parse_copy,
    sign_copy,
)
from ecert.formats.credential import parse_credential
from ecert.formats.receipt import SALT_BYTES, commitment, log_entry
from ecert.formats.seal import LAST_SECOND, parse_seal, seal_claims, sign_seal
from ecert.issuance import Desk
from ecert.keys import SigningKey
from ecert.model import DEFAULT_ZONE, Actor, Record, Status, Validity, civil_date, effective_status
from ecert.pdf.parts import Parts, presented
from ecert.store import CopyRow, DocumentRow, Transaction, agencies, certificates, documents

Proof = Callable[[int], str]  # log index → receipt


@dataclass(frozen=True, slots=True)
class TimeStamping:
    """Whether documents carry a time-stamp 时间戳, and whether they wait while there is none.

    ``url`` empty: none is asked for. With ``is_required`` a document is not made while the
    authority is silent; otherwise it is made without (B-B), and says so.
    """

    url: str = ""
    is_required: bool = False


NO_STAMPING = TimeStamping()


@dataclass(frozen=True, slots=True)
class CopyWish:
    """What a copy is wanted for: by whom, why, and until which day."""

    recipient: str
    purpose: str
    until: date


class DocumentDesk:
    """Makes signed files. What it made is kept: a later change of status never rewrites it."""

    def __init__(self, desk: Desk, catalogue: Catalogue, stamping: TimeStamping) -> None:
        self._desk, self._catalogue, self._stamping = desk, catalogue, stamping

    # -- originals -------------------------------------------------------------------------------

    def original(self, record: Record, proof: Proof) -> DocumentRow:
        """Give a certificate's signed file, made now if it never was.

        Raises: NotPublished, TimeStampUnavailable, RenderError, TypeChanged, KeyUnavailable.
        """
        found = self._kept(record.log_index)
        if found is not None:
            return found
        self._keep([self._original(record, proof)])
        return self._kept_for_certain(record.log_index)

    def build(self, records: Sequence[Record], proof: Proof) -> list[EcertError | None]:
        """Make the signed files of several certificates and keep them in one transaction."""
        rows: list[dict[str, Any]] = []
        faults: list[EcertError | None] = []
        for record in records:
            try:
                rows.append(self._original(record, proof))
                faults.append(None)
            except EcertError as error:
                faults.append(error)
        self._keep(rows)
        return faults

    def _original(self, record: Record, proof: Proof) -> dict[str, Any]:
        kind = self._kind(record)
        return self._row(record.log_index, record, kind, self._parts(record, kind, proof))

    def _parts(self, record: Record, kind: CertificateType, proof: Proof) -> Parts:
        return Parts(
            presented(record.credential, kind),
            proof(record.log_index),
            record.seal,
            image=self._image(record.issuer),
        )

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
        key, name = self._desk.agency_key(record.issuer), str(record.body["issuer"]["name"])
        return _sign(page, key, name, now, self._stamping)

    def _kind(self, record: Record) -> CertificateType:
        """Find the very version a certificate was issued under. Raises: TypeChanged."""
        ref = record.body["type"]
        kind = self._catalogue.get(record.slug, ref["version"])
        pinned = parse_credential(record.credential).certificate.type.template
        if kind is None or kind.template != pinned:
            raise TypeChanged("the type's face is no longer the one this certificate names")
        return kind

    def _kept(self, log_index: int) -> DocumentRow | None:
        with self._desk.store.reading() as reading:
            return documents.find(reading, log_index)

    def _kept_for_certain(self, log_index: int) -> DocumentRow:
        found = self._kept(log_index)
        if found is None:  # erased in the meantime
            raise NotFound("there is no such certificate")
        return found

    def _keep(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._desk.store.write(lambda tx: documents.keep(tx, rows))

    def _image(self, agency: str) -> bytes | None:
        with self._desk.store.reading() as reading:
            return agencies.image(reading, agency)

    # -- copies ----------------------------------------------------------------------------------

    def lend(self, identifier: str, wish: CopyWish, by: Actor) -> CopyRow:
        """Record a copy 加注: sign its token and its seal, and log it; the file comes after.

        Asked again for the same, it gives the one that is there: nothing is logged twice.
        Raises: NotFound, NotInForce, Refused, InputError, ForkGuard.
        """
        for name in ("recipient", "purpose"):
            _check_printable(name, check_copy_text(name, getattr(wish, name)))
        now = self._desk.clock()
        return self._desk.store.write(lambda tx: self._lend(tx, identifier, wish, by, now))

    def _lend(
        self, tx: Transaction, identifier: str, wish: CopyWish, by: Actor, now: datetime
    ) -> CopyRow:
        self._desk.check_log(tx)
        record = certificates.lock(tx, identifier)
        if record is None:
            raise NotFound("there is no such certificate")
        if effective_status(record.status, record.exp, now.timestamp()) is not Status.VALID:
            raise NotInForce("only a certificate in force is copied")
        agency = agencies.find(tx, record.issuer)
        lapses_at = _lapse(record, wish.until, agency.time_zone if agency else DEFAULT_ZONE, now)
        same = documents.same_copy(
            tx, record.id, wish.recipient, wish.purpose, wish.until.isoformat()
        )
        if same is not None:
            done = audit.AuditEntry("copy", by, certificate=record.id, details={"again": "true"})
            audit.record(tx, [done], now=now, randomness=self._desk.randomness)
            return same
        copy = Copy(
            subject=record.id,
            recipient=wish.recipient,
            purpose=wish.purpose,
            until=wish.until,
            made_at=int(now.timestamp()),
            lapses_at=lapses_at,
            credential_digest=b64url(record.digest),
        )
        return self._write(tx, record, copy, by, now)

    def _write(
        self, tx: Transaction, record: Record, copy: Copy, by: Actor, now: datetime
    ) -> CopyRow:
        desk = self._desk
        key, salt = desk.agency_key(record.issuer), desk.randomness(SALT_BYTES)
        issuer = f"{desk.base}/agencies/{record.issuer}"
        token = sign_copy(copy, key.signer, issuer=issuer, chain=key.chain)
        seal = self._seal(record, copy, token, key)
        _lint(token, seal)
        done = audit.AuditEntry("copy", by, certificate=record.id, details={})
        audit.record(tx, [done], now=now, randomness=desk.randomness)
        entry = log_entry(
            event=EVENT,
            time=rfc3339(now),
            issuer=record.issuer,
            kind=record.slug,
            commitment=commitment(salt, token.encode("ascii")),
            ref=record.log_index,
        )
        row = CopyRow(log.append_entries(tx, [entry]), record.id, token, seal)
        documents.add_copy(tx, _columns(row, copy, salt))
        return row

    def _seal(self, record: Record, copy: Copy, token: str, key: SigningKey) -> str:
        claims = seal_claims(
            parse_credential(record.credential).certificate,
            digest=copy_digest(token),
            status=(record.status_index, self._desk.status_uri(record.status_list)),
            seconds=(record.nbf, copy.lapses_at),
            masks=self._kind(record).masks,
            copy=copy,
        )
        return sign_seal(claims, key.signer, self._desk.base)

    def copy_file(self, copy: CopyRow, record: Record, proof: Proof) -> DocumentRow:
        """Give the signed file of a copy, made now if it never was."""
        found = self._kept(copy.log_index)
        if found is not None:
            return found
        kind = self._kind(record)
        parts = replace(
            self._parts(record, kind, proof),
            seal=copy.seal,
            copy=copy.token,
            copy_receipt=proof(copy.log_index),
        )
        self._keep([self._row(copy.log_index, record, kind, parts)])
        return self._kept_for_certain(copy.log_index)


def _lint(token: str, seal: str) -> None:
    """Read back what was signed before it is logged: it cannot be undone."""
    parse_copy(token)
    parse_seal(seal)


def _check_printable(name: str, text: str) -> None:
    if (one := unprintable(text)) is not None:
        raise Refused(f"{name}: the character {one} (U+{ord(one):04X}) cannot be printed")


def _lapse(record: Record, until: date, zone: str, now: datetime) -> int:
    """Give 00:00 of the day after ``until``. Raises: Refused for a day that makes no sense."""
    if until < civil_date(now, zone):
        raise Refused("until lies in the past")
    _, lapses_at = Validity(until, until).seconds(zone)
    if lapses_at is None or lapses_at > LAST_SECOND:
        raise Refused("until lies beyond the calendar")
    if record.exp is not None and lapses_at > record.exp:
        raise Refused("until lies after the certificate's own last day")
    return lapses_at


def _columns(row: CopyRow, copy: Copy, salt: bytes) -> dict[str, Any]:
    return {
        "log_index": row.log_index,
        "certificate": row.certificate,
        "recipient": copy.recipient,
        "purpose": copy.purpose,
        "until": copy.until.isoformat(),
        "made_at": copy.made_at,
        "salt": salt,
        "token": row.token,
        "seal": row.seal,
    }


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
