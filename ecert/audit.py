"""The audit trail 审计记录: who did what, when, to which certificate, for which matter.

The trail is a second Merkle tree: each row is committed to with a salt of its own, and an edited or
removed one is found by ``check_trail``. Rows hold identifiers and HMACs, never a holder's name or code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ecert import log
from ecert._encoding import Randomness, canonical_plain
from ecert.errors import IdentifierError
from ecert.formats.merkle import Edge, leaf_hash
from ecert.formats.receipt import SALT_BYTES, commitment
from ecert.ids import parse_identifier
from ecert.model import Actor
from ecert.store import TRAIL, Reading, Transaction, trail, trees

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
) -> int:
    """Append rows to the trail inside a transaction, before the log's head is locked.

    Gives the index of the first, or where it would have been.
    """
    edge = trees.lock_head(tx, TRAIL)
    if not entries:
        return edge.size
    salts = randomness(SALT_BYTES * len(entries))
    rows = [
        _row(
            entry, edge.size + place, int(now.timestamp()), salts[place * SALT_BYTES :][:SALT_BYTES]
        )
        for place, entry in enumerate(entries)
    ]
    log.add_leaves(tx, TRAIL, edge, rows)
    return edge.size


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


def check_trail(reading: Reading) -> Edge:
    """Recompute the whole trail from its rows: one that was edited or removed is found.

    Raises: SignatureError naming the first row that differs.
    """

    def recompute(start: int, end: int) -> list[bytes]:
        rows = trail.salted_rows(reading, start, end)
        return [audit_leaf(salt, canonical_plain(shown)) for salt, shown in rows]

    return log.check_tree(reading, TRAIL, recompute)
