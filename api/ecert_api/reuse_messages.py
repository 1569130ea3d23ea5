"""Bodies of requests and answers about reuse: matters, grants, dossiers, changes, administration."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from ecert.model import LINE
from ecert.registry.clients import WEBHOOK_URL
from ecert_api.messages import (
    AgencyCode,
    Body,
    Code,
    Reason,
    Slug,
    Text,
    TypeName,
    _whole,
    _written,
)

Day: TypeAlias = Annotated[
    date, BeforeValidator(_written), Field(strict=False, examples=["2026-12-31"])
]
MatterCode: TypeAlias = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$")]
Key: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Name: TypeAlias = Annotated[str, Field(pattern=r"^[0-9A-Z]{26}$")]
FieldName: TypeAlias = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,2}$", max_length=128)
]
Fields: TypeAlias = Annotated[
    dict[Key, Annotated[list[FieldName], Field(max_length=100)]], Field(max_length=100)
]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=1000, pattern=LINE)]
Quota: TypeAlias = Annotated[int, Field(ge=0, le=10**9), BeforeValidator(_whole)]
Jwk: TypeAlias = Annotated[dict[str, Any], Field(max_length=20)]
Scopes: TypeAlias = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=100)
]
Addresses: TypeAlias = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=50)]], Field(max_length=50)
]


class ApplicationBody(Body):
    """For whom and which case something is asked: at least one of holder, project and grant."""

    holder_code: Code | None = None
    project_code: Code | None = None
    case_number: Text
    case: Key | None = None
    operator: Text
    purpose: Text | None = None
    grant: Name | None = None
    fields: Fields | None = None


class DossierBody(ApplicationBody):
    """The same, with the days that let supervisors see whether the case keeps its promise."""

    accepted_on: Day | None = None
    due_on: Day | None = None
    copies: bool = False


class GrantRequestBody(Body):
    """What a holder will be asked to agree to."""

    matter: MatterCode
    case: Key | None = None
    fields: Fields | None = None
    until: Day | None = None
    delegation: Name | None = None
    operator: Text | None = None


class GrantBody(Body):
    """How a holder agreed: an ID token bound to the request, or a use code shown at the window."""

    request: Name
    id_token: Annotated[str, Field(min_length=1, max_length=16384)] | None = None
    use_code: Annotated[str, Field(min_length=8, max_length=64)] | None = None
    operator: Text | None = None


class UseCodeBody(Body):
    """For which request a use code is wanted."""

    request: Name
    delegation: Name | None = None


class DelegationBody(Body):
    """Who may act for the holder, in which matters (none named: in all), until when."""

    agent_code: Code
    matters: Annotated[list[MatterCode], Field(max_length=100)] = Field(default_factory=list)
    until: Day


class ObjectionBody(Body):
    """What is wrong with a certificate."""

    field: Annotated[str, Field(min_length=1, max_length=128, pattern=LINE)]
    words: Words
    operator: Text | None = None


class HolderObjectionBody(Body):
    """What is wrong with a certificate, says its holder."""

    certificate: Annotated[str, Field(min_length=1, max_length=128)]
    field: Annotated[str, Field(min_length=1, max_length=128, pattern=LINE)]
    words: Words


class AnswerBody(Body):
    """The answer to an objection: with a draft and a basis a correction, without a reason why not.

    ``corrected``: the next version that is there already answers it.
    """

    answer: Words
    operator: Text
    basis: Reason | None = None
    draft: dict[str, Any] | None = None
    corrected: bool = False


class ClientBody(Body):
    """A department's system to register."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=LINE)]
    agency: AgencyCode
    scopes: Scopes
    jwk: Jwk
    addresses: Addresses = Field(default_factory=list)
    daily_quota: Quota | None = None


class ClientChangeBody(Body):
    """What to change of a client; what is left out stays."""

    scopes: Scopes | None = None
    addresses: Addresses | None = None
    daily_quota: Quota | None = None
    no_quota: bool = False
    state: Literal["active", "suspended"] | None = None


class KeyBody(Body):
    """One more public key of a client."""

    jwk: Jwk


class WebhookBody(Body):
    """Where a client is told of changes; null: no longer."""

    url: Annotated[str, Field(max_length=600, pattern=WEBHOOK_URL)] | None


class AgencyBody(Body):
    """An agency to register below one's own."""

    code: AgencyCode
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=LINE)]
    division: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    parent: AgencyCode
    short_name: Annotated[str, Field(min_length=1, max_length=100, pattern=LINE)] | None = None


class DpopBody(Body):
    """Whether the calls of an agency's systems prove possession of a key (RFC 9449)."""

    requires_dpop: bool


class RuleBody(Body):
    """A sharing rule: a type, for an agency and those below it, for one matter or for all."""

    type: Slug
    agency: AgencyCode
    matter: MatterCode | None = None
    mode: Literal["unconditional", "conditional", "not_shared"]
    fields: Annotated[list[FieldName | Literal["*"]], Field(max_length=200)] = Field(
        default_factory=list
    )
    legal_basis: Reason
    daily_quota: Quota | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://[!-~]{1,190}", text):
        raise ValueError("an address that begins with https://")
    return text


