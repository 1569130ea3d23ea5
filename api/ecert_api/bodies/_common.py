"""What bodies share: exact types, lines of text, codes, days, pages of lists."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from ecert.model import LINE

T = TypeVar("T")


def whole(value: Any) -> Any:
    """Take 20.0 for 20: to JSON Schema they are the same integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def written(value: Any) -> Any:
    """Take a date only as it is written: the framework would read a number as seconds."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("a date such as 2026-12-31")
    return value


Line: TypeAlias = Annotated[str, Field(min_length=1, max_length=200, pattern=LINE)]
Reason: TypeAlias = Annotated[str, Field(min_length=1, max_length=500, pattern=LINE)]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=1000, pattern=LINE)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=100, pattern=LINE)]
Code: TypeAlias = Annotated[str, Field(min_length=1, max_length=64, pattern=LINE)]
Slug: TypeAlias = Annotated[str, Field(max_length=64, pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
AgencyCode: TypeAlias = Annotated[str, Field(pattern=r"^[0-9A-Z]{18}$")]
MatterCode: TypeAlias = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$")]
Key: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Ulid: TypeAlias = Annotated[str, Field(pattern=r"^[0-9A-Z]{26}$")]
FieldName: TypeAlias = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,2}$", max_length=128)
]
Fields: TypeAlias = Annotated[
    dict[Key, Annotated[list[FieldName], Field(max_length=100)]], Field(max_length=100)
]
Day: TypeAlias = Annotated[
    date, BeforeValidator(written), Field(strict=False, examples=["2026-12-31"])
]
Quota: TypeAlias = Annotated[int, Field(ge=0, le=10**9), BeforeValidator(whole)]
OperatorToken: TypeAlias = Annotated[str, Field(min_length=1, max_length=16384)]  # an ID token
Object: TypeAlias = dict[str, JsonValue]  # JSON whose members another schema describes


class Body(BaseModel):
    """A request's body: exact types, no unknown members."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Shape(BaseModel):
    """An answer: exactly these members."""

    model_config = ConfigDict(extra="forbid")


class Bilingual(Shape):
    """A text in two languages."""

    zh: str
    en: str


class WarningShape(Shape):
    """Something that is no refusal, and is said whenever the certificate is shown."""

    model_config = ConfigDict(extra="forbid", title="Warning")

    code: str
    reason: Bilingual
    id: str | None = None
    status: str | None = None
    since: str | None = None


class Listing(Shape, Generic[T]):
    """One page of a list; ``next`` continues it."""

    items: list[T]
    next: str | None


class WholeListing(Shape, Generic[T]):
    """A list that is given whole."""

    items: list[T]
    next: None


class FaultShape(Shape):
    """One thing wrong with a body."""

    pointer: str
    rule: str
    message: Bilingual


class ProblemShape(Shape):
    """A problem document (RFC 9457)."""

    model_config = ConfigDict(extra="allow")  # the token endpoint's has those of RFC 6749 too

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[FaultShape] = []
