"""Statuses 状态 and operations 操作, and the table of what leads from where (design §6)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from ecert.errors import TransitionRefused


class Status(StrEnum):
    """What a certificate is at a moment; ``expired`` is computed, never stored."""

    VALID = "valid"  # 有效
    SUSPENDED = "suspended"  # 暂扣
    SUPERSEDED = "superseded"  # 已被新版本取代
    CANCELLED = "cancelled"  # 注销
    WITHDRAWN = "withdrawn"  # 撤销
    REVOKED = "revoked"  # 吊销
    EXPIRED = "expired"  # 过期


ENDED = frozenset({Status.CANCELLED, Status.WITHDRAWN, Status.REVOKED})


class Operation(StrEnum):
    """An act upon a certificate."""

    ISSUE = "issue"  # 签发
    CHANGE = "change"  # 变更
    RENEW = "renew"  # 延续
    REPLACE = "replace"  # 补发
    SUSPEND = "suspend"  # 暂扣
    RESUME = "resume"  # 恢复（暂扣发还）
    CANCEL = "cancel"  # 注销
    WITHDRAW = "withdraw"  # 撤销
    REVOKE = "revoke"  # 吊销


_ENDABLE = frozenset({Status.VALID, Status.SUSPENDED, Status.EXPIRED})
TRANSITIONS: Mapping[Operation, tuple[frozenset[Status], Status]] = {  # allowed from, leads to
    Operation.CHANGE: (frozenset({Status.VALID}), Status.SUPERSEDED),
    Operation.REPLACE: (frozenset({Status.VALID}), Status.SUPERSEDED),
    Operation.RENEW: (frozenset({Status.VALID, Status.EXPIRED}), Status.SUPERSEDED),
    Operation.SUSPEND: (frozenset({Status.VALID}), Status.SUSPENDED),
    Operation.RESUME: (frozenset({Status.SUSPENDED}), Status.VALID),
    Operation.CANCEL: (_ENDABLE, Status.CANCELLED),
    Operation.WITHDRAW: (_ENDABLE, Status.WITHDRAWN),
    Operation.REVOKE: (_ENDABLE, Status.REVOKED),
}
SUCCESSIONS = frozenset({Operation.CHANGE, Operation.RENEW, Operation.REPLACE})


def check_transition(operation: Operation, status: Status, successor: str | None) -> Status:
    """Look an operation up in the table of design §6; give the status that it leads to.

    Raises: TransitionRefused, naming what is allowed from here, and the successor if there is one.
    """
    allowed, result = TRANSITIONS[operation]
    if status in allowed:
        return result
    possible = [one.value for one, (sources, _) in TRANSITIONS.items() if status in sources]
    message = f"cannot {operation.value}: it is {status.value}; allowed: {', '.join(possible) or 'nothing'}"
    if successor is not None:
        message += f"; its successor is {successor}"
    raise TransitionRefused(message)


def effective_status(stored: Status, exp: int | None, now: float) -> Status:
    """Compute what is shown: ended > superseded > expired > suspended > valid (design §6)."""
    if stored in {Status.VALID, Status.SUSPENDED} and exp is not None and now >= exp:
        return Status.EXPIRED
    return stored
