"""What happened since 变动: to certificates that a client was given, by feed and by webhook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ecert.formats.dossier import sign_changes
from ecert.ledger.access import READ, is_operator
from ecert.ledger.acting import Verbs, needs
from ecert.ledger.successors import read_successors
from ecert.ledger.trail import AuditEntry, Trail
from ecert.model import Actor
from ecert.store import Reading, changes, clients, trees
from ecert.store.responsibility import NO_RESPONSIBILITY, Responsibility

MAX_PAGE = 1000


def _own(reading: Reading, client: str, now: datetime) -> Responsibility:
    """Say what a client hears of besides what it was given: what its agency answers for."""
    row = clients.find(reading, client)
    if row is None:
        return NO_RESPONSIBILITY
    return read_successors(reading, now).responsibility(row.agency)


class Changes(Verbs):
    """Tells clients what became of the certificates they were given."""

    @needs(READ)
    def since(
        self,
        *,
        by: Actor,
        client: str | None = None,
        after: int = -1,
        limit: int = 100,
        trail: Trail | None = None,
    ) -> tuple[list[dict[str, Any]], int]:
        """List changes in the order of the log, and give the cursor up to which there are no others.

        A client hears of its own; an operator says whose (``client``).
        """
        named = client if client is not None and is_operator(by) else by.client
        found, cursor = self.waiting(named or "", after=after, limit=limit)
        if found:
            told = {"changes": [one["index"] for one in found]}
            (trail or self.desk.trail).write([AuditEntry("changes", by, details=told)])
        return found, cursor

    def waiting(self, client: str, *, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        """List what a client's webhook is yet to be told: names of certificates and what became of them."""
        size = max(1, min(limit, MAX_PAGE))
        now = self.desk.clock()
        with self.desk.store.snapshot() as reading:
            found = changes.since(reading, client, _own(reading, client, now), after, size)
            head = trees.head(reading).size - 1
        acts = {one["index"] for one in found}
        return found, found[-1]["index"] if len(acts) == size else max(after, head)

    def sign(self, client: str, items: Sequence[Mapping[str, Any]]) -> str:
        """Sign changes for a client's webhook."""
        key, now = self.desk.keys.registry_key(), int(self.desk.clock().timestamp())
        return sign_changes(self.desk.base, client, items, key, now=now)
