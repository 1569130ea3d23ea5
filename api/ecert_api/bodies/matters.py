"""Bodies about matters: what they ask for, and what comes before and after."""

from __future__ import annotations

from typing import Literal

from ecert_api.bodies._common import Bilingual, Listing, Shape, WholeListing


class SituationShape(Shape):
    """A variant of a matter 情形."""

    code: str
    name: Bilingual


class ConditionShape(Shape):
    """What a certificate must also fulfil."""

    kind: Literal["same_project", "in_force_for_days", "field_in"]
    days: int | None = None
    field: str | None = None
    values: list[str | int | bool] | None = None


class OptionShape(Shape):
    """A type that satisfies a material, and the fields of it that are needed."""

    type: str
    fields: list[str]
    conditions: list[ConditionShape] | None = None


class MaterialShape(Shape):
    """One thing that a matter asks for."""

    code: str
    name: Bilingual
    owner: Literal["person", "organisation", "project"]
    satisfied_by: list[OptionShape]
    situations: list[str] | None = None
    may_follow_days: int | None = None
    accepts_paper: bool | None = None
    form: Literal["original", "copy"] | None = None


class MatterShape(Shape):
    """A matter as it was written, and the materials it asks for."""

    code: str
    version: int
    name: Bilingual
    agency: str
    legal_basis: str | None = None
    promised_days: int | None = None
    issues: list[str] | None = None
    situations: list[SituationShape] | None = None
    materials: list[MaterialShape]


MatterListing = Listing[MatterShape]


class AddedShape(Shape):
    """A matter of a file that was added, or that was there."""

    code: str
    version: int
    added: bool


AddedMatters = WholeListing[AddedShape]


class StageShape(Shape):
    """One matter in a graph, and how it stands."""

    matter: str
    name: Bilingual
    agency: str
    issues: list[str]
    rank: int
    state: str
    certificate: str | None


class LinkShape(Shape):
    """That the result of one matter is a material of another."""

    before: str
    after: str
    type: str


class GraphShape(Shape):
    """What comes before and after a matter."""

    around: str
    steps: list[StageShape]
    edges: list[LinkShape]
