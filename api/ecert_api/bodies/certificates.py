"""Bodies about certificates: drafts, operations, searches, copies, and what a certificate looks like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ecert.model import Status
from ecert_api.bodies._common import (
    AgencyCode,
    Bilingual,
    Body,
    Code,
    Day,
    Line,
    Listing,
    Name,
    Object,
    OperatorToken,
    Reason,
    Shape,
    Slug,
    WarningShape,
    WholeListing,
    whole,
)

Shown = Annotated[
    str,
    Field(pattern=r"^(fields|holders|attachments)(\.[a-z][a-z0-9_]*){1,2}$", max_length=128),
]


class IssueBody(Body):
    """Issue one certificate."""

    type: Slug
    agency: AgencyCode | None = None
    draft: Object


class SearchBody(Body):
    """Find certificates; holder codes go here, never into an address."""

    holder_code: Code | None = None
    project_code: Code | None = None
    type: Slug | None = None
    number: Code | None = None
    status: Annotated[Status, Field(strict=False)] | None = None
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = None
    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(whole)] = 20
    purpose: Line
    matter: Line
    operator: Line
    operator_token: OperatorToken | None = None


class OperationBody(Body):
    """Carry out one operation upon a certificate."""

    operation: Literal[
        "suspend", "resume", "cancel", "withdraw", "revoke", "change", "renew", "replace"
    ]
    reason: Reason
    basis: Reason
    operator: Line
    operator_token: OperatorToken | None = None
    draft: Object | None = None


class CopyBody(Body):
    """Make an annotated copy for one recipient and purpose, good until a day.

    ``matter`` and ``operator`` may come as the headers ``X-Matter`` and ``X-Operator`` instead.
    """

    purpose: Name
    recipient: Name
    until: Day
    matter: Line | None = None
    operator: Line | None = None
    operator_token: OperatorToken | None = None


class OwnCopyBody(Body):
    """Lend one's own certificate to one recipient, for one purpose, until a day."""

    purpose: Name
    recipient: Name
    until: Day


class PresentationBody(Body):
    """Which values of one's own certificate are to be shown, such as ``holders.name``."""

    fields: Annotated[list[Shown], Field(max_length=100)]


class PresentedShape(Shape):
    """A credential (SD-JWT VC) that shows only what was chosen."""

    credential: str


class TypeShape(Shape):
    """A certificate's type."""

    slug: str
    code: str
    version: int
    name: Bilingual | None


class IssuerShape(Shape):
    """The issuing agency."""

    code: str
    name: str


class HolderShape(Shape):
    """Whom a certificate is made out to."""

    name: str
    code: str
    code_type: str


class AttachmentShape(Shape):
    """A file that belongs to a certificate; its SHA-256 in hex."""

    name: str
    media_type: str
    size: int
    sha256: str


class CertificateShape(Shape):
    """A certificate with its present status."""

    id: str
    number: str
    local_number: str | None
    type: TypeShape
    issuer: IssuerShape
    holders: list[HolderShape]
    project_code: str | None
    fields: Object
    issued_on: str
    valid_from: str
    valid_to: str | None
    status: str
    supersedes: str | None
    superseded_by: str | None
    rests_on: list[str]
    attachments: list[AttachmentShape]
    warnings: list[WarningShape]
    log_index: int
    created_at: str


class IssuedShape(CertificateShape):
    """A certificate that was just issued, with its credential and the text of its QR code."""

    credential: str
    seal: str


CertificateListing = Listing[CertificateShape]
HeldShape = WholeListing[CertificateShape]


class EventShape(Shape):
    """A signed act upon a certificate."""

    operation: str
    status: str
    at: str
    reason: str
    basis: str
    operator: str
    successor: str | None
    log_index: int


HistoryShape = WholeListing[EventShape]
