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


def covers(row: ReceptionRow, matter: str, agency: str) -> bool:
    """Tell whether a reception reaches a matter; ``agency`` is whose it was when it was added."""
    return row.matter == matter if row.matter is not None else row.principal == agency


def may_issue_for(
    reading: Reading,
    agency: str,
    principal: str,
    slug: str,
    *,
    successors: Successors,
    now: datetime,
    issuer: str | None = None,
) -> bool:
    """Tell whether an agency may issue a type in another's name today.

    ``issuer`` is who issued the certificate whose next version it shall be: a delegate of an agency
    whose type was transferred acts upon what that one issued, and not upon its successor's own.
    """
    return any(
        ISSUE_FOR in one.acts
        and (one.matter is None or slug in one.slugs)
        and successors.responsible(one.principal, slug) == principal
        and (issuer is None or successors.leads_through(issuer, one.principal, slug))
        for one in received_by(reading, agency, successors, now)
    )
