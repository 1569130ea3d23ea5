"""The life of a certificate: suspend, resume and the three ways to end (design §6).

Change, renew and replace are successions: they issue the next version, and live in ``issuance``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from ecert._encoding import b64url
from ecert.formats.statement import Statement
from ecert.issuance.signing import REGISTRY_ITSELF, SignedStatement, sign
from ecert.ledger.access import acting_on, no_certificate
from ecert.ledger.acting import Desk
from ecert.ledger.log import append_entries
from ecert.ledger.trail import AuditEntry, named
from ecert.model import (
    FALLEN,
    Actor,
    Basis,
    FallenFoundation,
    Operation,
    Record,
    Validity,
    check_transition,
    civil_date,
    effective_status,
)
from ecert.store import Transaction, agencies, certificates, foundations, statements


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
    done = desk.act(
        entry,
        lambda tx, now: _operate(tx, desk, act, by, now),
        lambda done: {"status": done.signed.statement.status.value, "warned": len(done.dependents)},
        log=_log,
    )
    return done.signed.record


@dataclass(frozen=True, slots=True)
class _Done:
    """An act that is signed, and what rests on the certificate: all of it hears of the act."""

    signed: SignedStatement
    dependents: frozenset[str]
    day: int  # 00:00 of this day where the agency is


def _operate(tx: Transaction, desk: Desk, act: Act, by: Actor, now: datetime) -> _Done:
    found = certificates.find(tx, act.identifier)
    if found is None:
        raise no_certificate()
    responsible = acting_on(tx, by, found, now)
    dependents = foundations.lock_with_dependents(tx, act.identifier)
    record = certificates.lock(tx, act.identifier) or found
    status = effective_status(record.status, record.exp, now.timestamp())
    result = check_transition(act.operation, status, record.superseded_by)
    seconds, digest = int(now.timestamp()), b64url(record.digest)
    statement = Statement(record.id, act.operation, result, seconds, act.basis, digest)
    agency = agencies.find(tx, responsible)
    assert agency is not None  # noqa: S101 - a certificate's agency is registered
    today = civil_date(now, agency.time_zone)
    signer = REGISTRY_ITSELF if agency.is_closed(today) else responsible
    signed = sign(desk, record, statement, signer)
    certificates.put_status(tx, record.id, result, seconds)
    foundations.touch_lists(tx, dependents)
    day, _ = Validity(today, None).seconds(agency.time_zone)
    return _Done(signed, dependents, day)


def _log(tx: Transaction, done: _Done, trail_index: int) -> _Done:
    """Append the act to the log, warn what rests on the certificate, and give it as it is now."""
    signed, statement = done.signed, done.signed.statement
    place = append_entries(tx, [signed.entry()])
    statements.add(tx, signed.columns(place, trail_index))
    foundations.lift(tx, statement.subject, place)
    if statement.status in FALLEN:
        fell = FallenFoundation(statement.subject, statement.status, done.day, place)
        foundations.warn(tx, done.dependents, [fell])
    found = certificates.find(tx, signed.record.id)
    assert found is not None  # noqa: S101 - it was just locked
    return replace(done, signed=replace(signed, record=found))
