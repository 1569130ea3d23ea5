"""Competence 职权: which agency may issue which type, from which day to which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from ecert.errors import InputError
from ecert.model.calendar import Validity

PAPER = (
    "paper"  # a competence only to enter paper of the past, for types that are no longer granted
)


@dataclass(frozen=True, slots=True)
class Competence:
    """One agency's right to issue one type; both days are inclusive, civil days of the agency.

    ``to_entry`` is how long the log was when the period was closed, ``successor`` the agency that it
    was transferred to. ``register_index`` is where the log has its statement; None: not signed yet.
    """

    agency: str
    slug: str
    from_day: date
    basis: str = ""
    to_day: date | None = None
    only: str | None = None
    successor: str | None = None
    to_entry: int | None = None
    register_index: int | None = None

    def covers(self, day: date) -> bool:
        """Tell whether a day lies in the period."""
        return self.from_day <= day and (self.to_day is None or day <= self.to_day)

    def overlaps(self, other: Competence) -> bool:
        """Tell whether two periods have a day in common."""
        is_before = self.to_day is not None and self.to_day < other.from_day
        is_after = other.to_day is not None and other.to_day < self.from_day
        return not is_before and not is_after

    def is_followed(self, others: Iterable[Competence]) -> bool:
        """Tell whether another period of the same agency and type begins the day after."""
        if self.to_day is None:
            return False
        return any(
            (one.agency, one.slug) == (self.agency, self.slug)
            and one.from_day - self.to_day == timedelta(days=1)
            for one in others
        )

    def end(self, zone: str) -> int:
        """Give the end of the last day, in Unix seconds. Raises: InputError without a last day."""
        return self._midnight(zone, 1)

    def proof_deadline(self, zone: str) -> int:
        """Give the moment until which a key must be retired to prove by itself what it signed.

        It is 00:00 of the third day after the last one, in Unix seconds (design §10.1).
        """
        return self._midnight(zone, 3)

    def _midnight(self, zone: str, days: int) -> int:
        if self.to_day is None:
            raise InputError("this period is open")
        try:
            day = self.to_day + timedelta(days=days)
        except OverflowError as error:
            raise InputError("this period reaches beyond the calendar") from error
        return Validity(day, None).seconds(zone)[0]

    def is_due(self, today: date) -> bool:
        """Tell whether the last day is past."""
        return self.to_day is not None and self.to_day < today

    def to_json(self) -> dict[str, Any]:
        """Give the shape of ``agency list`` and of the interface."""
        return {
            "type": self.slug,
            "from": self.from_day.isoformat(),
            "to": None if self.to_day is None else self.to_day.isoformat(),
            "only": self.only,
            "basis": self.basis,
            "successor": self.successor,
            "to_entry": self.to_entry,
        }
