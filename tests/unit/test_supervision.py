"""Supervision: the lights of a promise, sums that agree, and pages that nobody can write into."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecert.errors import InputError
from ecert.pictures import supervision_html
from ecert.reuse.supervision import MAX_PERIOD_DAYS, Period, figures_csv, light, make_period

ACCEPTED, DUE = date(2026, 3, 2), date(2026, 3, 12)  # ten days: the last two are near
HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


# -- lights ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("today", "decided", "colour"),
    [
        (0, None, "green"),
        (7, None, "green"),
        (8, None, "yellow"),
        (10, None, "yellow"),
        (11, None, "red"),
        (0, 0, "green"),
        (9, 9, "green"),
        (10, 10, "green"),
        (99, 10, "green"),
        (11, 11, "red"),
        (99, 11, "red"),
    ],
)
def test_a_case_is_green_yellow_or_red(today: int, decided: int | None, colour: str) -> None:
    def day(number: int) -> date:
        return ACCEPTED + timedelta(days=number)

    assert light(ACCEPTED, DUE, day(today), None if decided is None else day(decided)) == colour


def test_a_case_due_at_once_is_near_from_the_start() -> None:
    assert light(ACCEPTED, ACCEPTED, ACCEPTED, None) == "yellow"
    assert light(ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED) == "green"


days = st.integers(0, 400).map(lambda number: ACCEPTED + timedelta(days=number))


@given(days, days, days)
def test_time_never_makes_a_case_look_better(due: date, today: date, later: date) -> None:
    worse = ("green", "yellow", "red")
    first, second = sorted((today, later))
    assert worse.index(light(ACCEPTED, due, first, None)) <= worse.index(
        light(ACCEPTED, due, second, None)
    )


@given(days, days, days)
def test_a_decided_case_keeps_its_light(due: date, today: date, decided: date) -> None:
    assert light(ACCEPTED, due, today, decided) == ("red" if decided > due else "green")


# -- periods ---------------------------------------------------------------------------------------------

LATE = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)  # already the 3rd in Guangzhou


def test_without_words_the_last_thirty_days_are_meant() -> None:
    period = make_period(None, None, LATE)
    assert (period.since, period.until, period.days) == (date(2026, 2, 2), date(2026, 3, 3), 30)


def test_both_days_of_a_period_are_in_it() -> None:
    start, end = Period(date(2026, 3, 2), date(2026, 3, 2)).seconds()
    assert datetime.fromtimestamp(start, UTC) == datetime(2026, 3, 1, 16, tzinfo=UTC)
    assert end - start == 86_400


@pytest.mark.parametrize("length", [0, MAX_PERIOD_DAYS + 1, -5])
def test_a_period_has_a_day_at_least_and_two_years_at_most(length: int) -> None:
    until = date(2026, 3, 2)
    with pytest.raises(InputError):
        make_period(until - timedelta(days=length - 1), until, LATE)


@pytest.mark.parametrize("length", [1, MAX_PERIOD_DAYS])
def test_a_period_may_have_so_many_days(length: int) -> None:
    until = date(2026, 3, 2)
    assert make_period(until - timedelta(days=length - 1), until, LATE).days == length


@pytest.mark.parametrize("day", [date.min, date.max])
def test_the_ends_of_the_calendar_are_refused_in_words(day: date) -> None:
    """A day of the query string, such as 0001-01-01 or 9999-12-31."""
    for since, until in ((None, day), (day, day)):
        try:
            make_period(since, until, LATE).seconds()
        except InputError:
            continue


# -- what is shown ---------------------------------------------------------------------------------------


def figures(name: str = "局") -> dict[str, Any]:
    """Write figures in which every text is the same."""
    words = {"zh": name, "en": name}
    counts = {"papers_not_brought": 4, "dossiers": 2, "refusals": 1}
    return {
        "period": {"since": "2026-03-01", "until": "2026-03-02"},
        "made_at": "2026-03-02T01:30:00Z",
        "papers_not_brought": 4,
        "dossiers": 2,
        "refused": 1,
        "by_agency": [
            {"agency": name, "name": name, **counts},
            {"agency": None, "name": name, **counts},
        ],
        "by_matter": [
            {"matter": name, "name": words, **counts},
            {"matter": "M", "name": None, **counts},
        ],
        "by_type": [{"type": name, "name": words, "papers_not_brought": 4}],
        "refusals": [{"code": name, "count": 1}],
        "per_day": [{"day": "2026-03-01", **counts}, {"day": "2026-03-02", **counts}],
        "promises": [
            {
                "agency": name,
                "name": name,
                "matter": name,
                "cases": 3,
                "decided": 1,
                "green": 1,
                "yellow": 1,
                "red": 1,
                "average_days": 2.5,
                "promised_days": None,
            }
        ],
        "unusual": [
            {
                "client": name,
                "name": name,
                "agency": name,
                "day": "2026-03-02",
                "reads": 99,
                "usual": 1.5,
            }
        ],
    }


class Reader(HTMLParser):
    """Reads a page as a browser does: which elements and attributes, and which words."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def test_a_page_has_the_figures_and_fetches_nothing() -> None:
    page = supervision_html(figures())
    found = read(page)
    assert not {"script", "img", "link", "iframe", "form", "object"} & found.tags.keys()
    assert not {"src", "href", "action"} & found.attributes
    assert "http" not in page
    assert "4免提交材料" in found.words


def test_no_name_writes_into_the_page() -> None:
    plain, hostile = read(supervision_html(figures())), read(supervision_html(figures(HOSTILE)))
    assert hostile.tags == plain.tags
    assert hostile.attributes == plain.attributes
    assert HOSTILE in hostile.words


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40))
def test_no_text_writes_into_the_page(name: str) -> None:
    plain, other = read(supervision_html(figures())), read(supervision_html(figures(name)))
    assert (other.tags, other.attributes) == (plain.tags, plain.attributes)


def test_a_page_of_nothing_is_a_page() -> None:
    nothing = {
        name: [] if isinstance(value, list) else value for name, value in figures().items()
    } | {"papers_not_brought": 0, "dossiers": 0, "refused": 0}
    assert "无 · none" in supervision_html(nothing)


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


def test_a_table_has_one_number_a_line() -> None:
    text = figures_csv(figures())
    assert text.startswith("\ufeffsection,key,name,measure,value\r\n")
    rows = table(text)
    assert {len(row) for row in rows} == {5}
    assert rows[1] == ["total", "", "", "papers_not_brought", "4"]
    assert ["by_matter", "局", "局", "dossiers", "2"] in rows
    assert ["promises", "局", "局", "average_days", "2.5"] in rows
    assert ["per_day", "2026-03-02", "", "refusals", "1"] in rows
    assert all(float(row[4]) >= 0 for row in rows[1:])


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "＝", "＋", "－", "＠"])
def test_no_name_is_a_formula(sign: str) -> None:
    """OWASP, CSV Injection: these too, for what a spreadsheet in Chinese reads as one."""
    for row in table(figures_csv(figures(f'{sign}cmd|" /C calc"!A0')))[1:]:
        assert not [cell for cell in row[:4] if cell.startswith(sign)]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_no_name_moves_a_number_to_another_cell(name: str) -> None:
    plain, other = table(figures_csv(figures())), table(figures_csv(figures(name)))
    assert [row[3:] for row in other] == [row[3:] for row in plain]
    assert {len(row) for row in other} == {5}
