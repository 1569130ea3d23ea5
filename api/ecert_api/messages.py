"""Bodies of requests and answers. Unknown members are refused; names are snake_case."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ecert.model import LINE, Status

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=LINE)]
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=LINE)]
CopyText = Annotated[str, Field(min_length=1, max_length=100, pattern=LINE)]
Code = Annotated[str, Field(min_length=1, max_length=64, pattern=LINE)]
Slug = Annotated[str, Field(max_length=64, pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
AgencyCode = Annotated[str, Field(pattern=r"^[0-9A-Z]{18}$")]


def _whole(value: Any) -> Any:
    """Take 20.0 for 20: to JSON Schema they are the same integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _written(value: Any) -> Any:
    """Take a date only as it is written: the framework would read a number as seconds."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("a date such as 2026-12-31")
    return value


class Body(BaseModel):
    """A request's body: exact types, no unknown members."""

    model_config = ConfigDict(extra="forbid", strict=True)


class IssueBody(Body):
    """Issue one certificate."""

    type: Slug
    agency: AgencyCode | None = None
    draft: dict[str, Any]


class SearchBody(Body):
    """Find certificates; holder codes go here, never into an address."""

    holder_code: Code | None = None
    project_code: Code | None = None
    type: Slug | None = None
    number: Code | None = None
    status: Annotated[Status, Field(strict=False)] | None = None
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = None
    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(_whole)] = 20
    purpose: Text
    matter: Text
    operator: Text


class OperationBody(Body):
    """Carry out one operation upon a certificate."""

    operation: Literal[
        "suspend", "resume", "cancel", "withdraw", "revoke", "change", "renew", "replace"
    ]
    reason: Reason
    basis: Reason
    operator: Text
    draft: dict[str, Any] | None = None


class CopyBody(Body):
    """Make an annotated copy for one recipient and purpose, good until a day.

    ``matter`` and ``operator`` may come as the headers ``X-Matter`` and ``X-Operator`` instead.
    """

    purpose: CopyText
    recipient: CopyText
    until: Annotated[date, BeforeValidator(_written), Field(strict=False, examples=["2026-12-31"])]
    matter: Text | None = None
    operator: Text | None = None


class TypeName(BaseModel):
    """A name in two languages."""

    zh: str
    en: str


class TypeShape(BaseModel):
    """A certificate's type."""

    slug: str
    code: str
    version: int
    name: TypeName | None


class IssuerShape(BaseModel):
    """The issuing agency."""

    code: str
    name: str


class CertificateShape(BaseModel):
    """A certificate with its present status."""

    id: str
    number: str
    local_number: str | None
    type: TypeShape
    issuer: IssuerShape
    holders: list[dict[str, str]]
    project_code: str | None
    fields: dict[str, Any]
    issued_on: str
    valid_from: str
    valid_to: str | None
    status: str
    supersedes: str | None
    superseded_by: str | None
    rests_on: list[str]
    attachments: list[dict[str, Any]]
    warnings: list[dict[str, Any]]
    log_index: int
    created_at: str


class IssuedShape(CertificateShape):
    """A certificate that was just issued, with its credential and the text of its QR code."""

    credential: str
    seal: str


class CertificatePage(BaseModel):
    """One page of certificates; ``next`` continues it."""

    items: list[CertificateShape]
    next: str | None


class EventShape(BaseModel):
    """A signed act upon a certificate."""

    operation: str
    status: str
    at: str
    reason: str
    basis: str
    operator: str
    successor: str | None
    log_index: int


class HistoryShape(BaseModel):
    """The signed acts upon a certificate, oldest first."""

    items: list[EventShape]
    next: None


class StepShape(BaseModel):
    """One step of a verification."""

    step: str
    outcome: Literal["passed", "failed", "not_checked"]
    code: str
    reason: TypeName
    evidence_at: str | None


class ReportShape(BaseModel):
    """The result of a verification."""

    verdict: Literal["valid", "invalid", "undetermined"]
    certificate: dict[str, Any] | None
    status: str | None
    at: str
    checked_at: str
    steps: list[StepShape]
    warnings: list[dict[str, Any]]


class FaultShape(BaseModel):
    """One thing wrong with a body."""

    pointer: str
    rule: str
    message: TypeName


class ProblemShape(BaseModel):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[FaultShape] = []


class AuditPage(BaseModel):
    """One page of the audit trail; ``next`` continues it as ``after``."""

    items: list[dict[str, Any]]
    next: str | None


class TokenShape(BaseModel):
    """An access token (RFC 6749 §5.1)."""

    access_token: str
    token_type: Literal["Bearer", "DPoP"]
    expires_in: int
    scope: str
