"""Bodies about sharing rules and identity providers."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ecert_api.bodies._common import (
    AgencyCode,
    Body,
    Day,
    FieldName,
    Line,
    MatterCode,
    Object,
    Quota,
    Reason,
    Shape,
    Slug,
    WholeListing,
)


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


class RuleShape(Shape):
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


RuleList = WholeListing[RuleShape]


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://[!-~]{1,190}", text):
        raise ValueError("an address that begins with https://")
    return text


class ProviderBody(Body):
    """An identity provider whose ID tokens are believed."""

    issuer: Annotated[str, Field(min_length=8, max_length=200), AfterValidator(_address)]
    audiences: Annotated[list[Line], Field(min_length=1, max_length=50)]
    levels: Annotated[list[Line], Field(min_length=1, max_length=50)]
    keys: Object
    algorithm: Literal["RS256", "PS256", "ES256", "EdDSA"] = "RS256"
    claims: dict[Literal["001", "111"], Line] | None = None
    portals: Annotated[list[Line], Field(max_length=50)] = Field(default_factory=list)


class ProviderShape(Shape):
    """An identity provider as it is known."""

    issuer: str
    audiences: list[str]
    levels: list[str]
    keys: Object
    algorithm: str
    claims: dict[str, str]
    portals: list[str]


ProviderList = WholeListing[ProviderShape]
