"""Who receives for whom 综合受理、委托: a window asks, or a delegate issues, for the responsible agency.

Rules, quotas and grants are those of the responsible one; competence, key and number too (design §10.4).
"""

from __future__ import annotations

from datetime import datetime

from ecert.ledger.successors import Successors
from ecert.model import DEFAULT_ZONE, civil_date
from ecert.store import Reading, ReceptionRow, receptions

RECEIVE, ISSUE_FOR = "receive", "issue"
ACTS = (RECEIVE, ISSUE_FOR)


def received_by(
    reading: Reading, agency: str, successors: Successors, now: datetime
) -> list[ReceptionRow]:
    """List what an agency receives for others today; who was closed is read as his successor."""
    today = civil_date(now, DEFAULT_ZONE)
    found = receptions.listed(reading, today)
    return [one for one in found if successors.heir(one.agency) == agency]


def covers(row: ReceptionRow, matter: str, agency: str, successors: Successors) -> bool:
    """Tell whether a reception reaches a matter; ``agency`` is whose it was when it was added."""
    if row.matter is not None:
        return row.matter == matter
    return agency in {row.principal, successors.heir(row.principal)}


def may_issue_for(
    reading: Reading,
    agency: str,
    principal: str,
    slug: str,
    *,
    successors: Successors,
    now: datetime,
) -> bool:
    """Tell whether an agency may issue a type in another's name today."""
    return any(
        ISSUE_FOR in one.acts
        and (not one.slugs or slug in one.slugs)
        and principal in {one.principal, successors.responsible(one.principal, slug)}
        for one in received_by(reading, agency, successors, now)
    )
