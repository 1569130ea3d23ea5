"""Civil dates 日历日期 in an agency's time zone, and the instants they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ecert.errors import InputError

DEFAULT_ZONE = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Validity:
    """From which civil date to which, both included; ``valid_to`` None means long-term 长期."""

    valid_from: date
    valid_to: date | None

    def seconds(self, zone: str) -> tuple[int, int | None]:
        """Give ``nbf`` and ``exp``: 00:00 of the first day, and of the day after the last.

        Raises: InputError at the ends of the calendar, where there is no such day.
        """
        try:
            end = None if self.valid_to is None else self.valid_to + timedelta(days=1)
            return _midnight(self.valid_from, zone), None if end is None else _midnight(end, zone)
        except (OverflowError, ValueError) as error:
            raise InputError("the validity reaches beyond the calendar") from error


def _midnight(day: date, zone: str) -> int:
    return int(datetime.combine(day, time(), ZoneInfo(zone)).timestamp())


def check_time_zone(name: str) -> str:
    """Check the name of a time zone (IANA). Raises: InputError."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InputError("there is no such time zone") from error
    return name


def civil_date(moment: datetime, zone: str) -> date:
    """Give the calendar date of an instant in a time zone."""
    return moment.astimezone(ZoneInfo(zone)).date()


def end_of_day(day: date, zone: str = DEFAULT_ZONE) -> datetime:
    """Give the last second of a civil date: what ``--at 2026-03-01`` means."""
    return datetime.combine(day, time(23, 59, 59), ZoneInfo(zone))
