"""The life of a certificate: suspend, resume and the three ways to end (design §6).

Change, renew and replace are successions: they issue the next version, and live in ``issuance``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from ecert._encoding import b64url
from ecert.formats.statement import Statement
from ecert.issuance.signing import SignedStatement, sign
from ecert.ledger.access import may_operate, no_certificate
from ecert.ledger.acting import Desk
from ecert.ledger.log import append_entries
from ecert.ledger.trail import AuditEntry, named
from ecert.model import Actor, Basis, Operation, Record, check_transition, effective_status
from ecert.store import Transaction, certificates, statements


@dataclass(frozen=True, slots=True)
class Act:
    """One operation to carry out upon a certificate, and why."""

    identifier: str
    operation: Operation
    basis: Basis


def operate(desk: Desk, act: Act, by: Actor) -> Record:
    """Carry out one operation, as a signed statement in the log.

    Raises: TransitionRefused, naming what is allowed; NotFound, also for another agency's
    certificate; ForkGuard, KeyUnavailable, StoreBusy. A refusal changes nothing but the audit trail.
    """
    entry = AuditEntry(act.operation.value, by, certificate=named(act.identifier))
    signed = desk.act(
        entry,
        lambda tx, now: _operate(tx, desk, act, by, now),
        lambda signed: {"status": signed.statement.status.value},
        log=_log,
    )
    return signed.record


def _operate(tx: Transaction, desk: Desk, act: Act, by: Actor, now: datetime) -> SignedStatement:
    record = certificates.lock(tx, act.identifier)
    if record is None or not may_operate(by, record.issuer):
        raise no_certificate()
    status = effective_status(record.status, record.exp, now.timestamp())
    result = check_transition(act.operation, status, record.superseded_by)
    seconds, digest = int(now.timestamp()), b64url(record.digest)
    statement = Statement(record.id, act.operation, result, seconds, act.basis, digest)
    signed = sign(desk, record, statement)
    certificates.put_status(tx, record.id, result, seconds)
    return signed


def _log(tx: Transaction, signed: SignedStatement, trail_index: int) -> SignedStatement:
    """Append the act to the log, and give the certificate as it is now."""
    place = append_entries(tx, [signed.entry()])
    statements.add(tx, signed.columns(place, trail_index))
    found = certificates.find(tx, signed.record.id)
    assert found is not None  # noqa: S101 - it was just locked
    return replace(signed, record=found)
