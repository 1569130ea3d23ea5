"""Succession 承继: who answers for what an agency issued, since the type was transferred (design §10.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ecert.model import civil_date
from ecert.store import Reading, agencies, register
from ecert.store.responsibility import Responsibility


@dataclass(frozen=True, slots=True)
class Successors:
    """What was transferred, as far as it has taken effect: (agency, type) → its successor."""

    after: Mapping[tuple[str, str], str] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()

    def responsible(self, issuer: str, slug: str) -> str:
        """Name the agency that answers for certificates of an issuer and a type; no transfer: itself."""
        at = issuer
        while (following := self.after.get((at, slug))) is not None:  # a circle is refused
            at = following
        return at

    def responsibility(self, agency: str) -> Responsibility:
        """Say what an agency answers for: its own but for what it handed on, and what it took over."""
        handed_on = frozenset(pair for pair in self.after if pair[0] == agency)
        return Responsibility(agency, self.taken_over(agency), handed_on)

    def leads_through(self, issuer: str, agency: str, slug: str) -> bool:
        """Tell whether what an issuer issued is, or was on its way, an agency's to answer for."""
        at: str | None = issuer
        while at is not None and at != agency:
            at = self.after.get((at, slug))
        return at == agency

    def heir(self, agency: str) -> str:
        """Name who stands for an agency that was closed: the one that all of it was transferred to."""
        if agency not in self.closed:
            return agency
        ends = {self.responsible(*pair) for pair in self.after if pair[0] == agency}
        return ends.pop() if len(ends) == 1 else agency

    def stands_for(self, agency: str) -> frozenset[str]:
        """Name the closed agencies that an agency stands for."""
        return frozenset(one for one in self.closed if one != agency and self.heir(one) == agency)

    def line(self, line: Sequence[str]) -> tuple[str, ...]:
        """Give a line of agencies with those that they stand for: what names these names them."""
        return tuple(one for each in line for one in (each, *sorted(self.stands_for(each))))

    def owner(self, agency: str, slugs: Iterable[str]) -> str:
        """Name whose a matter is now, by the types that it results in."""
        ends = {self.responsible(agency, slug) for slug in slugs}
        return ends.pop() if len(ends) == 1 else self.heir(agency)

    def taken_over(self, agency: str) -> frozenset[tuple[str, str]]:
        """List the issuers and types that an agency answers for besides its own."""
        return frozenset(pair for pair in self.after if self.responsible(*pair) == agency)

    def once_taken_over(self, agency: str) -> frozenset[tuple[str, str]]:
        """List the issuers and types that an agency answers for, or did on their way, besides its own."""
        return frozenset(
            (issuer, slug)
            for issuer, slug in self.after
            if issuer != agency and self.leads_through(issuer, agency, slug)
        )


NOTHING_TRANSFERRED = Successors()


def read_successors(reading: Reading, now: datetime) -> Successors:
    """Read what was transferred until now: from 00:00 of its day, where the old agency is."""
    rows = register.transferred(reading)
    if not rows:
        return NOTHING_TRANSFERRED
    known = agencies.listed(reading)
    today = {one.code: civil_date(now, one.time_zone) for one in known}
    return Successors(
        {
            (one.agency, one.slug): one.successor
            for one in rows
            if one.successor is not None and one.is_due(today[one.agency])
        },
        frozenset(one.code for one in known if one.is_closed(today[one.code])),
    )


def sharing_numbers(reading: Reading, agency: str, slug: str) -> frozenset[str]:
    """Name the agencies whose certificates of a type are, or on a registered day will be, one agency's.

    No two of them may carry one number.
    """
    pairs = [
        (one.agency, one.successor) for one in register.transferred(reading) if one.slug == slug
    ]
    found = {agency}
    for _ in pairs:
        found |= {end for pair in pairs if found & set(pair) for end in pair if end is not None}
    return frozenset(found)
