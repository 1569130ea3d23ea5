"""The audit trail 审计记录 for supervisors: its rows, its signed head, and its recomputation."""

from __future__ import annotations

from typing import Any

from ecert.formats.merkle import Edge
from ecert.ledger.access import AUDIT
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.log import Log
from ecert.ledger.trail import AuditEntry, Trail, check_trail
from ecert.model import Actor
from ecert.store import trail as rows

MAX_PAGE = 1000


class AuditedTrail(Verbs):
    """The trail, read: that somebody read it is a row of it too."""

    def __init__(self, desk: Desk, log: Log) -> None:
        super().__init__(desk)
        self._log = log

    @needs(AUDIT)
    def rows(
        self, *, by: Actor, after: int = -1, limit: int = 100, trail: Trail | None = None
    ) -> list[dict[str, Any]]:
        """List the audit trail, oldest first."""
        size = max(1, min(limit, MAX_PAGE))
        with self.desk.store.reading() as reading:
            found = rows.rows(reading, after, size)
        (trail or self.desk.trail).write(
            [AuditEntry("audit", by).done(after=after, given=len(found))]
        )
        return found

    @property
    def origin(self) -> str:
        """The trail's name in its checkpoints."""
        return self._log.origin

    def head(self) -> Edge:
        """Give the trail's size and root."""
        return self._log.head()

    def checkpoint(self) -> str | None:
        """Give the trail's newest signed checkpoint, or None."""
        return self._log.checkpoint()

    def vkey(self) -> str:
        """Give the trail's verification key (C2SP)."""
        return str(self._log.vkey())

    def check(self) -> Edge:
        """Recompute the whole trail from its rows. Raises: SignatureError."""
        with self.desk.store.snapshot() as reading:
            return check_trail(reading)
