"""Bodies about agencies."""

from __future__ import annotations

from ecert_api.bodies._common import Body, Shape, WholeListing


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
    closed_on: str | None


AgencyList = WholeListing[AgencyShape]
