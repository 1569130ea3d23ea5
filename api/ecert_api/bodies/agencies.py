"""Bodies about agencies."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

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


class CompetenceShape(Shape):
    """A right to issue a type: from which day to which, both included, and on what basis."""

    model_config = ConfigDict(extra="forbid", title="Competence")

    type: str
    from_: Annotated[str, Field(alias="from")]
    to: str | None
    only: str | None
    basis: str
    successor: str | None
    to_entry: int | None


class ManagedAgencyShape(AgencyShape):
    """An agency, with what it may issue."""

    may_issue: list[CompetenceShape]


AgencyList = WholeListing[ManagedAgencyShape]
