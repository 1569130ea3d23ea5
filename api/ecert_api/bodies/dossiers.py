"""Bodies about checklists and dossiers."""

from __future__ import annotations

from typing import Literal

from ecert_api.bodies._common import (
    Bilingual,
    Body,
    Code,
    Day,
    Fields,
    Key,
    Line,
    MatterCode,
    OperatorToken,
    Shape,
    Ulid,
    WarningShape,
)
from ecert_api.bodies.certificates import IssuerShape


class ApplicationBody(Body):
    """For whom and which case something is asked: at least one of holder, project and grant."""

    holder_code: Code | None = None
    project_code: Code | None = None
    case_number: Line
    situation: Key | None = None
    operator: Line
    operator_token: OperatorToken | None = None
    purpose: Line | None = None
    grant: Ulid | None = None
    fields: Fields | None = None


class DossierBody(ApplicationBody):
    """The same, with the days that let supervisors see whether the case keeps its promise."""

    accepted_on: Day | None = None
    due_on: Day | None = None
    copies: bool = False


class AskedMatterShape(Shape):
    """The matter that a checklist is of."""

    code: str
    version: int
    name: Bilingual
    agency: str


class OwnChecklistBody(Body):
    """What a holder asks before he applies: a matter, its situation, and one of his projects."""

    matter: MatterCode
    situation: Key | None = None
    project_code: Code | None = None


class FoundShape(Shape):
    """The certificate that a line of a checklist speaks of."""

    id: str
    number: str
    type: str
    issuer: IssuerShape
    status: str
    valid_to: str | None
    superseded_by: str | None
    warnings: list[WarningShape]


class ItemShape(Shape):
    """One line of a checklist."""

    material: str
    name: Bilingual
    state: Literal[
        "met", "missing", "expired", "suspended", "superseded", "may_follow", "not_needed"
    ]
    because: str | None
    certificate: FoundShape | None
    fields: list[str]
    basis: dict[str, str] | None
    form: Literal["original", "copy"]
    accepts_paper: bool
    deadline: str | None
    sentence: Bilingual


class ChecklistShape(Shape):
    """What a matter asks for, line by line."""

    matter: AskedMatterShape
    situation: str | None
    drawn_at: str
    summary: dict[str, int]
    items: list[ItemShape]


class PresentationShape(Shape):
    """One certificate of a dossier, with only the needed fields disclosed."""

    material: str
    certificate: str
    status: str
    warnings: list[WarningShape]
    credential: str
    receipt: str | None
    copy_pdf: str | None = None


class DossierShape(Shape):
    """A dossier: what was given, and the signed statement of it."""

    id: str
    revision: int
    case_number: str
    statement: str
    salt: str
    checklist: ChecklistShape
    presentations: list[PresentationShape]
