"""Writing what was made: rows, audit trail and log, the log head locked last."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ecert._encoding import rfc3339
from ecert.formats.receipt import commitment, log_entry
from ecert.formats.statement import EVENTS
from ecert.issuance.foundations import tell_dependents
from ecert.issuance.order import Work, made
from ecert.issuance.replay import IDEMPOTENCY_SECONDS
from ecert.issuance.succession import supersede
from ecert.ledger.acting import Desk
from ecert.ledger.log import append_entries
from ecert.ledger.trail import AuditEntry
from ecert.model import Operation, Status
from ecert.store import (
    NewCertificate,
    Transaction,
    certificates,
    foundations,
    idempotency,
    statements,
    status_lists,
)


def write(tx: Transaction, desk: Desk, works: list[Work], fresh: list[Work], now: datetime) -> None:
    """Write everything; the audit head is locked before the log head, and that is the last lock."""
    seconds = int(now.timestamp())
    taking_over = [supersede(tx, desk, work, seconds) for work in fresh if work.previous]
    told = [tell_dependents(tx, work) for work in fresh if work.previous and work.fallen]
    for number in sorted({work.place[0] for work in fresh if work.fallen}):
        status_lists.count_warning(tx, number)
    _keep_keys(tx, fresh, seconds)
    trail_index = desk.trail.append(tx, [_audit_entry(work) for work in works], now)
    if not fresh:
        return
    time = rfc3339(now)
    entries = [_entry(work, time) for work in fresh]
    first = append_entries(tx, [*entries, *(signed.entry() for signed in taking_over)])
    for place, work in enumerate(fresh):
        work.record = replace(made(work), log_index=first + place)
    certificates.add(tx, [_row(desk, work) for work in fresh])
    for work in fresh:
        foundations.warn(tx, [made(work).id], work.fallen)
    for place, signed in enumerate(taking_over, start=first + len(fresh)):
        statements.add(tx, signed.columns(place, trail_index))
    for certificate, fallen in (pair for pairs in told for pair in pairs):
        foundations.warn(tx, [certificate], fallen)


def _entry(work: Work, time: str) -> bytes:
    record = made(work)
    jwt = record.credential.partition("~")[0].encode("ascii")
    return log_entry(
        event=EVENTS[Operation.ISSUE],
        time=time,
        issuer=record.issuer,
        kind=record.slug,
        commitment=commitment(work.salt, jwt),
    )


def _row(desk: Desk, work: Work) -> NewCertificate:
    record, draft = made(work), work.order.draft
    columns = {
        "id": record.id,
        "issuer": record.issuer,
        "slug": record.slug,
        "number": work.number,
        "project_code": draft.project_code,
        "status": Status.VALID.value,
        "since": int(record.since.timestamp()),
        "nbf": record.nbf,
        "exp": record.exp,
        "created_at": int(record.since.timestamp()),
        "changes": 0,
        "supersedes": None if work.previous is None else work.previous.id,
        "superseded_by": None,
        "status_list": record.status_list,
        "status_index": record.status_index,
        "log_index": record.log_index,
        "salt": work.salt,
        "digest": record.digest,
        "body": record.raw,
        "credential": record.credential,
        "seal": record.seal,
    }
    hmacs = [desk.secrets.hide(holder.code) for holder in draft.holders]
    return NewCertificate(columns, hmacs, draft.rests_on)


def _keep_keys(tx: Transaction, fresh: list[Work], seconds: int) -> None:
    rows = [
        {
            "client": key.client,
            "route": key.route,
            "key_digest": key.key_digest,
            "body_digest": key.body_digest,
            "certificate": made(work).id,
            "created_at": seconds,
        }
        for work in fresh
        if (key := work.order.idempotency) is not None
    ]
    idempotency.keep(tx, rows, seconds - IDEMPOTENCY_SECONDS)


def _audit_entry(work: Work) -> AuditEntry:
    succession = work.order.succession
    operation = Operation.ISSUE if succession is None else succession.operation
    identifier = None if work.record is None else work.record.id
    details = {"type": work.order.kind.slug, "agency": work.order.agency.code}
    if work.is_replay:
        details["replay"] = "true"
    entry = AuditEntry(operation.value, work.order.by, certificate=identifier, details=details)
    return entry if work.error is None else entry.refused(work.error)