class ProviderBody(Body):
    """An identity provider whose ID tokens are believed."""

    issuer: Annotated[str, Field(min_length=8, max_length=200), AfterValidator(_address)]
    audiences: Annotated[list[Text], Field(min_length=1, max_length=50)]
    levels: Annotated[list[Text], Field(min_length=1, max_length=50)]
    keys: dict[str, Any]
    algorithm: Literal["RS256", "PS256", "ES256", "EdDSA"] = "RS256"
    claims: dict[Literal["001", "111"], Text] | None = None
    portals: Annotated[list[Text], Field(max_length=50)] = Field(default_factory=list)


class MatterPage(BaseModel):
    """One page of matters; ``next`` continues it as ``after``."""

    items: list[dict[str, Any]]
    next: str | None


class Page(BaseModel):
    """One page of a list; ``next`` continues it."""

    items: list[dict[str, Any]]
    next: str | None


class ChangePage(Page):
    """One page of the feed of changes; ``cursor`` is how far it has told everything."""

    cursor: str


class MatterShape(BaseModel):
    """A matter and the materials it asks for."""

    code: str
    version: int
    name: TypeName
    agency: str
    materials: list[dict[str, Any]]


class ItemShape(BaseModel):
    """One line of a checklist."""

    material: str
    name: TypeName
    state: Literal[
        "met", "missing", "expired", "suspended", "superseded", "may_follow", "not_needed"
    ]
    because: str | None
    certificate: dict[str, Any] | None
    fields: list[str]
    basis: dict[str, str] | None
    form: Literal["original", "copy"]
    accepts_paper: bool
    deadline: str | None
    sentence: TypeName


class ChecklistShape(BaseModel):
    """What a matter asks for, line by line."""

    matter: dict[str, Any]
    case: str | None
    drawn_at: str
    summary: dict[str, int]
    items: list[ItemShape]


class PresentationShape(BaseModel):
    """One certificate of a dossier, with only the needed fields disclosed."""

    material: str
    certificate: str
    status: str
    credential: str
    receipt: str | None
    copy_pdf: str | None = None


class DossierShape(BaseModel):
    """A dossier: what was given, and the signed statement of it."""

    id: str
    revision: int
    case_number: str
    statement: str
    salt: str
    checklist: ChecklistShape
    presentations: list[PresentationShape]


class GraphShape(BaseModel):
    """What comes before and after a matter."""

    around: str
    steps: list[dict[str, Any]]
    edges: list[dict[str, Any]]


class RequestShape(BaseModel):
    """A request for a grant; the nonce is the SHA-256 of its canonical JSON."""

    id: str
    nonce: str
    request: dict[str, Any]
    expires_at: str


class AskedShape(RequestShape):
    """A request as its holder is shown it."""

    matter_name: TypeName
    agency_name: str


class GrantShape(BaseModel):
    """A holder's authorisation; it names no holder."""

    id: str
    agency: str
    matter: str
    case: str | None
    fields: dict[str, list[str]]
    way: Literal["id_token", "use_code", "delegation"]
    delegation: str | None
    created_at: str
    expires_at: str
    revoked_at: str | None
    in_force: bool


class UseCodeShape(BaseModel):
    """A code to show at the window, once."""

    use_code: str
    short: str
    qr_svg: str
    expires_at: str


class ObjectionShape(BaseModel):
    """An objection as both sides see it."""

    id: str
    certificate: str
    issuer: str
    raised_by: dict[str, Any]
    field: str
    words: str
    state: Literal["open", "corrected", "rejected"]
    answer: str | None
    successor: str | None
    created_at: str
    answered_at: str | None


class ClientShape(BaseModel):
    """A department's system."""

    id: str
    name: str
    agency: str
    scopes: list[str]
    keys: list[str]
    addresses: list[str]
    daily_quota: int | None
    state: str


class AgencyShape(BaseModel):
    """An agency."""

    code: str
    name: str
    division: str
    parent: str | None
    short_name: str | None
    time_zone: str
    requires_dpop: bool


class RuleShape(BaseModel):
    """A sharing rule."""

    id: str
    type: str
    agency: str
    matter: str | None
    mode: str
    fields: list[str]
    legal_basis: str
    daily_quota: int | None
    valid_from: str | None
    valid_to: str | None
    ended_at: str | None
    created_at: str


class FiguresShape(BaseModel):
    """What supervisors count; sums, never names of holders."""

    period: dict[str, str]
    made_at: str
    papers_not_brought: int
    dossiers: int
    refused: int
    by_agency: list[dict[str, Any]]
    by_matter: list[dict[str, Any]]
    by_type: list[dict[str, Any]]
    refusals: list[dict[str, Any]]
    per_day: list[dict[str, Any]]
    promises: list[dict[str, Any]]
    unusual: list[dict[str, Any]]
