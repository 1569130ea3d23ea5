"""Bodies about objections and their answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ecert.model import LINE
from ecert_api.bodies._common import (
    Body,
    Line,
    Listing,
    Object,
    OperatorToken,
    Reason,
    Shape,
    Words,
)

FieldText = Annotated[str, Field(min_length=1, max_length=128, pattern=LINE)]


class ObjectionBody(Body):
    """What is wrong with a certificate."""

    field: FieldText
    words: Words
    operator: Line | None = None
    operator_token: OperatorToken | None = None


class HolderObjectionBody(Body):
    """What is wrong with a certificate, says its holder."""

    certificate: Annotated[str, Field(min_length=1, max_length=128)]
    field: FieldText
    words: Words


class AnswerBody(Body):
    """The answer to an objection: with a draft and a basis a correction, without a reason why not.

    ``corrected``: the next version that is there already answers it.
    """

    answer: Words
    operator: Line
    operator_token: OperatorToken | None = None
    basis: Reason | None = None
    draft: Object | None = None
    corrected: bool = False


class RaisedByShape(Shape):
    """Who objects: an agency, or a holder, who is not named."""

    agency: str | None = None
    holder: bool | None = None


class ObjectionShape(Shape):
    """An objection as both sides see it."""

    id: str
    certificate: str
    issuer: str
    raised_by: RaisedByShape
    field: str
    words: str
    state: Literal["open", "corrected", "rejected"]
    answer: str | None
    successor: str | None
    created_at: str
    answered_at: str | None


ObjectionListing = Listing[ObjectionShape]
