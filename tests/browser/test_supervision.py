"""The supervisors' page and the graph of matters in a real browser, on the screen and on paper."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pypdfium2
import pytest
from playwright.sync_api import Browser

from ecert.config import Plan
from ecert.demo import MARKET, MATTER, WORKS
from ecert.model import Record
from ecert.pictures import graph_svg, supervision_html
from ecert.registry import Registry
from ecert.testing import SettableClock, temporary_registry
from tests.browser.month import BY, live


@pytest.fixture(scope="module")
def month() -> Iterator[tuple[Registry, dict[str, Record]]]:
    clock = SettableClock()
    with temporary_registry(Plan("http://127.0.0.1:8000", MARKET, trial=True), clock=clock) as made:
        issued = live(made, clock)
        yield made, issued


@pytest.fixture(scope="module")
def figures(month: tuple[Registry, dict[str, Record]]) -> dict[str, Any]:
    return month[0].supervision.figures(by=BY)


def test_the_figures_agree_with_themselves(figures: dict[str, Any]) -> None:
    papers = figures["papers_not_brought"]
    assert papers > 100
    for section in ("by_agency", "by_matter", "by_type", "per_day"):
        assert sum(row["papers_not_brought"] for row in figures[section]) == papers, section
    assert sum(row["refusals"] for row in figures["per_day"]) == figures["refused"] == 10
    assert sum(row["dossiers"] for row in figures["by_agency"]) == figures["dossiers"]
    assert len(figures["per_day"]) == 30
    assert all(row["dossiers"] for row in figures["per_day"])
    (promise,) = figures["promises"]
    assert promise["cases"] == promise["green"] + promise["yellow"] + promise["red"]


def test_the_page_fetches_nothing_and_stands_on_the_screen(
    browser: Browser, figures: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "supervision.html"
    file.write_text(supervision_html(figures), "utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()]
    assert said == []
    assert page.locator("script").count() == 0
    assert page.locator(".totals b").first.inner_text() == str(figures["papers_not_brought"])
    assert page.locator("section").count() == 7
    page.close()


def test_the_page_prints_whole(browser: Browser, figures: dict[str, Any]) -> None:
    page = browser.new_page()
    page.set_content(supervision_html(figures))
    printed = pypdfium2.PdfDocument(io.BytesIO(page.pdf(format="A4")))
    words = "".join(
        printed[number].get_textpage().get_text_range() for number in range(len(printed))
    )
    assert 1 <= len(printed) <= 3
    assert str(figures["papers_not_brought"]) in words
    assert "异常调阅" in words
    page.close()


def test_neither_names_a_holder(
    month: tuple[Registry, dict[str, Record]], figures: dict[str, Any]
) -> None:
    registry, issued = month
    holder = issued[WORKS].body["holders"][0]
    project = issued[WORKS].body["project_code"]
    graph = registry.matters.graph(MATTER, by=BY, project_code=project)
    for text in (supervision_html(figures), graph_svg(graph)):
        for private in (holder["name"], holder["code"], project, "李四", issued[WORKS].id):
            assert private not in text


def test_the_graph_is_a_picture_of_the_chain(
    browser: Browser, month: tuple[Registry, dict[str, Record]]
) -> None:
    registry, issued = month
    project = issued[WORKS].body["project_code"]
    graph = registry.matters.graph(MATTER, by=BY, project_code=project)
    drawn = graph_svg(graph)
    root = ET.fromstring(drawn)  # noqa: S314 - our own
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        *("svg", "title", "defs", "marker", "path", "rect", "g", "text")
    }
    places = {step.matter.code: step.rank for step in graph.steps}
    chain = ["HD-GH-01", "HD-GH-02", "HD-GH-03", "HD-ZJ-01", "HD-ZJ-02"]  # 选址 → … → 竣工
    assert [places[code] for code in chain] == sorted(places[code] for code in chain)
    page = browser.new_page()
    page.set_content(drawn)
    boxes = [page.locator("svg g rect").nth(number).bounding_box() for number in range(len(places))]
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert one is not None
            assert other is not None
            apart_x = abs(one["x"] - other["x"]) >= one["width"]
            apart_y = abs(one["y"] - other["y"]) >= one["height"]
            assert apart_x or apart_y
    page.close()
