"""Bodies about agencies."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecert_api.bodies._common import AgencyCode, Body, Name, Shape, WholeListing


class AgencyBody(Body):
    """An agency to register below one's own."""

    code: AgencyCode
    name: Name
    division: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    parent: AgencyCode
    short_name: Name | None = None


class DpopBody(Body):
    """Whether the calls of an agency's systems prove possession of a key (RFC 9449)."""

    requires_dpop: bool


class AgencyShape(Shape):
    """An agency."""

    code: str
    name: str
    division: str
    parent: str | None
    short_name: str | None
    time_zone: str
    requires_dpop: bool


AgencyList = WholeListing[AgencyShape]
