"""Annotated copies 加注件: a certificate lent for one purpose, to one recipient, until one day.

A copy is a token of its own, logged as an act, and a seal that lapses with it; the file comes after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ecert._encoding import LAST_SECOND, b64url, instant, rfc3339
from ecert.catalogue import Catalogue, CertificateType
from ecert.errors import NotInForce, Refused, TypeChanged
from ecert.fonts import unprintable
from ecert.formats.annotation import (
    EVENT,
    Copy,
    check_copy_text,
    copy_digest,
    parse_copy,
    sign_copy,
)
from ecert.formats.receipt import SALT_BYTES, commitment, log_entry
from ecert.formats.seal import parse_seal, seal_claims, sign_seal
from ecert.formats.unverified_credential import parse_credential
from ecert.keys import SigningKey
from ecert.ledger.access import no_certificate
from ecert.ledger.acting import Desk
from ecert.ledger.log import append_entries
from ecert.ledger.successors import read_successors
from ecert.model import DEFAULT_ZONE, Record, Status, Validity, civil_date, effective_status
from ecert.store import CopyRow, Transaction, agencies, certificates, documents


@dataclass(frozen=True, slots=True)
class CopyWish:
    """What a copy is wanted for: by whom, why, and until which day."""

    recipient: str
    purpose: str
    until: date


@dataclass(frozen=True, slots=True)
class PreparedCopy:
    """A copy that was signed and is yet to be logged, or (``there``) one that was before."""

    record: Record
    signer: str = ""  # the agency that lends it: the issuer, or its successor
    copy: Copy | None = None
    token: str = ""
    seal: str = ""
    salt: bytes = b""
    there: CopyRow | None = None


def check_wish(wish: CopyWish) -> None:
    """Check that a copy's words can stand on its page. Raises: InputError, Refused."""
    for name in ("recipient", "purpose"):
        text = check_copy_text(name, getattr(wish, name))
        if (one := unprintable(text)) is not None:
            raise Refused(f"{name}: the character {one} (U+{ord(one):04X}) cannot be printed")


def prepare(
    tx: Transaction, desk: Desk, identifier: str, wish: CopyWish, now: datetime
) -> PreparedCopy:
    """Lock a certificate and sign a copy of it; the same wish gives the copy that is there.

    Raises: NotFound, NotInForce, Refused, KeyUnavailable.
    """
    record = certificates.lock(tx, identifier)
    if record is None:
        raise no_certificate()
    if effective_status(record.status, record.exp, now.timestamp()) is not Status.VALID:
        raise NotInForce("only a certificate in force is copied")
    agency = agencies.find(tx, record.issuer)
    lapses_at = _lapse(record, wish.until, agency.time_zone if agency else DEFAULT_ZONE, now)
    same = documents.same_copy(tx, record.id, wish.recipient, wish.purpose, wish.until.isoformat())
    if same is not None:
        return PreparedCopy(record, there=same)
    copy = Copy(
        subject=record.id,
        recipient=wish.recipient,
        purpose=wish.purpose,
        until=wish.until,
        made_at=int(now.timestamp()),
        lapses_at=lapses_at,
        credential_digest=b64url(record.digest),
    )
    signer = read_successors(tx, now).responsible(record.issuer, record.slug)
    return _sign(desk, record, copy, signer)


def log_copies(tx: Transaction, prepared: Sequence[PreparedCopy]) -> list[CopyRow]:
    """Append copies to the log and keep them, as the last act of a transaction; in their order."""
    fresh = [one for one in prepared if one.there is None]
    first = append_entries(tx, [_entry(one) for one in fresh]) if fresh else 0
    places = iter(range(first, first + len(fresh)))
    rows = []
    for one in prepared:
        row = one.there or CopyRow(next(places), one.record.id, one.token, one.seal)
        if one.there is None:
            documents.add_copy(tx, _columns(row, one))
        rows.append(row)
    return rows


def type_of(catalogue: Catalogue, record: Record) -> CertificateType:
    """Find the very version a certificate was issued under. Raises: TypeChanged."""
    ref = record.body["type"]
    kind = catalogue.get(record.slug, ref["version"])
    pinned = parse_credential(record.credential).certificate.type.template
    if kind is None or kind.template != pinned:
        raise TypeChanged("the type's face is no longer the one this certificate names")
    return kind


def _sign(desk: Desk, record: Record, copy: Copy, signer: str) -> PreparedCopy:
    key, salt = desk.keys.agency_key(signer), desk.randomness(SALT_BYTES)
    issuer = desk.charter.agency_address(signer)
    token = sign_copy(copy, key.signer, issuer=issuer, chain=key.chain)
    seal = _seal(desk, record, copy, token, key)
    parse_copy(token)  # read back what was signed before it is logged: it cannot be undone
    parse_seal(seal)
    return PreparedCopy(record, signer, copy, token, seal, salt)


def _seal(desk: Desk, record: Record, copy: Copy, token: str, key: SigningKey) -> str:
    address = desk.charter.status_address(record.status_list)
    claims = seal_claims(
        parse_credential(record.credential).certificate,
        digest=copy_digest(token),
        status=(record.status_index, address),
        seconds=(record.nbf, copy.lapses_at),
        masks=type_of(desk.catalogue, record).masks,
        copy=copy,
    )
    return sign_seal(claims, key.signer, desk.base)


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


def _entry(one: PreparedCopy) -> bytes:
    assert one.copy is not None  # noqa: S101 - only fresh ones are logged
    return log_entry(
        event=EVENT,
        time=rfc3339(instant(one.copy.made_at)),
        issuer=one.signer,
        kind=one.record.slug,
        commitment=commitment(one.salt, one.token.encode("ascii")),
        ref=one.record.log_index,
    )


def _columns(row: CopyRow, one: PreparedCopy) -> dict[str, Any]:
    assert one.copy is not None  # noqa: S101 - only fresh ones are kept
    return {
        "log_index": row.log_index,
        "certificate": row.certificate,
        "recipient": one.copy.recipient,
        "purpose": one.copy.purpose,
        "until": one.copy.until.isoformat(),
        "made_at": one.copy.made_at,
        "salt": one.salt,
        "token": row.token,
        "seal": row.seal,
    }
