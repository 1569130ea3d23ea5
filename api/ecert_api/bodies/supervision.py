"""Bodies for supervisors: sums, and the audit trail."""

from __future__ import annotations

from ecert_api.bodies._common import Bilingual, Listing, Object, Shape


class PeriodShape(Shape):
    """From one civil day to another, both included."""

    since: str
    until: str


class AgencyFigures(Shape):
    """The sums of one agency."""

    agency: str | None
    name: str
    papers_not_brought: int
    dossiers: int
    refusals: int


class MatterFigures(Shape):
    """The sums of one matter."""

    matter: str
    name: Bilingual | None
    papers_not_brought: int
    dossiers: int
    refusals: int


class TypeFigures(Shape):
    """The sums of one type."""

    type: str
    name: Bilingual | None
    papers_not_brought: int


class RefusalFigures(Shape):
    """How often one code was the answer."""

    code: str
    count: int


class DayFigures(Shape):
    """The sums of one day."""

    day: str
    papers_not_brought: int
    dossiers: int
    refusals: int


class PromiseFigures(Shape):
    """The cases of one agency and matter against what was promised."""

    agency: str
    name: str | None
    matter: str
    cases: int
    decided: int
    green: int
    yellow: int
    red: int
    average_days: float | None
    promised_days: int | None


class UnusualFigures(Shape):
    """That a client read far more on one day than it is used to."""

    client: str
    name: str | None
    agency: str | None
    day: str
    reads: int
    usual: float


class FiguresShape(Shape):
    """What supervisors count; sums, never names of holders."""

    period: PeriodShape
    made_at: str
    papers_not_brought: int
    dossiers: int
    refused: int
    by_agency: list[AgencyFigures]
    by_matter: list[MatterFigures]
    by_type: list[TypeFigures]
    refusals: list[RefusalFigures]
    per_day: list[DayFigures]
    promises: list[PromiseFigures]
    unusual: list[UnusualFigures]


class AuditRowShape(Shape):
    """One row of the audit trail."""

    index: int
    at: str
    action: str
    outcome: str
    agency: str | None
    client: str | None
    operator: str
    purpose: str
    matter: str
    certificate: str | None
    details: Object


AuditListing = Listing[AuditRowShape]
