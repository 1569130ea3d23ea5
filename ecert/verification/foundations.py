"""What is said of what a certificate rests on 前置证照: beside the verdict, never the verdict (design §10.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecert._encoding import instant, rfc3339
from ecert.catalogue import CertificateType
from ecert.formats.status_list import PlaceWarning, SignedDetails
from ecert.model import FOUNDATION_FALLEN
from ecert.verification.exhibit import Exhibit
from ecert.verification.report import warning


@dataclass(frozen=True, slots=True)
class FoundationWarning:
    """What the status list says of the foundations: one fell (``warned``, if that is known), or nothing at all."""

    is_unsaid: bool = False
    warned: PlaceWarning | None = None

    def to_json(self) -> Mapping[str, Any]:
        """Give the warning as a report shows it."""
        if self.is_unsaid:
            return warning("foundations_not_checked")
        if self.warned is None:
            return warning(FOUNDATION_FALLEN)
        status = self.warned.status.value
        since = rfc3339(instant(self.warned.since))
        words = f"{FOUNDATION_FALLEN}_{status}"
        return warning(FOUNDATION_FALLEN, words, status=status, since=since)


def judge_foundations(
    is_warned: bool | None, told: SignedDetails | None, index: int, moment: datetime
) -> FoundationWarning | None:
    """Judge what a list says (None: it does not say), and its details, of one place at a moment."""
    if is_warned is None:
        return FoundationWarning(is_unsaid=True)
    if not is_warned:
        return None
    warned = None if told is None else told.warned.get(index)
    if warned is not None and moment.timestamp() < warned.since:
        return None  # it fell later
    return FoundationWarning(warned=warned)


def may_rest(exhibit: Exhibit, kind: CertificateType | None) -> bool:
    """Tell whether a certificate rests on something; of a seal, whether its type may."""
    if exhibit.credential is not None:
        return bool(exhibit.credential.certificate.rests_on)
    return kind is not None and bool(kind.may_rest_on)
