"""The life of a certificate: suspend, resume and the three ways to end (design §6).

Change, renew and replace are successions: they issue the next version, and live in ``issuance``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ecert import audit, log
from ecert._encoding import b64url, rfc3339
from ecert.errors import EcertError, NotFound
from ecert.formats.receipt import SALT_BYTES, commitment, log_entry
from ecert.formats.statement import EVENTS, Statement, sign_statement
from ecert.issuance import Desk
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
    now = desk.clock()
    refusal: list[EcertError] = []

    def work(tx: Transaction) -> Record | None:
        refusal.clear()
        try:
            return _operate(tx, desk, act, by, now)
        except EcertError as error:
            refusal.append(error)
            entry = audit.AuditEntry(
                act.operation.value, by, error.code, audit.named(act.identifier)
            )
            audit.record(tx, [entry], now=now, randomness=desk.randomness)
            return None

    record = desk.store.write(work)
    if record is None:
        raise refusal[0]
    return record


def _operate(tx: Transaction, desk: Desk, act: Act, by: Actor, now: datetime) -> Record:
    desk.check_log(tx)
    identifier, operation = act.identifier, act.operation
    record = certificates.lock(tx, identifier)
    if record is None or not _may_operate(by, record):
        raise NotFound("there is no such certificate")
    status = effective_status(record.status, record.exp, now.timestamp())
    result = check_transition(operation, status, record.superseded_by)
    seconds = int(now.timestamp())
    statement = Statement(record.id, operation, result, seconds, act.basis, b64url(record.digest))
    token = _sign(desk, record, statement)
    salt = desk.randomness(SALT_BYTES)
    certificates.put_status(tx, record.id, result, seconds)
    details = {"status": result.value}
    trail_index = audit.record(
        tx,
        [audit.AuditEntry(operation.value, by, certificate=record.id, details=details)],
        now=now,
        randomness=desk.randomness,
    )
    entry = log_entry(
        event=EVENTS[operation],
        time=rfc3339(now),
        issuer=record.issuer,
        kind=record.slug,
        commitment=commitment(salt, token.encode("ascii")),
        ref=record.log_index,
    )
    places = log.append_entries(tx, [entry]), trail_index
    _add_statement(tx, places, statement, token, salt)
    found = certificates.find(tx, record.id)
    assert found is not None  # noqa: S101 - it was just locked
    return found


def _may_operate(by: Actor, record: Record) -> bool:
    """Over HTTP an agency acts upon its own certificates only; others' read as absent."""
    return by.scopes is None or by.agency == record.issuer


def _sign(desk: Desk, record: Record, statement: Statement) -> str:
    key = desk.agency_key(record.issuer)
    issuer = f"{desk.base}/agencies/{record.issuer}"
    return sign_statement(statement, key.signer, issuer=issuer, chain=key.chain)


def _add_statement(
    tx: Transaction, places: tuple[int, int], statement: Statement, token: str, salt: bytes
) -> None:
    statements.add(
        tx,
        {
            "log_index": places[0],
            "trail_index": places[1],
            "certificate": statement.subject,
            "operation": statement.operation.value,
            "status": statement.status.value,
            "at": statement.at,
            "reason": statement.basis.reason,
            "basis": statement.basis.basis,
            "operator": statement.basis.operator,
            "successor": statement.successor,
            "salt": salt,
            "token": token,
        },
    )
