"""Applications 申请: what somebody applies for, and for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

FieldsAsked = Mapping[str, Sequence[str]]  # by material, the fields that are asked for


@dataclass(frozen=True, slots=True)
class Application:
    """What somebody applies for 申请: the matter and its situation, the case number, and for whom.

    At least one of ``holder_code``, ``project_code`` and ``grant`` says for whom. ``fields`` asks
    for fewer fields than the matter needs. ``accepted_on`` and ``due_on`` let supervisors see
    whether the case keeps its promise.
    """

    matter: str
    case_number: str
    holder_code: str | None = None
    project_code: str | None = None
    situation: str | None = None
    grant: str | None = None
    fields: FieldsAsked | None = None
    accepted_on: date | None = None
    due_on: date | None = None
