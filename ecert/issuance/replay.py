"""Replay: an order that comes again under its Idempotency-Key gives what it gave before."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ecert.errors import IdempotencyMismatch, NotFound
from ecert.issuance.order import Work, each
from ecert.ledger.access import require_issues_for
from ecert.ledger.acting import Desk
from ecert.model import effective_status
from ecert.store import IMPORT, Transaction, certificates, idempotency

IDEMPOTENCY_SECONDS = 24 * 3600


def replay(tx: Transaction, _desk: Desk, works: list[Work], now: datetime) -> None:
    """Find orders that were carried out before under the same Idempotency-Key."""
    since = int(now.timestamp()) - IDEMPOTENCY_SECONDS
    seen: dict[tuple[str, str, bytes], Work] = {}

    def check(work: Work) -> None:
        key = work.order.idempotency
        if key is None:
            return
        if (key.client, key.route, key.key_digest) in seen:
            raise IdempotencyMismatch("the same Idempotency-Key came twice at once; ask again")
        seen[key.client, key.route, key.key_digest] = work
        earliest = 0 if key.client == IMPORT else since
        found = idempotency.find(tx, key.client, key.route, key.key_digest, earliest)
        if found is None:
            return
        if found[0] != key.body_digest:
            raise IdempotencyMismatch("this Idempotency-Key was used with another body")
        by, agency = work.order.by, work.order.agency.code
        require_issues_for(tx, by, agency, work.order.kind.slug, now)
        record = certificates.find(tx, found[1])
        if record is None:
            raise NotFound("what this Idempotency-Key led to was erased")
        status = effective_status(record.status, record.exp, now.timestamp())
        work.record = replace(record, status=status, warnings=work.order.draft.warnings)
        work.is_replay = True

    each(check, works)
