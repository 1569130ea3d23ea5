"""Sharing rules 共享规则: which agency may have certificates of which type, for which matter.

Without a rule nothing is shared, unless the holder authorises it. The nearest rule decides: one for
the very matter before one for all, one for the agency itself before one for an agency above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ecert._encoding import instant, rfc3339
from ecert.errors import FieldNotAllowed, NotFound
from ecert.ledger.rules import WHOLE, Mode, cited, nearest_rule
from ecert.model import FieldsAsked
from ecert.reuse.matter import NO_MATTER, Material, Matter, Option
from ecert.store import GrantRow, RuleRow


@dataclass(frozen=True, slots=True)
class Permission:
    """That certificates of one type may be used for one material: which fields, on what strength.

    With a ``grant`` only certificates of the holder who gave it count.
    """

    fields: tuple[str, ...]
    rule: RuleRow | None
    grant: str | None

    def to_json(self) -> dict[str, str]:
        """Give the basis as statements and the trail cite it."""
        basis: dict[str, str] = {}
        if self.rule is not None:
            basis |= cited(self.rule)
        if self.grant is not None:
            basis["grant"] = self.grant
        return basis


Permissions = Mapping[tuple[str, str], Permission]  # (material, type) → permission


def new_rule(
    slug: str,
    agency: str,
    *,
    legal_basis: str,
    mode: Mode = Mode.UNCONDITIONAL,
    matter: str | None = None,
    fields: Sequence[str] = (),
    daily_quota: int | None = None,
    valid_from: date | None = None,
    valid_to: date | None = None,
) -> RuleRow:
    """Write a sharing rule; the registry gives it an id and a time when it is added."""
    return RuleRow(
        id="",
        slug=slug,
        agency=agency,
        matter=matter,
        mode=mode.value,
        fields=tuple(fields),
        legal_basis=legal_basis,
        daily_quota=daily_quota,
        valid_from=None if valid_from is None else valid_from.isoformat(),
        valid_to=None if valid_to is None else valid_to.isoformat(),
        ended_at=None,
        created_at=0,
    )


def rule_json(row: RuleRow) -> dict[str, Any]:
    """Give a sharing rule as JSON."""
    return {
        "id": row.id,
        "type": row.slug,
        "agency": row.agency,
        "matter": row.matter,
        "mode": row.mode,
        "fields": list(row.fields),
        "legal_basis": row.legal_basis,
        "daily_quota": row.daily_quota,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
        "ended_at": None if row.ended_at is None else rfc3339(instant(row.ended_at)),
        "created_at": rfc3339(instant(row.created_at)),
    }


@dataclass(frozen=True, slots=True)
class Access:
    """What bears on who may have what: rules, the line of agencies, a grant, and the day."""

    rules: Sequence[RuleRow]
    line: Sequence[str]
    grant: GrantRow | None
    today: date


def permit(matter: Matter, access: Access, asked: FieldsAsked | None = None) -> Permissions:
    """Say for which materials and types certificates may be used at all; nothing is looked up yet.

    Raises: NotFound where nothing of the matter may be had; FieldNotAllowed for a field that the
    matter does not need, or that the rule or the grant leaves out.
    """
    check_asked(matter, asked)
    found = {
        (material.code, option.slug): permission
        for material in matter.materials
        for option in material.options
        if (permission := _permission(matter, material, option, access, asked))
    }
    if not found:
        raise NotFound(NO_MATTER)
    return found


def check_asked(matter: Matter, asked: FieldsAsked | None) -> None:
    """Refuse what the matter does not need. Raises: FieldNotAllowed."""
    for code, fields in (asked or {}).items():
        material = matter.material(code)
        if material is None:
            raise FieldNotAllowed("the matter has no such material")
        needed = {name for option in material.options for name in option.fields}
        if set(fields) - needed:
            raise FieldNotAllowed(f"{code}: the matter does not need such a field")


def _permission(
    matter: Matter, material: Material, option: Option, access: Access, asked: FieldsAsked | None
) -> Permission | None:
    rule = nearest_rule(access.rules, option.slug, matter.code, access.line, access.today)
    if rule is not None and rule.mode == Mode.NOT_SHARED:
        return None
    is_open = rule is not None and rule.mode == Mode.UNCONDITIONAL
    agreed = None if access.grant is None else access.grant.fields.get(material.code)
    if not is_open and agreed is None:
        return None
    wanted = _wanted(material, option, asked)
    looked_at = {*wanted, *(one.field for one in option.demands if one.field)}
    if rule is not None:
        whole = not rule.fields or WHOLE in rule.fields
        _check_fields(material, looked_at, option.fields if whole else rule.fields)
    if is_open:
        return Permission(wanted, rule, None)
    _check_fields(material, looked_at, agreed or ())
    return Permission(wanted, rule, None if access.grant is None else access.grant.id)


def _wanted(material: Material, option: Option, asked: FieldsAsked | None) -> tuple[str, ...]:
    if asked is None or material.code not in asked:
        return option.fields
    return tuple(name for name in option.fields if name in asked[material.code])


def _check_fields(material: Material, wanted: Iterable[str], allowed: Iterable[str]) -> None:
    """Refuse what is not allowed; also what a condition looks at tells something of it."""
    if beyond := sorted(set(wanted) - set(allowed)):
        raise FieldNotAllowed(f"{material.code}: not allowed: {', '.join(beyond)[:200]}")
