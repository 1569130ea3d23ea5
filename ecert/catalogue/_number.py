"""Printed numbers 证照编号: the pattern that makes them and says which fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from ecert.model import Agency

SERIAL = re.compile(r"\{serial(?::(\d+))?\}")


@dataclass(frozen=True, slots=True)
class NumberPattern:
    """How a type's printed number is made 编号规则: a template with one serial, and what is accepted."""

    template: str
    pattern: re.Pattern[str] | None
    strict: bool

    def prefix(self, agency: Agency, issued_on: date) -> str:
        """Give the part before the serial: the counter belongs to it."""
        return _parts(self.template, agency, issued_on)[0]

    def make(self, agency: Agency, issued_on: date, serial: int) -> str | None:
        """Write a number; None when the serial no longer fits the width."""
        head, width, tail = _parts(self.template, agency, issued_on)
        digits = str(serial).zfill(width)
        return None if width and len(digits) > width else head + digits + tail

    def is_usable_by(self, agency: Agency) -> bool:
        """Tell whether the agency has all that the template names (its short name may be missing)."""
        return "{short_name}" not in self.template or agency.short_name is not None

    def fits(self, number: str) -> bool:
        """Tell whether a number that an agency brings has an accepted form."""
        return self.pattern is None or bool(self.pattern.fullmatch(number))


@lru_cache(maxsize=4096)
def _parts(template: str, agency: Agency, issued_on: date) -> tuple[str, int, str]:
    """Fill a template in around its serial: what stands before, the width, what stands after."""
    head, width, tail = SERIAL.split(template)
    return _fill(head, agency, issued_on), int(width or 0), _fill(tail, agency, issued_on)


def _fill(text: str, agency: Agency, issued_on: date) -> str:
    return (
        text.replace("{division}", agency.division[:6])
        .replace("{year}", f"{issued_on.year:04}")
        .replace("{date}", issued_on.strftime("%Y%m%d"))
        .replace("{short_name}", agency.short_name or "")
    )
