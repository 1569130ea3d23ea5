"""Supervision 电子监察: papers not brought, refusals, promises kept, unusual reading. Sums, never names."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ecert._encoding import instant, rfc3339
from ecert.errors import InputError, NotFound
from ecert.ledger.acting import Desk
from ecert.model import DEFAULT_ZONE, civil_date
from ecert.reuse.matter import find_matter, read_matter
from ecert.store import Reading, agencies, clients, matters
from ecert.store import supervision as counted
from ecert.store.supervision import DAY, CaseRow

MAX_PERIOD_DAYS = 731
HABIT_DAYS = 28
UNUSUAL_FACTOR = 3
UNUSUAL_LEAST = 20  # below this nothing is far above a habit
YELLOW_SHARE = 0.2  # of the time from acceptance to the due day
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Period:
    """From one civil day to another, both included."""

    since: date
    until: date

    def seconds(self) -> tuple[int, int]:
        """Give its first second and the one after its last, in Unix seconds."""
        zone = ZoneInfo(DEFAULT_ZONE)
        start = datetime(self.since.year, self.since.month, self.since.day, tzinfo=zone)
        after = self.until + timedelta(days=1)
        end = datetime(after.year, after.month, after.day, tzinfo=zone)
        return int(start.timestamp()), int(end.timestamp())

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.until - self.since).days + 1


def make_period(since: date | None, until: date | None, now: datetime) -> Period:
    """Choose a period: the last thirty days unless told. Raises: InputError."""
    today = civil_date(now, DEFAULT_ZONE)
    last = until or today
    if not _EPOCH + timedelta(days=MAX_PERIOD_DAYS) <= last <= today + timedelta(days=366):
        raise InputError("a period lies in this registry's time")
    first = since or last - timedelta(days=29)
    if not 0 <= (last - first).days < MAX_PERIOD_DAYS:
        raise InputError(f"a period has 1 to {MAX_PERIOD_DAYS} days")
    return Period(first, last)


def supervise(desk: Desk, period: Period) -> dict[str, Any]:
    """Count what supervisors ask for, as of now."""
    now = desk.clock()
    with desk.store.snapshot() as reading:
        tally = _Tally(reading, period, now)
        return {
            "period": {"since": str(period.since), "until": str(period.until)},
            "made_at": rfc3339(now),
            "papers_not_brought": sum(tally.papers.values()),
            "dossiers": sum(tally.dossiers.values()),
            "refused": sum(tally.refusals.values()),
            "by_agency": tally.by_agency(),
            "by_matter": tally.by_matter(),
            "by_type": tally.by_type(desk),
            "refusals": tally.by_code(),
            "per_day": tally.per_day(),
            "promises": _promises(reading, period, now),
            "unusual": _unusual(reading, period, now),
        }


class _Tally:
    """The counts of a period, by agency, matter, type and day."""

    def __init__(self, reading: Reading, period: Period, now: datetime) -> None:
        start, end = period.seconds()
        self._period = period
        self._reading = reading
        offset = _offset(now)
        self.papers: Counter[tuple[Any, ...]] = _counter(
            counted.papers(reading, start, end, offset)
        )
        self.dossiers: Counter[tuple[Any, ...]] = _counter(
            counted.dossiers(reading, start, end, offset)
        )
        self.refusals: Counter[tuple[Any, ...]] = _counter(
            counted.refusals(reading, start, end, offset)
        )

    def by_agency(self) -> list[dict[str, Any]]:
        names = {one.code: one.name for one in agencies.listed(self._reading)}
        papers, dossiers = _by(self.papers, 0), _by(self.dossiers, 0)
        refusals = _by(self.refusals, 0)
        codes = {*papers, *dossiers, *refusals}
        rows = [
            {
                "agency": code,
                "name": names.get(code, "登记机构 · the registry"),
                "papers_not_brought": papers[code],
                "dossiers": dossiers[code],
                "refusals": refusals[code],
            }
            for code in codes
        ]
        return sorted(rows, key=lambda row: (-row["papers_not_brought"], str(row["agency"])))

    def by_matter(self) -> list[dict[str, Any]]:
        papers, dossiers = _by(self.papers, 1), _by(self.dossiers, 1)
        refusals = _by(self.refusals, 1)
        rows = [
            {
                "matter": code,
                "name": _matter_name(self._reading, code),
                "papers_not_brought": papers[code],
                "dossiers": dossiers[code],
                "refusals": refusals[code],
            }
            for code in {*papers, *dossiers}
        ]
        return sorted(rows, key=lambda row: (-row["papers_not_brought"], row["matter"]))

    def by_type(self, desk: Desk) -> list[dict[str, Any]]:
        papers = _by(self.papers, 2)
        names = {kind.slug: dict(kind.name) for kind in desk.catalogue}
        rows = [
            {"type": slug, "name": names.get(slug), "papers_not_brought": count}
            for slug, count in papers.items()
        ]
        return sorted(
            rows, key=lambda row: (-int(str(row["papers_not_brought"])), str(row["type"]))
        )

    def by_code(self) -> list[dict[str, Any]]:
        found = _by(self.refusals, 2).most_common()
        return [{"code": code, "count": count} for code, count in found]

    def per_day(self) -> list[dict[str, Any]]:
        papers, dossiers = _by(self.papers, 3), _by(self.dossiers, 2)
        refusals = _by(self.refusals, 3)
        first = (self._period.since - _EPOCH).days
        return [
            {
                "day": str(_EPOCH + timedelta(days=number)),
                "papers_not_brought": papers[number],
                "dossiers": dossiers[number],
                "refusals": refusals[number],
            }
            for number in range(first, first + self._period.days)
        ]


def _counter(rows: Iterable[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    return Counter({tuple(row[:-1]): int(row[-1]) for row in rows})


def _by(counts: Mapping[tuple[Any, ...], int], place: int) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for key, count in counts.items():
        found[key[place]] += count
    return found


def _offset(now: datetime) -> int:
    offset = now.astimezone(ZoneInfo(DEFAULT_ZONE)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _matter_name(reading: Reading, code: str) -> dict[str, str] | None:
    try:
        return dict(find_matter(reading, code).name)
    except NotFound:
        return None


# -- promises ----------------------------------------------------------------------------------------


def light(accepted: date, due: date, today: date, decided: date | None) -> str:
    """Judge a case against its due day: ``green``, ``yellow`` near it, ``red`` past it."""
    if (decided or today) > due:
        return "red"
    left, whole = (due - today).days, (due - accepted).days
    return "yellow" if decided is None and left <= whole * YELLOW_SHARE else "green"


def _promises(reading: Reading, period: Period, now: datetime) -> list[dict[str, Any]]:
    """Hold the cases of each matter against what was promised; the slowest agencies first."""
    start, end = period.seconds()
    today = civil_date(now, DEFAULT_ZONE)
    found: dict[tuple[str, str], list[tuple[str, int | None]]] = defaultdict(list)
    promised: dict[str, int | None] = {}
    for case in counted.promised_cases(reading, start, end):
        definition = matters.version(reading, case.matter, case.version)
        if definition is None:
            continue
        matter = read_matter(definition)
        promised[case.matter] = matter.promised_days
        decided = _decided(reading, case, matter.agency, matter.issues)
        accepted = date.fromisoformat(case.accepted_on)
        colour = light(accepted, date.fromisoformat(case.due_on), today, decided)
        days = None if decided is None else (decided - accepted).days
        found[case.agency, case.matter].append((colour, days))
    names = {one.code: one.name for one in agencies.listed(reading)}
    rows = [
        _promise(agency, names.get(agency), matter, cases, promised[matter])
        for (agency, matter), cases in found.items()
    ]
    return sorted(rows, key=lambda row: (-row["red"], -(row["average_days"] or 0), row["matter"]))


def _decided(reading: Reading, case: CaseRow, issuer: str, slugs: tuple[str, ...]) -> date | None:
    if not slugs or (case.project_code is None and case.holder_hmac is None):
        return None
    at = counted.decided_at(reading, case, issuer, slugs)
    return None if at is None else civil_date(instant(at), DEFAULT_ZONE)


def _promise(
    agency: str,
    name: str | None,
    matter: str,
    cases: list[tuple[str, int | None]],
    promised_days: int | None,
) -> dict[str, Any]:
    colours = Counter(colour for colour, _ in cases)
    days = [one for _, one in cases if one is not None]
    return {
        "agency": agency,
        "name": name,
        "matter": matter,
        "cases": len(cases),
        "decided": len(days),
        "green": colours["green"],
        "yellow": colours["yellow"],
        "red": colours["red"],
        "average_days": round(sum(days) / len(days), 1) if days else None,
        "promised_days": promised_days,
    }


# -- unusual reading -----------------------------------------------------------------------------------


def _unusual(reading: Reading, period: Period, now: datetime) -> list[dict[str, Any]]:
    """Name clients that on some day read far more than in the four weeks before it."""
    start, end = period.seconds()
    offset = _offset(now)
    per_day: dict[str, Counter[int]] = defaultdict(Counter)
    for client, day, count in counted.reads(reading, start - HABIT_DAYS * DAY, end, offset):
        per_day[client][int(day)] += int(count)
    known = {one.id: one for one in clients.listed(reading)}
    first = (start + offset) // DAY
    rows = []
    for client, days in per_day.items():
        for day, count in sorted(days.items()):
            usual = sum(days[day - back] for back in range(1, HABIT_DAYS + 1)) / HABIT_DAYS
            if day >= first and count >= UNUSUAL_LEAST and count > UNUSUAL_FACTOR * usual:
                row = known.get(client)
                rows.append(
                    {
                        "client": client,
                        "name": None if row is None else row.name,
                        "agency": None if row is None else row.agency,
                        "day": str(_EPOCH + timedelta(days=day)),
                        "reads": count,
                        "usual": round(usual, 1),
                    }
                )
    return sorted(rows, key=lambda row: (str(row["day"]), str(row["client"])))


# -- CSV ------------------------------------------------------------------------------------------------


def figures_csv(figures: Mapping[str, Any]) -> str:
    """Write the figures as one CSV table: what, which, and the number, for a spreadsheet."""
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\r\n")
    table.writerow(["section", "key", "name", "measure", "value"])
    for measure in ("papers_not_brought", "dossiers", "refused"):
        table.writerow(["total", "", "", measure, figures[measure]])
    for section, key in _SECTIONS:
        for row in figures[section]:
            name = row.get("name")
            words = name["zh"] if isinstance(name, dict) else name
            for measure, value in row.items():
                if measure not in {key, "name"} and isinstance(value, int | float):
                    table.writerow([section, _safe(row[key]), _safe(words), measure, value])
    return "\ufeff" + written.getvalue()  # a spreadsheet takes it for UTF-8 by this mark


_SECTIONS = (
    ("by_agency", "agency"),
    ("by_matter", "matter"),
    ("by_type", "type"),
    ("refusals", "code"),
    ("per_day", "day"),
    ("promises", "matter"),
    ("unusual", "client"),
)


_FORMULA = frozenset("=+-@\t\r＝＋－＠")  # also in full width, as some spreadsheets read them


def _safe(value: Any) -> str:
    """Write a cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return "'" + text if text[:1] in _FORMULA else text
