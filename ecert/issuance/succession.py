"""Succession 变更、延续、换证: the previous version is locked, checked, and ended by the next one."""

from __future__ import annotations

from datetime import datetime

from ecert._encoding import b64url
from ecert.errors import DraftError, FieldError, NumberTaken
from ecert.formats.statement import Statement
from ecert.issuance.order import Work, each, made
from ecert.issuance.signing import SignedStatement, sign
from ecert.ledger.access import ISSUE, holds, no_certificate
from ecert.ledger.acting import Desk
from ecert.ledger.successors import read_successors
from ecert.model import Draft, Record, Status, check_transition, effective_status
from ecert.store import Transaction, certificates


def take_over(tx: Transaction, _desk: Desk, works: list[Work], now: datetime) -> None:
    """Lock the certificates that are changed, renewed or replaced, and check that they may be."""

    def check(work: Work) -> None:
        succession, draft = work.order.succession, work.order.draft
        if succession is None:
            return
        previous = certificates.lock(tx, succession.previous)
        if previous is None:
            raise no_certificate()
        agency, issuer, number = work.order.agency.code, previous.issuer, previous.body["number"]
        if read_successors(tx, now).responsible(issuer, previous.slug) != agency:
            raise no_certificate()
        if issuer != agency and certificates.is_number_taken(tx, [agency], previous.slug, number):
            raise NumberTaken(f"another current certificate of {agency} has the number {number}")
        status = effective_status(previous.status, previous.exp, now.timestamp())
        check_transition(succession.operation, status, previous.superseded_by)
        if draft.number not in {None, previous.body["number"]}:
            fault = FieldError(
                "/number", "number_kept", "变更不改编号", "the next version keeps the number"
            )
            raise DraftError("the next version keeps its number", errors=[fault])
        if not holds(work.order.by, ISSUE):
            _check_same_subject(draft, previous)
        work.previous, work.number = previous, previous.body["number"]
        work.local_number = draft.local_number or previous.body["local_number"]

    each(check, works)


def _check_same_subject(draft: Draft, previous: Record) -> None:
    """Who may operate and not issue keeps holder and project: another would be another permit."""
    held = [(one["code_type"], one["code"]) for one in previous.body["holders"]]
    kept = {
        "/holders": held == [(one.code_type, one.code) for one in draft.holders],
        "/project_code": draft.project_code == previous.body["project_code"],
    }
    for pointer, is_kept in kept.items():
        if not is_kept:
            zh, en = (
                "变更持证主体或项目须有签发权限",
                "another holder or project needs the right to issue",
            )
            raise DraftError(en, errors=[FieldError(pointer, "subject_kept", zh, en)])


def supersede(tx: Transaction, desk: Desk, work: Work, seconds: int) -> SignedStatement:
    """End the previous version in the same transaction, by a signed statement."""
    succession, previous = work.order.succession, work.previous
    assert succession is not None and previous is not None  # noqa: S101, PT018 - the caller looked
    statement = Statement(
        subject=previous.id,
        operation=succession.operation,
        status=Status.SUPERSEDED,
        at=seconds,
        basis=succession.basis,
        credential_digest=b64url(previous.digest),
        successor=made(work).id,
    )
    signed = sign(desk, previous, statement, work.order.agency.code)
    certificates.put_status(
        tx, previous.id, Status.SUPERSEDED, seconds, superseded_by=made(work).id
    )
    return signed
