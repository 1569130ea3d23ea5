"""Supervision 电子监察: sums for supervisors, never names."""

from __future__ import annotations

from datetime import date
from typing import Any

from ecert.ledger.access import AUDIT
from ecert.ledger.acting import Verbs, needs
from ecert.ledger.trail import AuditEntry, Trail
from ecert.model import Actor
from ecert.reuse.supervision import make_period, supervise


class Supervision(Verbs):
    """Counts papers not brought, refusals, promises kept and unusual reading."""

    @needs(AUDIT)
    def figures(
        self,
        since: date | None = None,
        until: date | None = None,
        *,
        by: Actor,
        trail: Trail | None = None,
    ) -> dict[str, Any]:
        """Give the figures of a period, the last thirty days unless told. Raises: InputError."""
        period = make_period(since, until, self.desk.clock())
        figures = supervise(self.desk, period)
        (trail or self.desk.trail).write([AuditEntry("supervision", by)])
        return figures
