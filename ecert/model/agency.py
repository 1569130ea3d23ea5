"""Agencies 机构."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from ecert.model.calendar import DEFAULT_ZONE


@dataclass(frozen=True, slots=True)
class Agency:
    """A department that issues or uses certificates 机构; ``code`` is its credit code.

    ``parent`` is the agency above it (district, street or town, village); with ``requires_dpop``
    the calls of its systems, and of those below it, prove possession of a key (RFC 9449).
    ``closed_on`` is the first day on which it is no more.
    """

    code: str
    name: str
    division: str
    parent: str | None = None
    short_name: str | None = None
    time_zone: str = DEFAULT_ZONE
    requires_dpop: bool = False
    closed_on: date | None = None

    def is_closed(self, day: date) -> bool:
        """Tell whether it is no more on a day."""
        return self.closed_on is not None and self.closed_on <= day

    def to_json(self) -> dict[str, Any]:
        """Give every member as JSON."""
        return {
            "code": self.code,
            "name": self.name,
            "division": self.division,
            "parent": self.parent,
            "short_name": self.short_name,
            "time_zone": self.time_zone,
            "requires_dpop": self.requires_dpop,
            "closed_on": None if self.closed_on is None else self.closed_on.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class AgencyVersion:
    """What is known of an agency from a day on; certificates keep the name they were issued under."""

    agency: str
    from_day: date
    name: str
    division: str
    parent: str | None = None
    short_name: str | None = None

    def is_shown_by(self, agency: Agency) -> bool:
        """Tell whether an agency is as this version says."""
        known = (agency.name, agency.division, agency.parent, agency.short_name)
        return known == (self.name, self.division, self.parent, self.short_name)


def version_of(agency: Agency, from_day: date) -> AgencyVersion:
    """Say that an agency is as it is from a day on."""
    return AgencyVersion(
        agency.code, from_day, agency.name, agency.division, agency.parent, agency.short_name
    )
