"""Objections 异议: a department or a holder says what is wrong with a certificate; its issuer answers.

The answer is a correction 纠错, which is a change and so the next version, or a reason why not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ecert._encoding import instant, rfc3339
from ecert.errors import InputError, NotFound, Refused
from ecert.formats.id_token import SignedIn
from ecert.ledger.access import may_answer, may_object, no_certificate
from ecert.ledger.acting import Desk
from ecert.ledger.successors import read_successors
from ecert.ledger.trail import AuditEntry, named
from ecert.model import Actor, is_line
from ecert.store import ObjectionRow, Reading, Transaction, certificates, holders, objections

MAX_WORDS = 1000
MAX_NAME = 128
NO_OBJECTION = "there is no such objection, or it is not yours to answer"


class ObjectionState(StrEnum):
    """How an objection stands."""

    OPEN = "open"  # 待处理
    CORRECTED = "corrected"  # 已更正
    REJECTED = "rejected"  # 不予更正


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is said to be wrong: with which field, and what about it."""

    certificate: str
    field: str
    words: str


def objection_json(row: ObjectionRow) -> dict[str, Any]:
    """Give an objection as both sides see it; a holder who objects is not named."""
    return {
        "id": row.id,
        "certificate": row.certificate,
        "issuer": row.issuer,
        "raised_by": {"agency": row.agency} if row.agency else {"holder": True},
        "field": row.field,
        "words": row.words,
        "state": row.state,
        "answer": row.answer,
        "successor": row.successor,
        "created_at": rfc3339(instant(row.created_at)),
        "answered_at": None if row.answered_at is None else rfc3339(instant(row.answered_at)),
    }


def raise_objection(
    desk: Desk, complaint: Complaint, by: Actor, *, holder: SignedIn | None = None
) -> ObjectionRow:
    """Report an error in a certificate that one holds, or was given.

    Raises: NotFound for any other certificate, InputError.
    """
    own = None if holder is None else desk.secrets.hide(holder.code)

    def work(tx: Transaction, now: datetime) -> ObjectionRow:
        if not is_line(complaint.field, 128) or not is_line(complaint.words, MAX_WORDS):
            raise InputError(f"field and words are one line each, of at most {MAX_WORDS}")
        issuer = _issuer(tx, complaint.certificate, by, own)
        row = ObjectionRow(
            id=desk.new_id(now),
            certificate=complaint.certificate,
            issuer=issuer,
            agency=None if own is not None else by.agency,
            client=None if own is not None else by.client,
            holder_hmac=own,
            field=complaint.field,
            words=complaint.words,
            state=ObjectionState.OPEN,
            answer=None,
            successor=None,
            created_at=int(now.timestamp()),
            answered_at=None,
        )
        objections.add(tx, row)
        return row

    entry = AuditEntry("objection", by, certificate=named(complaint.certificate))
    return desk.act(entry, work, lambda row: {"objection": row.id})


def _issuer(reading: Reading, certificate: str, by: Actor, holder: bytes | None) -> str:
    record = certificates.find(reading, certificate) if len(certificate) <= MAX_NAME else None
    if record is None:
        raise no_certificate()
    is_holder = holder is not None and holder in holders.holders_of(reading, record.id)
    if not is_holder and (holder is not None or not may_object(reading, by, record)):
        raise no_certificate()
    return record.issuer


def answer_objection(
    desk: Desk,
    objection_id: str,
    by: Actor,
    *,
    answer: str,
    correct: Callable[[str], str] | None,
) -> ObjectionRow:
    """Answer an objection to one's own certificate: correct it, or say why not.

    ``correct`` gives the identifier of the next version: it issues one, in a transaction of its own,
    or finds the one that is there. Should anything happen between the two transactions, the objection is
    still open and is answered with that version.
    Raises: NotFound, Refused when it was answered already, InputError, and what ``correct`` raises.
    """
    entry = AuditEntry("objection.look", by)
    row = desk.act(entry, lambda tx, now: _open(tx, objection_id, by, answer, now))
    successor = None if correct is None else correct(row.certificate)
    state = ObjectionState.REJECTED if correct is None else ObjectionState.CORRECTED

    def work(tx: Transaction, now: datetime) -> ObjectionRow:
        _open(tx, objection_id, by, answer, now)
        answered = {
            "state": state.value,
            "answer": answer,
            "successor": successor,
            "answered_at": int(now.timestamp()),
        }
        objections.put(tx, objection_id, **answered)
        found = objections.lock(tx, objection_id)
        assert found is not None  # noqa: S101 - it was just locked
        return found

    told = {"objection": row.id, "state": state.value}
    return desk.act(AuditEntry("objection.answer", by, details=told), work)


def _responsible(tx: Transaction, row: ObjectionRow, now: datetime) -> str:
    record = certificates.find(tx, row.certificate)
    slug = "" if record is None else record.slug
    return read_successors(tx, now).responsible(row.issuer, slug)


def _open(
    tx: Transaction, objection_id: str, by: Actor, answer: str, now: datetime
) -> ObjectionRow:
    if not is_line(answer, MAX_WORDS):
        raise InputError(f"an answer is one line of at most {MAX_WORDS} characters")
    row = objections.lock(tx, objection_id) if len(objection_id) <= 26 else None
    if row is None or not may_answer(by, _responsible(tx, row, now)):
        raise NotFound(NO_OBJECTION)
    if row.state != ObjectionState.OPEN:
        raise Refused("this objection was answered already")
    return row
