"""What an agency answers for: its own certificates but for what it handed on, and what it took over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, false, not_, or_

from ecert.store import tables as t


@dataclass(frozen=True, slots=True)
class Responsibility:
    """An agency, with what was transferred to it and from it, as pairs of issuer and type."""

    agency: str
    taken_over: frozenset[tuple[str, str]] = frozenset()
    handed_on: frozenset[tuple[str, str]] = frozenset()


NO_RESPONSIBILITY = Responsibility("")


def is_answered_for(one: Responsibility) -> ColumnElement[bool]:
    """Tell of a certificate whether an agency answers for it."""
    own = and_(t.certificates.c.issuer == one.agency, not_(_among(one.handed_on)))
    return or_(own, _among(one.taken_over))


def _among(pairs: Iterable[tuple[str, str]]) -> ColumnElement[bool]:
    c = t.certificates.c
    named = [and_(c.issuer == issuer, c.slug == slug) for issuer, slug in sorted(pairs)]
    return or_(false(), *named)
