"""The report of a verification."""

from __future__ import annotations

from typing import Literal

from ecert_api.bodies._common import Bilingual, Object, Shape, WarningShape


class StepShape(Shape):
    """One step of a verification."""

    step: str
    outcome: Literal["passed", "failed", "not_checked"]
    code: str
    reason: Bilingual
    evidence_at: str | None


class ReportShape(Shape):
    """The result of a verification; ``certificate`` is what was signed and shown of it."""

    verdict: Literal["valid", "invalid", "undetermined"]
    certificate: Object | None
    status: str | None
    at: str
    checked_at: str
    steps: list[StepShape]
    warnings: list[WarningShape]
