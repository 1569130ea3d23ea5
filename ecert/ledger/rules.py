"""Sharing rules 共享规则: which of them decides, and what opens a type as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum

from ecert.store import RuleRow


class Mode(StrEnum):
    """How a type is shared with an agency."""

    UNCONDITIONAL = "unconditional"  # 无条件共享
    CONDITIONAL = "conditional"  # 有条件共享: only with the holder's authorisation
    NOT_SHARED = "not_shared"  # 不予共享, whatever the holder says


WHOLE = "*"  # among a rule's fields: the whole certificate, also as an annotated copy
_EVERY_MATTER = ""  # no matter has an empty code: only rules for all matters fit it


def nearest_rule(
    rules: Iterable[RuleRow], slug: str, matter: str, line: Sequence[str], today: date
) -> RuleRow | None:
    """Find the rule that decides for a type: of two equally near, the stricter, then the newer."""
    day = today.isoformat()
    fitting = [
        one
        for one in rules
        if one.slug == slug
        and one.agency in line
        and one.matter in {None, matter}
        and (one.valid_from or day) <= day <= (one.valid_to or day)
    ]
    strictness = [Mode.UNCONDITIONAL, Mode.CONDITIONAL, Mode.NOT_SHARED]
    return max(
        fitting,
        default=None,
        key=lambda one: (
            one.matter is not None,
            -line.index(one.agency),
            strictness.index(Mode(one.mode)),
            one.created_at,
            one.id,
        ),
    )


def opened_whole(
    rules: Sequence[RuleRow], line: Sequence[str], today: date
) -> Mapping[str, RuleRow]:
    """List the types that an agency may read as a whole, for any matter, each with its rule."""
    found = {
        slug: nearest_rule(rules, slug, _EVERY_MATTER, line, today)
        for slug in {one.slug for one in rules}
    }
    return {
        slug: rule
        for slug, rule in found.items()
        if rule is not None and rule.mode == Mode.UNCONDITIONAL and WHOLE in rule.fields
    }


def cited(rule: RuleRow) -> dict[str, str]:
    """Give a rule as statements and the trail cite it."""
    return {"rule": rule.id, "legal_basis": rule.legal_basis}
