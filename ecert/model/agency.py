"""Agencies 机构."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ecert.model.calendar import DEFAULT_ZONE


@dataclass(frozen=True, slots=True)
class Agency:
    """A department that issues or uses certificates 机构; ``code`` is its credit code.

    ``parent`` is the agency above it (district, street or town, village); with ``requires_dpop``
    the calls of its systems, and of those below it, prove possession of a key (RFC 9449).
    """

    code: str
    name: str
    division: str
    parent: str | None = None
    short_name: str | None = None
    time_zone: str = DEFAULT_ZONE
    requires_dpop: bool = False

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
        }
