"""Bodies about grants: asked for, given, shown at a window, delegated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ecert_api.bodies._common import (
    Bilingual,
    Body,
    Code,
    Day,
    Fields,
    Key,
    Line,
    Listing,
    MatterCode,
    OperatorToken,
    Shape,
    Ulid,
    WholeListing,
)


class GrantRequestBody(Body):
    """What a holder will be asked to agree to."""

    matter: MatterCode
    situation: Key | None = None
    fields: Fields | None = None
    until: Day | None = None
    delegation: Ulid | None = None
    operator: Line | None = None
    operator_token: OperatorToken | None = None


class GrantBody(Body):
    """How a holder agreed: an ID token bound to the request, or a use code shown at the window."""

    request: Ulid
    id_token: Annotated[str, Field(min_length=1, max_length=16384)] | None = None
    use_code: Annotated[str, Field(min_length=8, max_length=64)] | None = None
    operator: Line | None = None
    operator_token: OperatorToken | None = None


class UseCodeBody(Body):
    """For which request a use code is wanted."""

    request: Ulid
    delegation: Ulid | None = None


class DelegationBody(Body):
    """Who may act for the holder, in which matters (none named: in all), until when."""

    agent_code: Code
    matters: Annotated[list[MatterCode], Field(max_length=100)] = Field(default_factory=list)
    until: Day


class AskedShape(Shape):
    """What is asked for, exactly: its canonical JSON is what the nonce is the digest of."""

    id: str
    agency: str
    received_by: str | None = None  # the window that asks for the agency
    matter: str
    version: int
    situation: str
    fields: dict[str, list[str]]
    until: str
    delegation: str


class RequestShape(Shape):
    """A request for a grant; the nonce is the SHA-256 of its canonical JSON."""

    id: str
    nonce: str
    request: AskedShape
    expires_at: str


class ShownRequestShape(RequestShape):
    """A request as its holder is shown it."""

    matter_name: Bilingual
    agency_name: str


class GrantShape(Shape):
    """A holder's authorisation; it names no holder."""

    id: str
    agency: str
    matter: str
    situation: str | None
    fields: dict[str, list[str]]
    way: Literal["id_token", "use_code", "delegation"]
    delegation: str | None
    created_at: str
    expires_at: str
    revoked_at: str | None
    in_force: bool


GrantListing = Listing[GrantShape]


class UseCodeShape(Shape):
    """A code to show at the window, once."""

    use_code: str
    short: str
    qr_svg: str
    expires_at: str


class DelegationShape(Shape):
    """A delegation, from one side of it."""

    id: str
    side: Literal["principal", "agent"]
    matters: list[str]
    until: str
    created_at: str
    revoked_at: str | None


Delegations = WholeListing[DelegationShape]
