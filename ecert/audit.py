"""The audit trail 审计记录: who did what, when, to which certificate, for which matter.

Each row carries a salt and a leaf hash from the first one on, so that the trail can become a
second Merkle log. Rows hold identifiers and HMACs, never a holder's name or code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ecert._encoding import Randomness, canonical_plain
from ecert.errors import IdentifierError
from ecert.ids import parse_identifier
from ecert.merkle import leaf_hash
from ecert.model import Actor
from ecert.receipt import SALT_BYTES, commitment
from ecert.store import Transaction

DONE = "done"


def named(identifier: str) -> str | None:
    """Give an identifier for a row; None for any other text, which might be a holder's code."""
    try:
        return str(parse_identifier(identifier))
    except IdentifierError:
        return None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act: ``outcome`` is ``done`` or the code of the refusal."""

    action: str
    by: Actor
    outcome: str = DONE
    certificate: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def record(
    tx: Transaction, entries: Sequence[AuditEntry], *, now: datetime, randomness: Randomness
) -> None:
    """Append rows to the trail inside a transaction, before the log's head is locked."""
    if not entries:
        return
    size = tx.lock_audit_head()
    salts = randomness(SALT_BYTES * len(entries))
    rows = [
        _row(entry, size + place, int(now.timestamp()), salts[place * SALT_BYTES :][:SALT_BYTES])
        for place, entry in enumerate(entries)
    ]
    tx.add_audit(rows, size + len(rows))


def _row(entry: AuditEntry, index: int, at: int, salt: bytes) -> dict[str, Any]:
    by = entry.by
    shown: dict[str, Any] = {
        "index": index,
        "at": at,
        "action": entry.action,
        "outcome": entry.outcome,
        "agency": by.agency,
        "client": by.client,
        "operator": by.operator,
        "purpose": by.purpose,
        "matter": by.matter,
        "certificate": entry.certificate,
    }
    details = canonical_plain(dict(entry.details)) if entry.details else b"{}"
    shown["details"] = details.decode()
    leaf = audit_leaf(salt, canonical_plain(shown))
    shown |= {"details": details, "salt": salt, "leaf": leaf}
    return shown


def audit_leaf(salt: bytes, signed: bytes) -> bytes:
    """Give the leaf hash of a row: the log's own form, a salted commitment and nothing else."""
    return leaf_hash(canonical_plain({"v": 1, "commitment": commitment(salt, signed)}))
