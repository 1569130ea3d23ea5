"""Bodies about clients: departments' systems, their keys and webhooks."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue

from ecert.registry import WEBHOOK_URL
from ecert_api.bodies._common import AgencyCode, Body, Name, Quota, Shape, WholeListing

Jwk: TypeAlias = Annotated[dict[str, JsonValue], Field(max_length=20)]
Scopes: TypeAlias = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=100)
]
Addresses: TypeAlias = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=50)]], Field(max_length=50)
]


class ClientBody(Body):
    """A department's system to register."""

    name: Name
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


class ClientShape(Shape):
    """A department's system."""

    id: str
    name: str
    agency: str
    scopes: list[str]
    keys: list[str]
    addresses: list[str]
    daily_quota: int | None
    state: str


ClientList = WholeListing[ClientShape]
