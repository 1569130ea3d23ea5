"""What a certificate rests on 前置证照, and what is said when a part of it falls (design §10.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ecert._encoding import instant, rfc3339
from ecert.model.status import ENDED, Status

FALLEN = ENDED | {Status.SUSPENDED}
FOUNDATION_FALLEN = "foundation_fallen"
_WHAT = {
    Status.SUSPENDED: ("已被暂扣", "was suspended"),
    Status.CANCELLED: ("已注销", "was cancelled"),
    Status.WITHDRAWN: ("已被撤销", "was withdrawn"),
    Status.REVOKED: ("已被吊销", "was revoked"),
}
_SOMEHOW = ("已不在有效状态", "is no longer in force")


def fallen_words(status: Status | None) -> tuple[str, str]:
    """Say in Chinese and in English what became of a foundation; None where only that much is known."""
    zh, en = _SOMEHOW if status is None else _WHAT[status]
    return f"所依据的证照{zh}", f"a certificate that this one rests on {en}"


# The words of the warning, by its code and what became of the foundation.
FALLEN_WORDS = {
    FOUNDATION_FALLEN: fallen_words(None),
    **{f"{FOUNDATION_FALLEN}_{status.value}": fallen_words(status) for status in _WHAT},
}


@dataclass(frozen=True, slots=True)
class FallenFoundation:
    """That something a certificate rests on, at any depth, was suspended or ended.

    ``foundation`` is the certificate that fell, ``since`` 00:00 of that day where its agency is
    (Unix seconds), ``log_index`` where the log has the act.
    """

    foundation: str
    status: Status
    since: int
    log_index: int

    @property
    def weight(self) -> tuple[bool, int, int]:
        """What is shown first: what ended before what is suspended, then the earliest."""
        return self.status is Status.SUSPENDED, self.since, self.log_index

    def warning(self, direct: Iterable[str]) -> Mapping[str, Any]:
        """Give the warning of a certificate; what fell is named where the certificate names it itself."""
        zh, en = fallen_words(self.status)
        named = {"id": self.foundation} if self.foundation in set(direct) else {}
        since = rfc3339(instant(self.since))
        return {
            "code": FOUNDATION_FALLEN,
            **named,
            "status": self.status.value,
            "since": since,
            "reason": {"zh": zh, "en": en},
        }


def gravest_first(fallen: Iterable[FallenFoundation]) -> list[FallenFoundation]:
    """Order what fell: what ended before what is suspended, then the earliest."""
    return sorted(fallen, key=lambda one: one.weight)
