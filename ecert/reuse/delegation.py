"""Delegations 委托: a holder lets an agent agree for it, in some matters or all, until a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from ecert._encoding import instant, rfc3339
from ecert.errors import (
    GrantNotValid,
    InputError,
)
from ecert.formats.id_token import SignedIn
from ecert.ledger.acting import Desk
from ecert.ledger.trail import AuditEntry
from ecert.model import DEFAULT_ZONE, Actor, civil_date
from ecert.store import DelegationRow, Reading, Transaction, grants

MAX_DELEGATION_DAYS = 1096


def delegate(
    desk: Desk,
    principal: SignedIn,
    agent_code: str,
    *,
    matters: Sequence[str],
    until: date,
    by: Actor,
) -> DelegationRow:
    """Let an agent act for a holder in some matters (none named: in all), until a day.

    Raises: InputError.
    """

    def work(tx: Transaction, now: datetime) -> DelegationRow:
        today = civil_date(now, DEFAULT_ZONE)
        if not today <= until <= today + timedelta(days=MAX_DELEGATION_DAYS):
            raise InputError("a delegation ends between today and three years from now")
        row = DelegationRow(
            id=desk.new_id(now),
            principal_hmac=desk.secrets.hide(principal.code),
            agent_hmac=desk.secrets.hide(agent_code),
            matters=tuple(sorted(set(matters))),
            until=until.isoformat(),
            created_at=int(now.timestamp()),
        )
        grants.add_delegation(tx, row)
        return row

    return desk.act(AuditEntry("delegate", by), work, lambda row: {"delegation": row.id})


def end_delegation(desk: Desk, delegation_id: str, holder: SignedIn, by: Actor) -> None:
    """End a delegation: whoever gave it, or whoever it was given to. Raises: GrantNotValid."""
    own = desk.secrets.hide(holder.code)

    def work(tx: Transaction, now: datetime) -> None:
        row = grants.delegation(tx, delegation_id) if len(delegation_id) <= 26 else None
        if row is None or own not in {row.principal_hmac, row.agent_hmac}:
            raise GrantNotValid("there is no such delegation")
        grants.revoke_delegation(tx, row.id, int(now.timestamp()))

    desk.act(AuditEntry("delegate.end", by), work)


def delegation_json(row: DelegationRow, own: bytes) -> dict[str, Any]:
    """Give a delegation as JSON, from one side of it."""
    return {
        "id": row.id,
        "side": "principal" if row.principal_hmac == own else "agent",
        "matters": list(row.matters),
        "until": row.until,
        "created_at": rfc3339(instant(row.created_at)),
        "revoked_at": None if row.revoked_at is None else rfc3339(instant(row.revoked_at)),
    }


def covers(row: DelegationRow, matter: str, now: datetime) -> bool:
    """Tell whether a delegation reaches a matter today."""
    today = civil_date(now, DEFAULT_ZONE).isoformat()
    return (
        row.revoked_at is None and today <= row.until and (not row.matters or matter in row.matters)
    )


def check_delegation(reading: Reading, delegation: str | None, matter: str, now: datetime) -> None:
    """End what an agent agreed to with what he was allowed."""
    if delegation is None:
        return
    row = grants.delegation(reading, delegation)
    if row is None or not covers(row, matter, now):
        raise GrantNotValid("there is no such grant, or it has ended")
