"""The audit trail 审计记录: who did what, when, to which certificate, for which matter.

The trail is a second Merkle tree: each row is committed to with a salt of its own, and an edited or
removed one is found by ``check_trail``. Rows hold identifiers and HMACs, never a holder's name or code.
This is the only place that writes rows, and the only one that counts what was shown against quotas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from ecert._encoding import Clock, Randomness, canonical_plain
from ecert.errors import EcertError, IdentifierError, QuotaExceeded
from ecert.formats.merkle import Edge, leaf_hash
from ecert.formats.receipt import SALT_BYTES, commitment
from ecert.ids import parse_identifier
from ecert.ledger.log import add_leaves, check_tree
from ecert.model import DEFAULT_ZONE, Actor, civil_date
from ecert.store import TRAIL, Reading, Store, Transaction, administration, quotas, rules, trees
from ecert.store import trail as stored
from ecert.store.trail import GIVEN, SHOWN

DONE = "done"
WRITTEN = "written"  # in the details of a row: digests of the rows of administration that it wrote


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

    def done(self, **details: Any) -> AuditEntry:
        """Say that it was done, and what there is to tell of it."""
        return replace(self, outcome=DONE, details={**self.details, **details})

    def refused(self, error: EcertError) -> AuditEntry:
        """Say that it was refused, and why."""
        return replace(self, outcome=error.code)


class Trail(Protocol):
    """Where a read is written down before its answer leaves."""

    def write(self, entries: Sequence[AuditEntry]) -> None:
        """Write the rows of one call. Raises: QuotaExceeded."""


class DeferredTrail:
    """Collects the rows of one call; whoever answers makes them durable first.

    The service does, many calls in one transaction.
    """

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def write(self, entries: Sequence[AuditEntry]) -> None:
        """Keep rows until they are written."""
        self.entries.extend(entries)


class Limits(Protocol):
    """How many certificates a day each client may be shown."""

    def quota(self, client: str) -> int | None:
        """Give a client's quota; None for no limit."""

    def has_quotas(self) -> bool:
        """Tell whether any client has one."""


class AuditTrail:
    """Writes rows at once, and counts what they show against quotas in the same transaction.

    A quota counts certificates: one that is shown twice in one call counts once.
    """

    def __init__(
        self, store: Store, limits: Limits, *, clock: Clock, randomness: Randomness
    ) -> None:
        self._store, self._limits = store, limits
        self._clock, self._randomness = clock, randomness

    def append(self, tx: Transaction, entries: Sequence[AuditEntry], now: datetime) -> int:
        """Append rows inside a transaction, before the log's head is locked.

        Gives the index of the first, or where it would have been.
        Raises: QuotaExceeded, and then nothing of the transaction may stay.
        """
        index = self.reserve(tx, entries, now)
        self.enter(tx, entries, now)
        return index

    def reserve(self, tx: Transaction, entries: Sequence[AuditEntry], now: datetime) -> int:
        """Count rows against quotas and lock the trail's head; give the index of the first.

        Raises: QuotaExceeded, and then nothing of the transaction may stay.
        """
        self._count(tx, entries, now)
        return trees.lock_head(tx, TRAIL).size

    def enter(self, tx: Transaction, entries: Sequence[AuditEntry], now: datetime) -> None:
        """Enter rows that were reserved; the first tells what rows of administration became."""
        if entries and tx.written:
            first, *others = entries
            told = replace(first, details={**first.details, WRITTEN: administration.written(tx)})
            entries = [told, *others]
        self._append(tx, entries, now)

    def write(self, entries: Sequence[AuditEntry]) -> None:
        """Write the rows of one call, durable when this returns. Raises: QuotaExceeded."""
        if entries and (refusal := self.write_calls([entries])[0]) is not None:
            raise refusal

    def write_calls(self, calls: Sequence[Sequence[AuditEntry]]) -> list[EcertError | None]:
        """Write the rows of several calls in one transaction.

        A call beyond a quota is refused as a whole: it counts nothing, and its rows say so.
        """
        now = self._clock()

        def work(tx: Transaction) -> list[EcertError | None]:
            results = [self._counted(tx, call, now) for call in calls]
            rows = [
                entry if refusal is None else entry.refused(refusal)
                for call, refusal in zip(calls, results, strict=True)
                for entry in call
            ]
            self._append(tx, rows, now)
            return results

        return self._store.write(work)

    def _counted(
        self, tx: Transaction, call: Sequence[AuditEntry], now: datetime
    ) -> EcertError | None:
        try:
            self._count(tx, call, now)
        except QuotaExceeded as refusal:
            return refusal
        return None

    def _count(self, tx: Transaction, entries: Sequence[AuditEntry], now: datetime) -> None:
        """Count what is shown against the quotas of clients and rules; all of it, or nothing."""
        wanted = [*self._of_clients(entries), *_of_rules(tx, entries)]
        if wanted and not quotas.use(tx, civil_date(now, DEFAULT_ZONE).isoformat(), wanted):
            raise QuotaExceeded("the quota of this day is used up")

    def _of_clients(self, entries: Sequence[AuditEntry]) -> list[quotas.Use]:
        if not self._limits.has_quotas():
            return []
        shown = {
            (one.by.client, one.certificate)
            for one in entries
            if one.outcome == DONE and one.action in SHOWN and one.by.client is not None
        }
        counted = Counter(client for client, _ in shown)
        return [
            quotas.Use(f"client:{client}", count, most)
            for client, count in counted.items()
            if (most := self._limits.quota(client)) is not None
        ]

    def _append(self, tx: Transaction, entries: Sequence[AuditEntry], now: datetime) -> None:
        edge = trees.lock_head(tx, TRAIL)
        if not entries:
            return
        salts = self._randomness(SALT_BYTES * len(entries))
        at = int(now.timestamp())
        rows = [
            _row(entry, edge.size + place, at, salts[place * SALT_BYTES :][:SALT_BYTES])
            for place, entry in enumerate(entries)
        ]
        add_leaves(tx, TRAIL, edge, rows)


def _of_rules(tx: Transaction, entries: Sequence[AuditEntry]) -> list[quotas.Use]:
    """Count what was given on the strength of a sharing rule against that rule's quota."""
    given = {
        (rule, one.certificate)
        for one in entries
        if one.outcome == DONE and one.action in GIVEN
        if (rule := one.details.get("basis", {}).get("rule")) is not None
    }
    cited = Counter(rule for rule, _ in given)
    found = ((rules.find(tx, rule), count) for rule, count in sorted(cited.items()))
    return [
        quotas.Use(f"rule:{rule.id}", count, rule.daily_quota)
        for rule, count in found
        if rule is not None and rule.daily_quota is not None
    ]


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
    told = dict(entry.details)
    if by.verified is not None:
        told |= {"operator_verified": True, "operator_hmac": by.verified}
    details = canonical_plain(told) if told else b"{}"
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
        rows = stored.salted_rows(reading, start, end)
        return [audit_leaf(salt, canonical_plain(shown)) for salt, shown in rows]

    return check_tree(reading, TRAIL, recompute)
